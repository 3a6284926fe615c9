"""Whether a part is what the journal says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rallyflow.model.records import Part


def trouble_with(part: Part) -> str:
    """Return what is wrong with the file of a booked part; empty when it is there, whole, and has its rows."""
    import pyarrow.parquet as pq

    try:
        rows = pq.read_metadata(part.path).num_rows
    except FileNotFoundError:
        return "is not there"
    except Exception as error:  # noqa: BLE001 - pyarrow has several for a file that is none of its own
        return f"can't be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return "" if rows == part.rows else f"has {rows} rows, but {part.rows} are booked"


def strays(folder: Path, booked: Collection[Path]) -> Iterator[Path]:
    """Yield the files below a folder of results that are parts, or were to become some, but are not booked."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".parquet", ".tmp") and path.is_file() and path not in booked:
            yield path
