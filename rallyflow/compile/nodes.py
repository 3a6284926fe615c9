"""Composes a YAML text into nodes that know where they stand, aliases among them; endless ones get a clear refusal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from rallyflow.compile.diagnostics import Mark
from rallyflow.hints import did_you_mean

MOST_NODES = 200_000
DEEPEST = 50

_TEXT = "tag:yaml.org,2002:str"
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")} | {"!", None}


@dataclass(slots=True)
class Scalar:
    """A text as the file has it; `plain` when nothing says that it is a text and not a number, say."""

    mark: Mark
    text: str
    plain: bool
    empty: bool = False  # nothing stands there at all


@dataclass(slots=True)
class Items:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class Pairs:
    """A mapping, keys in the order of the file, also those that are there twice."""

    mark: Mark
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    key: Node | None = None  # whose value has not come yet
    closed: bool = False


@dataclass(slots=True)
class Alias:
    """A place where a node stands once more."""

    mark: Mark
    node: Scalar | Items | Pairs


Node = Scalar | Items | Pairs | Alias


class Refusal(Exception):  # noqa: N818 - not a mistake of the program
    """A text that is YAML, but not of the kind that we read."""

    def __init__(self, mark: Mark, code: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.mark = mark
        self.code = code
        self.what = what
        self.hint = hint


def compose(text: str) -> tuple[Node | None, list[Refusal]]:
    """Return the node at the top of a text, None for an empty one, and what is refused in it.

    Raises yaml.YAMLError, or Refusal for what makes the rest unreadable too.
    """
    composer = _Composer()
    for event in _events(text):
        composer.take(event)
    return composer.top, composer.refused


def mark_of(thing: Any) -> Mark:
    """Return where an event or a token starts."""
    return Mark(thing.start_mark.line + 1, thing.start_mark.column + 1)


def _events(text: str) -> Iterator[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = 0
    for event in yaml.parse(text, Loader=loader):  # in C it recurses for no text, however deep
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                hint = "a file has one document: put the rest into a file of its own"
                raise Refusal(mark_of(event), "RF0202", "a second document starts here", hint)
        elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


class _Composer:
    """Puts nodes together as their events come."""

    def __init__(self) -> None:
        self.top: Node | None = None
        self.open: list[Items | Pairs] = []
        self.anchors: dict[str, Scalar | Items | Pairs] = {}
        self.refused: list[Refusal] = []
        self.count = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.CollectionEndEvent):
            self.open.pop().closed = True
            return
        self.count += 1
        if self.count > 2 * MOST_NODES:  # keys are nodes here
            raise too_many(mark_of(event))
        if isinstance(event, yaml.AliasEvent):
            self._add(self._alias(event))
            return
        node = self._node(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._add(node)
        if not isinstance(node, Scalar):
            self.open.append(node)
            if len(self.open) > DEEPEST + 1:  # the document itself is one level
                raise too_deep(node.mark)

    def _node(self, event: Any) -> Scalar | Items | Pairs:
        mark = mark_of(event)
        if event.tag not in _TAGS:
            self.refused.append(_tagged(mark, event.tag))
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(mark)
        if isinstance(event, yaml.MappingStartEvent):
            return Pairs(mark)
        plain = event.tag not in (_TEXT, "!") and (event.style in (None, "") or event.tag is not None)
        return Scalar(mark, event.value, plain, empty=plain and event.start_mark.index == event.end_mark.index)

    def _alias(self, event: Any) -> Node:
        mark = mark_of(event)
        node = self.anchors.get(event.anchor)
        if node is None:
            otherwise = "there are: {}" if self.anchors else ""
            hint = did_you_mean(event.anchor, self.anchors, otherwise)
            quote = f'if no alias is meant, quote the text: "*{event.anchor}…"'
            what = f"there is no anchor '&{event.anchor}' before this alias"
            self.refused.append(Refusal(mark, "RF0202", what, hint or quote))
            return Scalar(mark, "", plain=True)
        if not isinstance(node, Scalar) and not node.closed:
            raise Refusal(mark, "RF0206", "an alias that contains itself", "an alias repeats what stands before it")
        return Alias(mark, node)

    def _add(self, node: Node) -> None:
        if not self.open:
            self.top = node
            return
        parent = self.open[-1]
        if isinstance(parent, Items):
            parent.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            if isinstance(node, Scalar) and node.empty:
                node.mark = parent.key.mark  # what is missing is shown at its key
            parent.pairs.append((parent.key, node))
            parent.key = None


def too_many(mark: Mark) -> Refusal:
    """Return what refuses a file with too many values."""
    return Refusal(
        mark, "RF0206", f"more than {MOST_NODES} values", "do aliases multiply? else split it into several files"
    )


def too_deep(mark: Mark) -> Refusal:
    """Return what refuses a file that is nested too deep."""
    return Refusal(mark, "RF0206", f"more than {DEEPEST} levels of nesting", "is a bracket not closed?")


def _tagged(mark: Mark, tag: str) -> Refusal:
    shown = tag.replace("tag:yaml.org,2002:", "!!")
    hint = "remove it"
    if tag.startswith("!"):
        hint = f"if a text starts with '!', quote it: \"{tag}…\"; in a condition write `not`"
    return Refusal(mark, "RF0202", f"the tag {shown!r} has no meaning here", hint)
