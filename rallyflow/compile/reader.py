"""Reads a YAML file into plain data, and remembers where everything stands.

Stricter than YAML 1.1 where people are bitten by it: duplicate keys, `yes`/`no`/`on`/`off` as values and `1:30` are
refused, keys are always text, dates stay text. Bombs (aliases that multiply, endless nesting) get a clear refusal.
"""

from __future__ import annotations

import re
from pathlib import Path as FilePath
from typing import Any

import yaml

from rallyflow.compile import lookalikes, nodes, syntax
from rallyflow.compile.diagnostics import MOST_ERRORS, Diagnostics, Mark, Path, Source
from rallyflow.compile.nodes import Alias, Items, Node, Pairs, Refusal, Scalar
from rallyflow.errors import UsageError

_MAX_BYTES = 4 << 20

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

_BOOL_TRAP = re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF")
_SEXAGESIMAL = re.compile(r"[-+]?\d+(:[0-5]?\d)+(\.\d*)?")
_INT = re.compile(r"[-+]?(0|[1-9]\d*)")
_OTHER_INT = re.compile(r"0[xX][0-9a-fA-F]+|0o[0-7]+|0b[01]+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")
_LEADING_ZERO = re.compile(r"[-+]?0\d+")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
}


def read_workflow(path: FilePath) -> tuple[Any, Source]:
    """Return a file's data and source; UsageError when it can't be read, WorkflowInvalid when it is not good YAML."""
    return read_text(read_bytes(path), str(path))


def read_bytes(path: FilePath) -> bytes:
    """Return what is in a file, of a large one as much as shows that it is too large; UsageError when there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"can't read {path}: {error.strerror}",
            hint="give the path of a workflow file, such as workflows/quickstart.yaml",
        ) from error


def read_text(raw: bytes, name: str) -> tuple[Any, Source]:
    """Return the data and source of a file's bytes; WorkflowInvalid when it is not good YAML."""
    text = raw[:_MAX_BYTES].decode("utf-8-sig", errors="replace")
    source = Source(name, _LINE_BREAK.split(text))
    errors = Diagnostics(source, most=MOST_ERRORS)
    _check_bytes(raw, errors)
    data = None
    try:
        node, refused = nodes.compose(text)
        for each in refused:
            errors.at(each.mark, each.code, each.what, each.hint)
        data = _Construction(source, errors).value(node, (), 0) if node is not None else None
    except Refusal as refusal:
        errors.at(refusal.mark, refusal.code, refusal.what, refusal.hint)
    except yaml.YAMLError as error:
        found = syntax.explain(error, source.lines)
        errors.at(found.mark, "RF0202", found.what, found.hint)
    errors.stop_if_any()
    return data, source


def _check_bytes(raw: bytes, errors: Diagnostics) -> None:
    if len(raw) > _MAX_BYTES:
        hint = "a workflow is smaller: is this the right file?"
        errors.at(Mark(), "RF0201", f"the file has more than {_MAX_BYTES >> 20} MiB", hint)
        errors.stop_if_any()
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode(errors="replace")
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = f"the file is {'UTF-16' if wide else 'not UTF-8'} text"
        errors.at(mark, "RF0201", what, "save it as UTF-8, in the editor that wrote it")
    errors.stop_if_any()


