"""What can be wrong with a catalog, or with the way in which a workflow names it."""

from __future__ import annotations

from rallyflow.errors import ErrorClass, Exit, RallyflowError

NOT_FOUND = "RF0250"
NO_WORKFLOW = "RF0251"
OTHER_VERSION = "RF0252"
CHANGED = "RF0253"
UNMET = "RF0254"
INVALID = "RF0255"


class CatalogProblem(RallyflowError):  # noqa: N818 - named after what happened, as in errors.py
    """A catalog can't be used; the code says why, and is one of those that a workflow file can have."""

    exit_code = Exit.INVALID
    kind = ErrorClass.USER

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.code = code  # type: ignore[misc] # of this problem, where other errors have one for their class
