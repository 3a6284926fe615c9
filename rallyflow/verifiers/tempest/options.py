"""Refuses options of `config:` that a Tempest does not know, before anything is made in the cloud."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from rallyflow.errors import VerifierBroke
from rallyflow.hints import did_you_mean
from rallyflow.model.step import Progress
from rallyflow.verifiers.children import Command, Limits, clean_environment, run
from rallyflow.verifiers.environment import Environment, Interrupted
from rallyflow.verifiers.inside import tempest_options
from rallyflow.verifiers.lists import shown
from rallyflow.verifiers.workplace import Workplace

_PATIENCE = 300.0  # seconds
_NAMED_LINES = 3

Known = Mapping[str, set[str]]
"""Section, in lower case, to the names of its options; each may be known by several."""


def check(config: Mapping[str, Mapping[str, object]], made: Environment, workplace: Workplace) -> None:
    """Raise VerifierBroke for options that neither this Tempest nor a plugin of it knows; one taken away may be any.

    Tempest itself would say nothing of them, and go on without. Raises Interrupted when the step should stop.
    """
    given = [(section, name) for section, names in config.items() for name, value in names.items() if value is not None]
    if not given:
        return
    known = _ask(made, workplace)
    unknown = [each for each in given if each[1] not in known.get(each[0].lower(), ())]
    if unknown:
        words = [f"{section}.{name}" for section, name in unknown]
        version = made.packages.get("tempest", "of this version")
        raise VerifierBroke(f"Tempest {version} knows no option {shown(words)}", hint=_hint(*unknown[0], known))


def _hint(section: str, name: str, known: Known) -> str:
    names = known.get(section.lower())
    return did_you_mean(section, known, "sections: {}") if names is None else did_you_mean(name, names)


def _ask(made: Environment, workplace: Workplace) -> Known:
    workplace.report(Progress(note="asking Tempest for its options"))
    output = bytearray()

    def read(source: BinaryIO) -> None:
        output.extend(source.read())

    words = [made.program("python"), "-P", str(Path(tempest_options.__file__))]
    command = Command(words, workplace.directory, workplace.directory, clean_environment())
    ended = run(command, read, workplace.log.debug, Limits(_PATIENCE, stop=workplace.stop))
    if ended.cut == "stop":
        raise Interrupted
    try:
        last = output.decode().splitlines()[-1]  # plugins may print what they like when they are imported
        return {section: set(names) for section, names in json.loads(last).items()}
    except (ValueError, IndexError) as error:
        said = " | ".join(list(ended.lines)[-_NAMED_LINES:])
        raise VerifierBroke(
            f"Tempest can't say which options it knows: {said or ended.how}",
            hint="can all of its `plugins` be imported?",
        ) from error
