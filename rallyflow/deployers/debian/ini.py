"""Configuration files as oslo.config, MariaDB and uWSGI read them, from nested mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Scalar = str | int | float | bool
Options = Mapping[str, Mapping[str, Scalar | Sequence[Scalar]]]
"""Section to option to value; a list stands for an option that is given several times."""


def merge(base: Options, over: Options) -> Options:
    """Return the options of `base` with those of `over` in their place."""
    sections = list(dict.fromkeys([*base, *over]))
    return {section: {**base.get(section, {}), **over.get(section, {})} for section in sections}


def render(options: Options) -> str:
    """Return the file."""
    return "\n".join(f"[{name}]\n{lines(section)}" for name, section in options.items() if section)


def lines(section: Mapping[str, Scalar | Sequence[Scalar]]) -> str:
    """Return the lines of a section."""
    return "".join(
        f"{option} = {text_of(value)}\n"
        for option, values in section.items()
        for value in ([values] if isinstance(values, Scalar) else values)
    )


def text_of(value: Scalar) -> str:
    """Return a value as such files have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
