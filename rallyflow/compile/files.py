"""The files of one compilation: each is read once, and keeps its own errors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyflow.compile.diagnostics import MOST_ERRORS, Diagnostics, Source
from rallyflow.compile.reader import read_bytes, read_text
from rallyflow.errors import Diagnostic, WorkflowInvalid
from rallyflow.model.workflow import Param

if TYPE_CHECKING:
    from rallyflow.compile.kinds import Kind


@dataclass(slots=True)
class File:
    """A workflow file: its data, and the errors found in it so far."""

    path: Path
    data: Any
    errors: Diagnostics
    sha256: str = ""
    root: Path | None = None  # of the catalog that it is from
    catalog: str = ""  # the same catalog's name, when no lock pins it
    specs: dict[str, Param] | None = None  # its params, once they have been read

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.errors.source.name


@dataclass(slots=True)
class Files:
    """Every file that has been read, by its real path, in the order of first use."""

    read: dict[Path, File] = field(default_factory=dict)
    unreadable: dict[Path, list[Diagnostic]] = field(default_factory=dict)
    kinds: dict[Path, Kind] = field(default_factory=dict)  # what each of them is as a step, once that is known

    def load(self, path: Path, name: str, used_at: str = "") -> File | None:
        """Return a file; None, with its errors noted, when it is not good YAML; UsageError when it can't be read."""
        real = path.resolve()
        if real in self.read or real in self.unreadable:
            return self.read.get(real)
        raw = read_bytes(path)
        try:
            data, source = read_text(raw, name)
        except WorkflowInvalid as invalid:
            self.unreadable[real] = [replace(each, used_at=used_at) for each in invalid.diagnostics]
            return None
        file = self.add(path, data, source, raw)
        file.errors.used_at = used_at
        return file

    def add(self, path: Path, data: Any, source: Source, raw: bytes) -> File:
        """Take a file that has been read."""
        file = File(path, data, Diagnostics(source, most=MOST_ERRORS), hashlib.sha256(raw).hexdigest())
        self.read[path.resolve()] = file
        return file

    def stop_if_any(self) -> None:
        """Raise WorkflowInvalid with the errors of all files, each file's in its own order, if there are any."""
        found = [each for file in self.read.values() for each in file.errors.in_order()]
        found.extend(each for diagnostics in self.unreadable.values() for each in diagnostics)
        if found:
            raise WorkflowInvalid(found)
