"""Versions of catalogs, which of them a workflow asks for, and whether what a catalog needs is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rallyflow.catalogs.models import Requirements

_NUMBER = r"(?:0|[1-9]\d*)"
_PART = r"[0-9A-Za-z-]+"
_SEMANTIC = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PART}(?:\.{_PART})*))?(?:\+{_PART}(?:\.{_PART})*)?"
)
_WANTED = re.compile(rf"v?({_NUMBER}(?:\.{_NUMBER}){{0,2}})(?:-({_PART}(?:\.{_PART})*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version; build metadata is not part of it."""

    numbers: tuple[str, ...]
    pre: str = ""  # rc.1 of 1.0.0-rc.1

    @classmethod
    def parse(cls, text: str) -> Version:
        """Return the version that a catalog says it is; ValueError when it is none."""
        match = _SEMANTIC.fullmatch(text)
        if not match or not text.isascii():
            raise ValueError(f"{text!r} is not a semantic version such as 1.2.0")
        return cls(match.groups()[:3], match[4] or "")

    def fits(self, wanted: str) -> bool:
        """Whether a workflow that asks for `1`, `1.2` or `1.2.0` can take this version; ValueError for no version.

        A version that is not out yet (1.0.0-rc.1) has to be asked for by its whole name.
        """
        match = _WANTED.fullmatch(wanted)
        if not match:
            raise ValueError(f"{wanted!r} is not a version such as 1, 1.2 or 1.2.0")
        numbers = tuple(match[1].split("."))
        return self.numbers[: len(numbers)] == numbers and self.pre == (match[2] or "")


def shortest(version: str) -> str:
    """Return what a workflow best asks for to get a version: `1` for 1.2.0, all of 1.0.0-rc.1."""
    parsed = Version.parse(version)
    return ".".join(parsed.numbers) + f"-{parsed.pre}" if parsed.pre else parsed.numbers[0]


def check_specifiers(text: str) -> str:
    """Return conditions on a version as they are; ValueError when they are none."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is not a condition on a version such as >=0.1") from None
    return text


def check_requirement(text: str) -> str:
    """Return the requirement of a package as it is; ValueError when it is none."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        raise ValueError(f"{text!r} does not name a package such as rallyflow-aws>=1") from None
    return text


def unmet(requirements: Requirements) -> Sequence[str]:
    """Return what is not installed, as sentences."""
    return [*_program(requirements.rallyflow), *_packages(requirements.packages), *_plugins(requirements.plugins)]


def _program(specifiers: str) -> Iterator[str]:
    if specifiers:
        from packaging.specifiers import SpecifierSet

        from rallyflow import __version__

        if not SpecifierSet(specifiers).contains(__version__, prereleases=True):
            yield f"rallyflow {specifiers} (this is {__version__})"


def _packages(packages: Sequence[str]) -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    for requirement in map(Requirement, packages):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield f"the package {requirement} (not installed)"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"the package {requirement} (installed is {installed})"


def _plugins(names: Sequence[str]) -> Iterator[str]:
    if names:
        from rallyflow import plugins

        known = plugins.step_types()
        yield from (f"the plugin {name} (not installed)" for name in names if name not in known)
