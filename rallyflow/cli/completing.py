"""What a shell can complete: ids of runs and steps, params of a workflow, words to explain, templates.

Everything here is quick (no pydantic, no journal class) and quiet: a word that can't be completed is no error.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from rallyflow.settings import Home

Item = CompletionItem[str]
Completer = Callable[[click.Context, click.Parameter, str], list[Item]]
_MOST = 200


def quiet(found: Callable[[click.Context, str], Iterable[Item]]) -> Completer:
    """Return a completer that gives what begins with the typed word, and nothing at all where something goes wrong."""

    @functools.wraps(found)
    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Item]:
        with contextlib.suppress(Exception):
            return [item for item in found(context, incomplete) if item.value.startswith(incomplete)][:_MOST]
        return []

    return complete


@quiet
def runs(context: click.Context, _incomplete: str) -> Iterator[Item]:
    """Give the runs of the home, the newest first, each with its workflow and state."""
    rows = _ask(context, "SELECT id, name, state FROM run ORDER BY created_ns DESC, id DESC LIMIT 100")
    if rows:
        yield Item("@latest", help="the last run")
    for run, name, state in rows:
        yield Item(run, help=f"{name}, {state}")


@quiet
def steps(context: click.Context, _incomplete: str) -> Iterator[Item]:
    """Give the steps of the run that stands before, by id and by the name that the cells of a matrix share."""
    rows = _ask(context, "SELECT id, name, state FROM step WHERE run = ? ORDER BY position LIMIT 1000", _run(context))
    for name in dict.fromkeys(name for step, name, _ in rows if step != name):
        yield Item(name, help="all cells")
    for step, _, state in rows:
        yield Item(step, help=state)


@quiet
def params(context: click.Context, incomplete: str) -> Iterator[Item]:
    """Give the params of the workflow that stands before, and after `=` the values that one may have."""
    from rallyflow.compile.reader import read_workflow

    data, _ = read_workflow(_workflow(context))
    declared = data.get("params") or {}
    name, equals, _ = incomplete.partition("=")
    if equals:
        for choice in _choices(declared.get(name) or {}):
            yield Item(f"{name}={choice}")
        return
    for known, spec in declared.items():
        yield Item(f"{known}=", help=_about(spec), open=True)


@quiet
def words(_context: click.Context, incomplete: str) -> Iterator[Item]:
    """Give what `explain` can explain; keys below a word only when it ends with a dot, since they take longer."""
    from rallyflow import plugins
    from rallyflow.explanations import codes

    if "." in incomplete:
        yield from _inner(incomplete)
        return
    for uses in (*plugins.FAMILIES, *plugins.step_types()):
        yield Item(uses, help="step type")
    for word in ("workflow", "step", "param", "secret", "defaults", "retry", "timeout", "filter", "test", "function"):
        yield Item(word, help=f"and {word}.NAME")
    for code in codes.codes():
        yield Item(code, help=codes.summary_of(code))


@quiet
def templates(_context: click.Context, _incomplete: str) -> Iterator[Item]:
    """Give the templates of `init`."""
    from rallyflow.templates import TEMPLATES

    for name, text in TEMPLATES.items():
        yield Item(name, help=text)


def _inner(incomplete: str) -> Iterator[Item]:
    """Give the words below one: `benchmark.load.` leads to its keys."""
    from rallyflow.explanations.find import explain, words

    above = incomplete.rpartition(".")[0]
    for word in words() if above == "exit" else explain(above).see:
        yield Item(word)


def _workflow(context: click.Context) -> Path:
    """Return the file of the workflow on the command line; click has not read it when an option waits for its value."""
    given = context.params.get("workflow")
    typed = (Path(word) for word in os.environ.get("COMP_WORDS", "").split() if word.endswith((".yaml", ".yml")))
    return Path(given) if given else next(path for path in typed if path.is_file())


def _run(context: click.Context) -> str:
    """Return the id of the run that stands before, as the journal's reader would find it; empty when it is not one."""
    given = str(context.params.get("run") or "@latest")
    ids = [str(row[0]) for row in _ask(context, "SELECT id FROM run ORDER BY created_ns, id")]
    if given == "@latest":
        return ids[-1]
    found = [run for run in ids if given == run] or [run for run in ids if run.startswith(given) or run.endswith(given)]
    return found[0] if len(found) == 1 else ""


def _ask(context: click.Context, sql: str, *values: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query of the journal, which is opened for reading alone."""
    journal = Home.find(context.params.get("home")).journal
    if not journal.exists():
        return []
    still = not journal.with_name(f"{journal.name}-wal").exists()  # nobody has it open, and none may be made
    address = f"file:{quote(str(journal))}?mode=ro{'&immutable=1' * still}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=0.1)) as connection:
        return connection.execute(sql, values).fetchall()


def _choices(spec: Any) -> list[str]:
    choices = spec.get("choices")
    if isinstance(choices, list):
        return [str(choice) for choice in choices]
    return ["true", "false"] if spec.get("type") == "bool" else []


def _about(spec: Any) -> str:
    kind, text = spec.get("type", "str"), spec.get("description", "")
    return f"{kind}: {text}" if text else str(kind)