class _Construction:
    """Turns nodes into plain data, noting marks and errors on the way."""

    def __init__(self, source: Source, errors: Diagnostics) -> None:
        self.source = source
        self.errors = errors
        self.count = 0

    def value(self, node: Node, path: Path, depth: int) -> Any:
        self._count(node.mark, depth)
        if isinstance(node, Alias):
            self.source.repeats[path] = node.mark
            node = node.node
        self.source.values[path] = node.mark
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Items):
            return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.items)]
        return self._mapping(node, path, depth)

    def _count(self, mark: Mark, depth: int) -> None:
        """Refuse what aliases make too large or too deep."""
        self.count += 1
        if self.count > nodes.MOST_NODES:
            raise nodes.too_many(mark)
        if depth > nodes.DEEPEST:
            raise nodes.too_deep(mark)

    def _mapping(self, node: Pairs, path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merges: list[Node] = []
        for key_node, value in node.pairs:
            if _is_merge(key_node):
                if merges:
                    hint = "merge several in one go: `<<: [*one, *other]`"
                    self.errors.at(key_node.mark, "RF0203", "the key '<<' is here twice", hint)
                merges.append(value)
                continue
            key = self._key(key_node, value)
            if key is None:
                continue
            place = (*path, key)
            if key in result:
                hint = f"the first one is in line {self.source.keys[place].line}"
                self.errors.at(key_node.mark, "RF0203", f"the key {key!r} is here twice", hint)
            else:
                self.source.keys[place] = key_node.mark
                result[key] = self.value(value, place, depth + 1)
        for merge in merges:
            self._merge(merge, result, path, depth)
        return result

    def _key(self, node: Node, value: Node) -> str | None:
        """Return the text of a key; None when it is none, which is noted."""
        scalar = node.node if isinstance(node, Alias) else node
        if not isinstance(scalar, Scalar):
            nothing = isinstance(value, Scalar) and value.empty
            if nothing:
                hint = 'write "${{ … }}", with quotes'
                self.errors.at(node.mark, "RF0202", "'{{' is not how an expression starts", hint)
            else:
                self.errors.at(node.mark, "RF0202", "a key must be a plain text", "quote it, if it is a text")
            return None
        if scalar.plain and self._looks_alike(scalar):
            return None
        if scalar.plain and "${{" in scalar.text and "}}" not in scalar.text:
            hint = "put quotes around all of it: a colon with a space behind it ends a key"
            self.errors.at(node.mark, "RF0202", "an expression with a colon in it needs quotes", hint)
            return None
        return scalar.text

    def _merge(self, node: Node, into: dict[str, Any], path: Path, depth: int) -> None:
        """Add the keys of merged mappings that are not there yet: nearer ones win."""
        target = node.node if isinstance(node, Alias) else node
        for part in target.items if isinstance(target, Items) else [node]:
            self._count(part.mark, depth)
            merged = part.node if isinstance(part, Alias) else part
            if not isinstance(merged, Pairs):
                hint = "it takes over the keys of a mapping: `<<: *name`"
                self.errors.at(part.mark, "RF0202", "'<<' takes a mapping, or a list of mappings", hint)
                continue
            self._add_missing(merged, part.mark, into, path, depth)

    def _add_missing(self, merged: Pairs, used_at: Mark, into: dict[str, Any], path: Path, depth: int) -> None:
        own = set(into)
        lines: dict[str, int] = {}
        merges: list[Node] = []
        for key_node, value in merged.pairs:
            self._count(key_node.mark, depth)
            if _is_merge(key_node):
                merges.append(value)
                continue
            key = self._key(key_node, value)
            if key is not None and key in lines:
                hint = f"the first one is in line {lines[key]}"
                self.errors.at(key_node.mark, "RF0203", f"the key {key!r} is here twice", hint)
            elif key is not None:
                lines[key] = key_node.mark.line
            if key is not None and key not in own:
                place = (*path, key)
                self.source.keys[place] = key_node.mark
                into[key] = self.value(value, place, depth + 1)
                self.source.repeats.setdefault(place, used_at)
        for merge in merges:
            self._merge(merge, into, path, depth + 1)

    def _scalar(self, node: Scalar) -> Any:
        text = node.text
        if not node.plain:
            return text
        trap = _trap(text)
        if trap is not None:
            self.errors.at(node.mark, "RF0204", *trap)
        else:
            self._looks_alike(node)
        return _plain(text)

    def _looks_alike(self, node: Scalar) -> bool:
        """Whether a text has signs that only look like those of YAML, which is noted."""
        place = lookalikes.odd_space(node.text)
        if place is not None:
            mark = Mark(node.mark.line, node.mark.column + place)
            self.errors.at(mark, "RF0202", *lookalikes.SPACE)
        elif lookalikes.is_quoted(node.text):
            self.errors.at(node.mark, "RF0202", *lookalikes.quotes(node.text))
        else:
            return False
        return True


def _is_merge(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text == "<<"


def _trap(text: str) -> tuple[str, str] | None:
    """Return what is said of a text that YAML readers do not agree on, and the hint."""
    if _BOOL_TRAP.fullmatch(text):
        return f"{text!r} means {_old_bool(text)} to some YAML readers", "write true or false, or quote it"
    if _SEXAGESIMAL.fullmatch(text):
        hint = "quote it, or write a duration such as 90s"
        return f"{text!r} is a number to base 60 to some YAML readers", hint
    if _LEADING_ZERO.fullmatch(text):
        return f"{text!r} is an octal number to some YAML readers", "quote it, or drop the zeros"
    return None


def _plain(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text) and len(text) < 400:
        return int(text)
    if _OTHER_INT.fullmatch(text) and len(text) < 400:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _old_bool(text: str) -> str:
    return "true" if text.lower() in {"y", "yes", "on"} else "false"
