"""The catalog `rallyflow`: the workflows that ship, in the package or, in a checkout, beside it."""

from __future__ import annotations

from pathlib import Path

_SHIPPED = Path(__file__).with_name("shipped")

PATH = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[2] / "workflows"
