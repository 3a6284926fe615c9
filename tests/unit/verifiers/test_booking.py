from __future__ import annotations

from rallyflow.model.secret import Secret
from rallyflow.verifiers.booking import masked
from rallyflow.verifiers.case import Case, CaseState


def test_a_secret_is_kept_in_no_part_of_a_test():
    case = Case("test_login[hunter22]", CaseState.FAILED, message="hunter22", detail="wrong: hunter22")
    (kept,) = masked([case], [Secret("hunter22")])
    assert "hunter22" not in repr(kept)
    assert kept.name == "test_login[******]"
