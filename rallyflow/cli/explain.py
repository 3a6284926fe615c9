"""`rallyflow explain [WHAT]`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import completing, json_option
from rallyflow.cli.output import colour, print_json
from rallyflow.errors import Exit

if TYPE_CHECKING:
    from rallyflow.explanations.topic import Example, Key, Topic

_WIDEST = 100


@click.command("explain", short_help="explain an error, a step type or a key of a workflow")
@click.argument("what", required=False, shell_complete=completing("words"))
@json_option
def command(what: str | None, as_json: bool) -> Exit:
    """Explain an error code, a step type, a key of a workflow file, a filter of expressions, or an exit code.

    \b
    rallyflow explain RF0203
    rallyflow explain benchmark
    rallyflow explain benchmark.load.constant
    rallyflow explain step.matrix
    rallyflow explain filter.selectattr
    """  # noqa: D301 - \b is click's mark
    if what is None:
        return _list(as_json=as_json)
    from rallyflow.explanations.find import explain

    topic = explain(what)
    if as_json:
        print_json(asdict(topic))
    else:
        sys.stdout.write("\n".join(_lines(topic)).rstrip() + "\n")
    return Exit.OK


def _list(*, as_json: bool) -> Exit:
    """Show what can be explained, by kind."""
    from rallyflow import plugins
    from rallyflow.explanations import codes, library
    from rallyflow.explanations.find import EXITS, roots
    from rallyflow.explanations.sections import sections

    found = {
        "error codes": {code: codes.summary_of(code) for code in codes.codes()},
        "step types": dict.fromkeys((*plugins.FAMILIES, *plugins.step_types()), ""),
        "parts of a workflow file": {name: f"and {name}.KEY" if name in roots() else "" for name in sections()},
        "expressions": {kind: f"and {kind}.NAME" for kind in library.KINDS},
        "exit codes": {f"exit.{int(code)}": text for code, text in EXITS.items()},
    }
    if as_json:
        print_json({kind: list(entries) for kind, entries in found.items()})
        return Exit.OK
    lines: list[str] = []
    for kind, entries in found.items():
        lines += ["", _heading(kind), *_pairs(entries)]
    sys.stdout.write("\n".join(lines[1:]) + "\n")
    return Exit.OK


def _lines(topic: Topic) -> Iterator[str]:
    yield f"{_bold(topic.name)}  ({topic.kind})"
    yield from _wrapped(topic.summary)
    if topic.facts:
        yield ""
        yield from _pairs(topic.facts)
    for heading, text in topic.text.items():
        yield ""
        if heading:
            yield _heading(heading)
        for paragraph in text.splitlines():
            yield from _wrapped(paragraph, "  " if heading else "")
    for heading, keys in topic.keys.items():
        yield ""
        yield _heading(heading)
        yield from _keys(keys)
    for heading, example in topic.examples.items():
        yield ""
        yield from _example(heading, example)
    if topic.see:
        yield ""
        yield from _wrapped(f"see also: {', '.join(topic.see[:12])}" + (", ..." if len(topic.see) > 12 else ""))


def _keys(keys: Sequence[Key]) -> Iterator[str]:
    if not keys:
        yield "  none"
    for key in keys:
        about = key.default if key.default in ("", "required") else f"default {key.default}"
        yield f"  {_bold(key.name)}  {key.type}" + (f", {about}" if about else "")
        yield from _wrapped(key.description, "      ") if key.description else ()


def _example(heading: str, example: Example) -> Iterator[str]:
    given = "".join(f" -p {name}={value}" for name, value in example.params.items())
    encoding = f", saved as {example.encoding}" if example.encoding != "utf-8" else ""
    yield _heading(f"{heading}{encoding}") + (f"  (with{given})" if given else "")
    for name, text in example.files.items():
        if len(example.files) > 1:
            yield f"  # {name}"
        yield from (f"  {line}".rstrip() for line in text.splitlines())


def _pairs(pairs: Mapping[str, str]) -> Iterator[str]:
    widest = max(map(len, pairs), default=0)
    for name, text in pairs.items():
        lines = list(_wrapped(text, " " * (widest + 4)))
        yield f"  {name.ljust(widest)}  {lines[0].lstrip() if lines else ''}".rstrip()
        yield from lines[1:]


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    """Yield lines that fit the terminal; those after a dash are set in."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    later = indent + "  " if text.startswith("- ") else indent
    yield from textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _heading(text: str) -> str:
    return _bold(f"{text}:")


def _bold(text: str) -> str:
    return colour(text, "bold", stream=sys.stdout)
