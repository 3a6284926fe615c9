"""Reads a YAML file into plain data, and remembers where everything stands.

Stricter than YAML 1.1 where people are bitten by it: duplicate keys, `yes`/`no`/`on`/`off` as values and `1:30` are
refused, keys are always text, dates stay text. Bombs (aliases that multiply, endless nesting) get a clear refusal.
"""

from __future__ import annotations

import re
from pathlib import Path as FilePath
from typing import Any

import yaml

from rallyflow.compile.diagnostics import Diagnostics, Mark, Path, Source
from rallyflow.errors import UsageError

_MAX_BYTES = 4 << 20
_MAX_NODES = 200_000
_MAX_DEPTH = 50

_BOOL_TRAP = re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF")
_SEXAGESIMAL = re.compile(r"[-+]?\d+(:[0-5]?\d)+(\.\d*)?")
_INT = re.compile(r"[-+]?(0|[1-9]\d*)")
_OTHER_INT = re.compile(r"0[xX][0-9a-fA-F]+|0o[0-7]+|0b[01]+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")
_LEADING_ZERO = re.compile(r"[-+]?0\d+")
_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}
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
    text = raw[:_MAX_BYTES].decode(errors="replace")
    source = Source(name, text.splitlines())
    errors = Diagnostics(source)
    _check_bytes(raw, errors)
    node = _compose(text, errors)
    errors.stop_if_any()
    data = _Construction(source, errors).value(node, (), 0) if node is not None else None
    errors.stop_if_any()
    return data, source


def _check_bytes(raw: bytes, errors: Diagnostics) -> None:
    if len(raw) > _MAX_BYTES:
        errors.at(Mark(), "RF0201", f"the file has more than {_MAX_BYTES} bytes")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        errors.at(Mark(line, column), "RF0201", "the file is not UTF-8 text", "save it as UTF-8")
    errors.stop_if_any()


def _compose(text: str, errors: Diagnostics) -> yaml.Node | None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_nesting(text, loader, errors)
        node: yaml.Node | None = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(place.line + 1, place.column + 1) if place else Mark()
        problem = error.problem or "not YAML"
        errors.at(mark, "RF0202", f"not valid YAML: {problem}", _syntax_hint(problem, errors.source.lines, mark))
        return None
    except yaml.YAMLError as error:  # unprintable characters carry no mark
        errors.at(Mark(), "RF0202", f"not valid YAML: {' '.join(str(error).split())}")
        return None
    return node


def _check_nesting(text: str, loader: Any, errors: Diagnostics) -> None:
    """Refuse deep nesting before the composer sees it, which recurses in C and would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH + 1:  # the document itself is one level
                errors.at(_mark(event), "RF0206", f"more than {_MAX_DEPTH} levels of nesting")
                errors.stop_if_any()
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _syntax_hint(problem: str, lines: list[str], mark: Mark) -> str:
    line = lines[mark.line - 1] if 0 < mark.line <= len(lines) else ""
    before = "\n".join(lines[: mark.line])
    if "\t" in line:
        return "indent with spaces: YAML does not allow tabs"
    if "${{" in line or ("${{" in before[-400:] and "flow" in problem):
        return 'inside { } or [ ] an expression needs quotes: "${{ … }}"'
    if "mapping values are not allowed" in problem:
        return "is a space missing after a colon, or do quotes belong around a text that contains ': '?"
    return "check the indentation and the brackets around this place"


class _Construction:
    """Turns nodes into plain data, noting marks and errors on the way."""

    def __init__(self, source: Source, errors: Diagnostics) -> None:
        self.source = source
        self.errors = errors
        self.nodes = 0
        self.open: set[int] = set()

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        mark = _mark(node)
        self.source.values[path] = mark
        self.nodes += 1
        if self.nodes > _MAX_NODES or depth > _MAX_DEPTH or id(node) in self.open:
            self._refuse(mark, node, depth)
            return None
        if node.tag not in _TAGS:
            self.errors.at(mark, "RF0202", f"the tag {node.tag!r} has no meaning here", "remove it")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, mark)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
            return self._mapping(node, path, depth)
        finally:
            self.open.discard(id(node))

    def _refuse(self, mark: Mark, node: yaml.Node, depth: int) -> None:
        if id(node) in self.open:
            self.errors.at(mark, "RF0206", "an alias that contains itself")
        elif depth > _MAX_DEPTH:
            self.errors.at(mark, "RF0206", f"more than {_MAX_DEPTH} levels of nesting")
        else:
            self.errors.at(mark, "RF0206", f"more than {_MAX_NODES} values: do aliases multiply?")
        self.errors.stop_if_any()

    def _mapping(self, node: yaml.Node, path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merges: list[yaml.Node] = []
        for key_node, value_node in node.value:
            key = key_node.value
            mark = _mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.errors.at(mark, "RF0202", "a key must be a plain text")
            elif _is_merge(key_node):
                merges.append(value_node)
            elif key in result:
                first = self.source.keys[(*path, key)].line
                self.errors.at(mark, "RF0203", f"the key {key!r} is here twice", f"the first one is in line {first}")
            else:
                self.source.keys[(*path, key)] = mark
                result[key] = self.value(value_node, (*path, key), depth + 1)
        for merge in merges:
            self._merge(merge, result, path, depth)
        return result

    def _merge(self, node: yaml.Node, into: dict[str, Any], path: Path, depth: int) -> None:
        """Add the keys of merged mappings that are not there yet: nearer ones win."""
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(part, yaml.MappingNode):
                self.errors.at(_mark(part), "RF0202", "'<<' takes a mapping, or a list of mappings")
                continue
            if id(part) in self.open or depth > _MAX_DEPTH:
                self._refuse(_mark(part), part, depth)
            self.open.add(id(part))
            own = set(into)
            merges: list[yaml.Node] = []
            for key_node, value_node in part.value:
                key = key_node.value
                if _is_merge(key_node):
                    merges.append(value_node)
                elif isinstance(key, str) and key not in own:
                    self.source.keys[(*path, key)] = _mark(key_node)
                    into[key] = self.value(value_node, (*path, key), depth + 1)
            for merge in merges:
                self._merge(merge, into, path, depth + 1)
            self.open.discard(id(part))

    def _scalar(self, node: yaml.ScalarNode, mark: Mark) -> Any:
        text: str = node.value
        if node.style in ("'", '"', "|", ">"):
            return text
        if _BOOL_TRAP.fullmatch(text):
            self.errors.at(
                mark,
                "RF0204",
                f"{text!r} means {_old_bool(text)} to some YAML readers",
                "write true or false, or quote it",
            )
        elif _SEXAGESIMAL.fullmatch(text):
            self.errors.at(
                mark,
                "RF0204",
                f"{text!r} is a number to base 60 to some YAML readers",
                "quote it, or write a duration such as 90s",
            )
        elif _LEADING_ZERO.fullmatch(text):
            self.errors.at(
                mark,
                "RF0204",
                f"{text!r} is an octal number to some YAML readers",
                "quote it, or drop the zeros",
            )
        return _plain(text)


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "<<" and node.tag.endswith(":merge")


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


def _mark(node: yaml.Node | yaml.CollectionStartEvent) -> Mark:
    place: Any = node.start_mark
    return Mark(place.line + 1, place.column + 1)
