from __future__ import annotations

import logging

import pytest

from rallyflow.verifiers.output import OutputLog


@pytest.mark.parametrize("line", ["x" * 1000, "é" * 500, ""])
def test_a_log_keeps_what_a_program_prints_up_to_a_limit_and_then_says_so_once(caplog, line):
    caplog.set_level(logging.INFO)
    output = OutputLog(logging.getLogger("rallyflow"), most=1 << 20)
    for _ in range(20_000):
        output.line(line)
    *kept, last = [record.getMessage() for record in caplog.records]
    assert set(kept) == {line}
    assert 900 < len(kept) < 11_000
    assert last == "this is more than 1 MiB: what else it prints is dropped"
