"""Writes Parquet parts so that a part is whole or is not there: temporary file, sync, rename, sync of the folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rallyflow.errors import DiskFull, StorageError
from rallyflow.results.schema import TABLES


def write_part(folder: Path, name: str, table: str, columns: Mapping[str, Sequence[Any]]) -> tuple[str, Path, int]:
    """Write one part of `table` as `folder/name.parquet`, durable when it returns.

    `columns` maps every column of the table's schema to values of equal length. Returns (table, path, rows), as
    the book of parts takes it. Raises DiskFull or StorageError; a half-written file is removed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = TABLES[table]
    data = pa.table([pa.array(columns[field.name], type=field.type) for field in schema], schema=schema)
    path = folder / f"{name}.parquet"
    temporary = path.with_suffix(".tmp")
    try:
        pq.write_table(data, temporary, compression="zstd")
        _sync(temporary)
        temporary.rename(path)
        _sync(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no space left to write {path}",
                hint="free some space, then `rallyflow resume`: what was measured so far is kept",
            ) from error
        raise StorageError(f"can't write {path}: {error}") from error
    return table, path, data.num_rows


def is_whole(path: Path, rows: int) -> bool:
    """Whether a part can be read, as far as its footer tells, and has as many rows as were booked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows) == rows
    except (OSError, pa.ArrowException):
        return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
