"""What goes wrong with an expression: it can't be read, has no value, or asks for too much."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from jinja2 import TemplateSyntaxError

_POSITION = re.compile(r" at \d+$")  # counted from a place that nobody sees


class ExpressionError(Exception):
    """An expression that can't be read or has no value; `hint` says what to do, `code` is that of its diagnostic."""

    def __init__(self, what: str, hint: str = "", code: str = "RF0240") -> None:
        super().__init__(what)
        self.hint = hint
        self.code = code


class NoValue(Exception):  # noqa: N818 - named after what happened, as the project's errors are
    """A part of an expression has no value; the whole expression's source is put before it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


@contextlib.contextmanager
def failing_as(what: str) -> Iterator[None]:
    """Turn whatever goes wrong into an ExpressionError: an expression is a user's program, and can raise anything."""
    try:
        yield
    except ExpressionError:
        raise
    except NoValue as error:
        raise ExpressionError(f"{what}: {error}", error.hint) from error
    except TemplateSyntaxError as error:
        message = (error.message or "").replace("token 'end of print statement'", "the end of the expression")
        message = message.replace("'end of print statement'", "end of the expression")
        message = _POSITION.sub("", message)
        message = message.replace("unexpected char", "unexpected").replace("expected token", "expected")
        message = message.replace("'name'", "a name").replace("name or number", "a name or number")
        raise ExpressionError(f"{what}: {message}") from error
    except (RecursionError, MemoryError) as error:
        raise ExpressionError("the expression is nested too deep") from error
    except Exception as error:
        raise ExpressionError(f"{what}: {error}") from error
