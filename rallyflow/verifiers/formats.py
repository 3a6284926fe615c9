"""Reads a file of results, whatever its format: subunit of either version, or JUnit."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Literal

from rallyflow.errors import NotFound, ResultsUnreadable
from rallyflow.verifiers.case import Case
from rallyflow.verifiers.junit import read_junit
from rallyflow.verifiers.subunit import looks_like_subunit, read_subunit, read_subunit_v1

Format = Literal["auto", "subunit", "subunit-v1", "junit"]
MOST_CASES = 1_000_000
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
"""How files begin that say in which of these encodings they are; other XML begins with ASCII."""
_V1 = re.compile(
    rb"^(test(ing)?|time|progress|tags|success(ful)?|failure|error|skip|xfail|uxsuccess)[: ]", re.MULTILINE
)


def read_results(path: Path, kind: Format = "auto") -> list[Case]:
    """Return the tests in a file. Raises NotFound, or ResultsUnreadable when it has none, or is damaged."""
    if path.exists() and not path.is_file():  # a pipe, from which nothing may ever come
        raise ResultsUnreadable(f"{path} is no plain file", hint="write what a pipe gives to a file first")
    try:
        with path.open("rb") as source:
            beginning = source.read(4096)
            source.seek(0)
            chosen = _guessed(beginning) if kind == "auto" else kind
            cases: list[Case] = []
            damage = ""
            if chosen == "junit":
                read_junit(source, lambda case: _add(case, cases))
            elif chosen == "subunit":
                damage = read_subunit(source, lambda case: _add(case, cases)).damage
            else:
                damage = read_subunit_v1(source, lambda case: _add(case, cases)).damage
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}", hint="the path is seen from where rallyflow was started") from error
    except OSError as error:
        raise ResultsUnreadable(f"{path} can't be read: {error.strerror or error}") from error
    except ResultsUnreadable as error:
        raise ResultsUnreadable(f"{path}: {error.what}", hint=error.hint) from error
    if damage:
        raise ResultsUnreadable(
            f"{path} is damaged after {len(cases)} tests: {damage}", hint="was it cut off, or copied as text?"
        )
    if not cases:
        raise ResultsUnreadable(f"{path} has no test in it", hint=f"it was read as {chosen}")
    return cases


def _add(case: Case, cases: list[Case]) -> None:
    if len(cases) >= MOST_CASES:
        raise ResultsUnreadable(f"it has more than {MOST_CASES} tests")
    cases.append(case)


def _guessed(beginning: bytes) -> Format:
    if looks_like_subunit(beginning):
        return "subunit"
    if _is_markup(beginning):
        return "junit"
    if _V1.search(beginning):
        return "subunit-v1"
    if b"\xb3" in beginning:  # something was printed before the stream began
        return "subunit"
    raise ResultsUnreadable(
        "this is neither subunit nor JUnit", hint="`format` says what it is, if it begins with something else"
    )


def _is_markup(beginning: bytes) -> bool:
    mark, encoding = next(((mark, name) for mark, name in _MARKS if beginning.startswith(mark)), (b"", "latin-1"))
    return beginning.removeprefix(mark).decode(encoding, errors="ignore").lstrip().startswith("<")
