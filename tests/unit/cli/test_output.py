from __future__ import annotations

import pytest

from rallyflow.cli.main import VERBS, cli, run
from rallyflow.cli.output import print_table


def test_tables_line_up_and_numbers_stand_to_the_right(capsys):
    print_table(("name", "n"), [("a", 1), ("long", 100), ("line\nbreak", None)])
    assert capsys.readouterr().out.splitlines() == [
        "name          n",
        "a             1",
        "long        100",
        "line break    -",
    ]


def test_a_table_without_rows_is_its_heading(capsys):
    print_table(("name", "n"), [])
    assert capsys.readouterr().out == "name  n\n"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_listed_verb_has_a_command_of_its_name(verb):
    command = cli.get_command(None, verb)
    assert command is not None
    assert command.name == verb


def test_a_mistake_of_ours_says_so_and_shows_the_traceback(monkeypatch, capsys):
    monkeypatch.setattr(cli, "main", lambda **_options: 1 / 0)
    assert run([]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "error[RF0002]: ZeroDivisionError" in said
    assert "please report" in said


def test_ctrl_c_anywhere_has_its_exit_code(monkeypatch):
    def interrupt(**_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    assert run([]) == 130
