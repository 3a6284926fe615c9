"""Every error that rallyflow shows to a person.

    RallyflowError                  what happened, where, a hint, a stable code and an exit code
    ├── UsageError                  the command line asks for something that is not there
    ├── InternalError               a mistake of ours: the one error that deserves a traceback
    ├── WorkflowInvalid             a workflow file has errors; carries all of its diagnostics
    ├── PluginError                 a plugin can't be found or loaded
    ├── RunLocked                   another live process works on this run
    ├── LeftBehind                  resources of a cloud could not be removed
    ├── StorageError                journal, parts or artifacts can't be written or read
    │   ├── DiskFull                no space left; nothing that was booked is lost
    │   ├── JournalUnusable         the journal is damaged, or of a newer rallyflow
    │   └── JournalGone             somebody removed the journal of a run that is going on
    └── StepError                   a step could not be done; its class decides whether it is tried again
        ├── TransientError          may well succeed when tried again
        │   ├── CloudUnreachable    the cloud does not answer
        │   ├── ServerUnreachable   a server does not answer by ssh
        │   ├── ServerLost          the connection to a server ended while something was under way
        │   ├── ImageNotBuilt       an image of containers can't be built
        │   ├── WorkerDied          the process of an attempt went away
        │   └── WorkerSilent        the process of an attempt gives no sign of life
        ├── NotProbed               nobody can tell whether what was made before is still there
        ├── PermanentError          will not succeed by trying again
        │   ├── CloudRefused        the cloud refuses who we are (401, 403)
        │   ├── CloudAnswered       the cloud answers with an error
        │   ├── NotFound            something that the step needs is not in the cloud
        │   ├── HostKeyMismatch     a server shows another host key than the one that is known
        │   ├── HostKeyUnknown      nobody has said which host key a server has
        │   ├── LoginRefused        a server does not let us in
        │   ├── SudoRefused         a server does not let us become root
        │   ├── CommandFailed       a command on a server ended with an exit code that is not allowed
        │   ├── TransferFailed      a file can't be read or written on a server
        │   ├── HostUnfit           a host lacks what containers need
        │   ├── ImageUnknown        there is no image of this name
        │   ├── ImageInUse          an image can't be removed or replaced: something stands on it
        │   ├── NetworkTaken        the addresses of a network belong to something else already
        │   ├── ContainerFailed     a container, or what it needs, can't be made, started or removed
        │   ├── ServiceFailed       a service of a cloud that is deployed can't be brought up
        │   ├── ServerTaken         a server that is to be deployed on holds another deployment
        │   ├── CloudIncomplete     a cloud that was deployed has services that are not up
        │   ├── AgentFailed         the program that deploys a server can't do its work there
        │   ├── VerifierUnbuilt     the packages of a verifier can't be installed
        │   ├── NoTests             a verification has no test to run
        │   ├── VerifierBroke       a verifier ended without results
        │   ├── ResultsUnreadable   a file is not the subunit or JUnit that it should be
        │   └── TestListUnreadable  a list of tests can't be read, or names none
        ├── TimedOut                the attempt took longer than its timeout
        │   └── CommandTimedOut     a command on a server took longer than its timeout
        ├── InFlight                was cut off in the middle, and a person has to say whether it may run again
        └── InputsInvalid           values that arrived at run time do not fit the step
            └── LayoutInvalid       the servers can't play the roles that a cloud needs

`rallyflow explain CODE` and docs/reference/errors.md are generated from these docstrings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    USAGE = 1
    CHANGES = 2
    INVALID = 3
    ERRORED = 4
    FAILED = 5
    INCONCLUSIVE = 6
    PAUSED = 7
    LOCKED = 8
    LEFT_BEHIND = 9
    INTERRUPTED = 130


class ErrorClass(StrEnum):
    """What kind of trouble an error is; `retry.on` of a step names these."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    TIMEOUT = "timeout"
    USER = "user"
    BUG = "bug"
    STORAGE = "storage"


