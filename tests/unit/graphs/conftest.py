from __future__ import annotations

import pytest

from rallyflow.compile.compiler import compile_file


@pytest.fixture
def plan(tmp_path):
    """Compile workflow files that are given as texts, the first one as the workflow."""

    def make(text, **others):
        for name, other in others.items():
            (tmp_path / f"{name}.yaml").write_text(f"rallyflow: 1\nname: {name}\n{other}")
        (tmp_path / "main.yaml").write_text(f"rallyflow: 1\nname: main\n{text}")
        return compile_file(tmp_path / "main.yaml")

    return make
