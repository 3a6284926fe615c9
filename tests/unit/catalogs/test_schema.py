from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from rallyflow.catalogs.schema import catalog_schema, lock_schema

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("file", "schema"), [("catalog", catalog_schema()), ("catalog-lock", lock_schema())])
def test_the_schema_that_is_checked_in_is_that_of_the_models(file, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    checked_in = json.loads((ROOT / "schemas" / f"{file}.json").read_text())
    assert checked_in == json.loads(json.dumps(schema)), f"run: rallyflow schema … > schemas/{file}.json"


def test_the_shipped_catalog_is_valid_under_the_schema():
    data = yaml.safe_load((ROOT / "workflows" / "catalog.yaml").read_text())
    jsonschema.validate(data, catalog_schema())


@pytest.mark.parametrize(
    ("data", "good"),
    [
        ({"name": "a", "version": "1.0.0", "workflows": ["x.yaml"]}, True),
        ({"name": "a", "version": "1.0.0", "workflows": {"x": {"file": "x.yaml"}}}, True),
        ({"name": "a", "version": "1.0.0", "workflows": []}, False),
        ({"name": "a", "version": "1.0.0", "workflows": {"x": {"fil": "x.yaml"}}}, False),
        ({"name": "a b", "version": "1.0.0", "workflows": ["x.yaml"]}, False),
        ({"name": "a", "workflows": ["x.yaml"]}, False),
    ],
)
def test_the_schema_takes_what_the_program_takes(data, good):
    assert jsonschema.Draft202012Validator(catalog_schema()).is_valid(data) is good