class RallyflowError(Exception):
    """The root of the tree. `str()` gives what happened; code, where and hint are attributes."""

    code: ClassVar[str] = "RF0001"
    exit_code: ClassVar[Exit] = Exit.USAGE
    kind: ClassVar[ErrorClass] = ErrorClass.BUG

    def __init__(self, what: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.where = where


class UsageError(RallyflowError):
    """The command line names a run, a step, a file or an option that does not exist."""

    code = "RF0101"
    kind = ErrorClass.USER


class InternalError(RallyflowError):
    """A mistake in rallyflow itself; the log of the attempt holds the traceback. Please report it."""

    code = "RF0002"


FILE_CODES = {
    "RF0201": "The file is too large, or not UTF-8 text.",
    "RF0202": "Not valid YAML: the hint names the usual cause at this place.",
    "RF0203": "A key stands twice in one mapping; YAML readers silently keep the last one.",
    "RF0204": "A value that YAML 1.1 readers take for something else: yes, no, on, off, 1:30, 010.",
    "RF0206": "Nested too deep, or too many values through aliases.",
    "RF0210": "An unknown key: never ignored, since it is mostly a misspelt one.",
    "RF0211": "A key is missing.",
    "RF0212": "A value has the wrong type or is out of bounds.",
    "RF0213": "A value that the step type itself refuses, such as an unknown scenario or check.",
    "RF0214": "`uses:` names no step type that is installed.",
    "RF0220": "A step that is referred to does not exist.",
    "RF0221": "Steps wait for each other in a circle.",
    "RF0223": "A step has no such output, or the output has no such field.",
    "RF0224": "An output of one type stands where another type is wanted.",
    "RF0230": "A matrix that can't be expanded.",
    "RF0231": "A matrix with too many cells.",
    "RF0240": "An expression that can't be read, or has no value.",
    "RF0241": "An expression uses a name or function that there is not.",
    "RF0242": "A param that is referred to does not exist.",
    "RF0243": "A matrix axis that is referred to does not exist, or where() does not select one cell.",
    "RF0244": "A secret that is referred to is not declared.",
    "RF0245": "Something that is known only later is used where it is needed at once.",
    "RF0250": "A catalog can't be found on this machine, or `uses:` names none as CATALOG/WORKFLOW@VERSION.",
    "RF0251": "A catalog has no such workflow.",
    "RF0252": "A catalog has another version than the one that `uses:` asks for.",
    "RF0253": "The content of a catalog has changed since catalog.lock pinned it.",
    "RF0254": "A catalog needs a package, a plugin or a version of rallyflow that is not installed.",
    "RF0255": "A catalog's own files are not in order, or lead out of its folder.",
    "RF0260": "A workflow that is used as a step can't be found or read.",
    "RF0261": "A workflow uses itself, directly or by others, or too many inside each other.",
    "RF0262": "A key that has no meaning for a step that is a workflow.",
    "RF0263": "A limit that is not declared, or that never has as many units as a step takes.",
    "RF0301": "A param is declared wrongly.",
    "RF0302": "A param was given that the workflow does not have.",
    "RF0303": "A param has no value.",
    "RF0304": "A param's value does not fit its declaration.",
}
"""What the codes of diagnostics in a workflow file mean."""

ADVICE_CODES = {
    "RF0901": "Something is declared that nothing uses.",
    "RF0902": "A step whose outputs nothing uses, and that is good for nothing else.",
    "RF0903": "A step that waits for machines or clouds has no timeout.",
    "RF0904": "A step is tried again that may not be safe to repeat.",
    "RF0905": "A matrix with a great many cells.",
    "RF0906": "A report that is skipped when what it reports has failed.",
    "RF0907": "A benchmark without criteria.",
    "RF0908": "What the run makes is never removed.",
    "RF0909": "A workflow of a catalog that is not pinned.",
    "RF0910": "A text that looks like an expression, but is none.",
    "RF0911": "A report of the whole run that does not wait for one of its measurements.",
}
"""What `rallyflow lint` advises about."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error in a workflow file. Lines and columns count from 1; 0 means the whole file."""

    code: str
    what: str
    file: str
    line: int = 0
    column: int = 0
    hint: str = ""
    excerpt: str = ""
    used_at: str = ""  # for a file that another one uses: where it does, as file:line:column

    @property
    def where(self) -> str:
        """`file:line:column`, as editors and terminals make it clickable."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class WorkflowInvalid(RallyflowError):
    """A workflow file can't be compiled; every error of the file is in `diagnostics`, in file order."""

    code = "RF0200"
    exit_code = Exit.INVALID
    kind = ErrorClass.USER

    def __init__(self, diagnostics: Sequence[Diagnostic], *, more: bool = False) -> None:
        """`more` says that there may be others that have not been looked for."""
        count = len(diagnostics)
        super().__init__(f"{count}{' or more' * more} error{'s' if count != 1 else ''} in the workflow")
        self.diagnostics = tuple(diagnostics)


class PluginError(RallyflowError):
    """A plugin that a workflow or a command names can't be found, or fails to load."""

    code = "RF0102"
    kind = ErrorClass.USER


class RunLocked(RallyflowError):
    """Another process that is still alive works on this run."""

    code = "RF0401"
    exit_code = Exit.LOCKED
    kind = ErrorClass.USER


class LeftBehind(RallyflowError):
    """Some resources could not be removed; they stay in the ledger and `rallyflow destroy` tries again."""

    code = "RF0402"
    exit_code = Exit.LEFT_BEHIND
    kind = ErrorClass.PERMANENT


class StorageError(RallyflowError):
    """The journal, a results part or an artifact can't be written or read."""

    code = "RF0501"
    exit_code = Exit.ERRORED
    kind = ErrorClass.STORAGE


class DiskFull(StorageError):
    """No space is left where the run is kept. What was booked is kept; free space, then `rallyflow resume`."""

    code = "RF0502"


class JournalUnusable(StorageError):
    """The journal is damaged, or was written by a newer rallyflow."""

    code = "RF0503"


class JournalGone(StorageError):
    """The journal was removed or replaced while a run went on. The run ends at once, and what it made is removed."""

    code = "RF0504"


class StepError(RallyflowError):
    """A step could not be done."""

    code = "RF0600"
    exit_code = Exit.ERRORED
    kind = ErrorClass.PERMANENT


class TransientError(StepError):
    """Something passing went wrong; the step's retry policy decides how often it is tried again."""

    code = "RF0601"
    kind = ErrorClass.TRANSIENT


class CloudUnreachable(TransientError):
    """The cloud's API does not answer: refused connection, no route, no reply in time."""

    code = "RF0602"


class WorkerDied(TransientError):
    """The worker process of an attempt ended without an outcome: killed, out of memory, or a crash in a library."""

    code = "RF0603"


class WorkerSilent(TransientError):
    """The worker process of an attempt gave no sign of life for too long, and was killed: stopped, or hanging."""

    code = "RF0604"


class NotProbed(StepError):
    """What an earlier session made could not be looked at, so the run can't go on with it; nothing was removed."""

    code = "RF0605"


class PermanentError(StepError):
    """Trying again would fail in the same way."""

    code = "RF0610"


class CloudRefused(PermanentError):
    """The cloud refuses who we are: wrong user, password, project or role (HTTP 401 or 403)."""

    code = "RF0611"


class CloudAnswered(PermanentError):
    """The cloud answers a request with an error, or a resource of it went into an error state."""

    code = "RF0612"


class NotFound(PermanentError):
    """An image, flavor, network, scenario or other thing that the step names is not there."""

    code = "RF0613"


class TimedOut(StepError):
    """The attempt took longer than `timeout`; its processes were stopped."""

    code = "RF0620"
    kind = ErrorClass.TIMEOUT


class InputsInvalid(StepError):
    """Values known only at run time do not fit the step's inputs."""

    code = "RF0630"
    kind = ErrorClass.USER


class InFlight(StepError):
    """The engine died while an attempt was in flight, and its step says that it may not simply be repeated.

    Whether it had done its work nobody knows. `rallyflow approve` lets it run again; `--reject` leaves it failed.
    """

    code = "RF0640"
    kind = ErrorClass.USER


class ServerUnreachable(TransientError):
    """A server does not answer by ssh: no address, refused, no route, no reply in time, or no ssh behind the port."""

    code = "RF0650"


class ServerLost(TransientError):
    """The connection to a server ended, or went silent, while a command ran or a file was under way."""

    code = "RF0651"


class HostKeyMismatch(PermanentError):
    """A server shows another host key than the one that is known: another machine, or somebody in between."""

    code = "RF0652"


class HostKeyUnknown(PermanentError):
    """Nobody has said which host key a server has, and one that is merely shown is never taken on trust."""

    code = "RF0653"


class LoginRefused(PermanentError):
    """A server does not let us in: wrong user, key or password, or a key that can't be used."""

    code = "RF0654"


class SudoRefused(PermanentError):
    """A server does not let us become root: no sudo, no rule for the user, or a wrong password."""

    code = "RF0655"


class CommandFailed(PermanentError):
    """A command on a server ended with an exit code that is not allowed, or could not be started."""

    code = "RF0656"


class CommandTimedOut(TimedOut):
    """A command on a server took longer than its timeout; it was ended there, with all that it had started."""

    code = "RF0657"


class TransferFailed(PermanentError):
    """A file can't be read or written, on the server or here."""

    code = "RF0658"


class HostUnfit(PermanentError):
    """A host lacks what containers need: rights, programs, something in its kernel, memory or disk."""

    code = "RF0660"


class ImageNotBuilt(TransientError):
    """The image that containers are cloned from can't be built: debootstrap, apt or a seed command has failed."""

    code = "RF0661"


class ImageUnknown(PermanentError):
    """There is no image of this name on the machine, or a layer of an image is missing."""

    code = "RF0662"
    exit_code = Exit.USAGE  # of a verb; a step that it happens to has errored like any other


class ImageInUse(PermanentError):
    """An image can't be removed or replaced: containers or other images stand on it, or the name is taken."""

    code = "RF0663"
    exit_code = Exit.USAGE  # of a verb; a step that it happens to has errored like any other


class NetworkTaken(PermanentError):
    """The addresses that containers were to get belong to something else: an interface, a route, another run."""

    code = "RF0664"


class ContainerFailed(PermanentError):
    """A container, its network or its files can't be made, started or removed on a host."""

    code = "RF0665"


class LayoutInvalid(InputsInvalid):
    """The servers of a step can't play the roles that a cloud needs."""

    code = "RF0670"


class ServiceFailed(PermanentError):
    """A service of a cloud that is deployed does not start, does not answer, or can't be prepared."""

    code = "RF0671"


class ServerTaken(PermanentError):
    """A server that is to be deployed on holds another deployment."""

    code = "RF0672"


class AgentFailed(PermanentError):
    """The program that deploys a server can't do its work there."""

    code = "RF0673"


class CloudIncomplete(PermanentError):
    """A cloud that was deployed answers, but some of its services do not report that they are up."""

    code = "RF0674"


class PackagesMissing(PermanentError):
    """A server lacks Debian packages that a cloud needs, and can't install them."""

    code = "RF0675"


class ServerUnfit(PermanentError):
    """A server can't do what a driver needs: its kernel lacks something, or a volume group is not there."""

    code = "RF0676"


class VerifierUnbuilt(PermanentError):
    """The packages of a verifier can't be installed into its own environment: pip failed, or Python can't make one."""

    code = "RF0680"


class NoTests(PermanentError):
    """A verification has no test to run: nothing matches its patterns and lists."""

    code = "RF0681"


class VerifierBroke(PermanentError):
    """A verifier ended before its first result, or can't list its tests."""

    code = "RF0682"


class ResultsUnreadable(PermanentError):
    """A file of results is not the subunit or JUnit that it should be: cut off, too large, or something else."""

    code = "RF0683"


class TestListUnreadable(PermanentError):
    """A list of tests to load, skip or expect failures of can't be read, or is not what such a list is."""

    code = "RF0684"
    __test__ = False  # pytest takes what begins with Test for tests
