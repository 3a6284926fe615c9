"""The JSON Schemas of catalog.yaml and catalog.lock, from the models that read them."""

from __future__ import annotations

from typing import Any

from rallyflow.catalogs.models import Catalog, Lock

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def catalog_schema() -> dict[str, Any]:
    """Return the schema of catalog.yaml, whose workflows may also be a plain list of files."""
    schema = Catalog.model_json_schema()
    by_name = schema["properties"]["workflows"]
    files = {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Files, each named as it is"}
    schema["properties"]["workflows"] = {"title": by_name.pop("title", "Workflows"), "anyOf": [by_name, files]}
    return {"$schema": _DIALECT, **schema, "title": "rallyflow catalog"}


def lock_schema() -> dict[str, Any]:
    """Return the schema of catalog.lock."""
    return {"$schema": _DIALECT, **Lock.model_json_schema(), "title": "rallyflow catalog lock"}
