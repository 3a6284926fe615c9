"""`rallyflow completion SHELL`, and the answer to a shell that asks for completions."""

from __future__ import annotations

import os
import sys
from typing import ClassVar

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from rallyflow.errors import Exit

PROGRAM = "rallyflow"
VARIABLE = "_RALLYFLOW_COMPLETE"
"""Set by the shell's function when it asks for completions."""

SHELLS = {
    "bash": """\
# Completion of rallyflow for bash (4.4 or newer). To have it in every new shell, one of:
#   rallyflow completion bash > ~/.local/share/bash-completion/completions/rallyflow
#   echo 'eval "$(rallyflow completion bash)"' >> ~/.bashrc
""",
    "zsh": """\
#compdef rallyflow
# Completion of rallyflow for zsh. To have it in every new shell, one of:
#   rallyflow completion zsh > "${fpath[1]}/_rallyflow"      (a folder of fpath, before compinit)
#   echo 'eval "$(rallyflow completion zsh)"' >> ~/.zshrc    (after compinit)
""",
    "fish": """\
# Completion of rallyflow for fish. To have it in every new shell:
#   rallyflow completion fish > ~/.config/fish/completions/rallyflow.fish
""",
}
"""The shells, each with the beginning of its script: how to install it."""

_BREAKS = "=@:"
"""Characters at which bash breaks a word in two, of those that our words have."""


@click.command("completion", short_help="print a script that completes commands in a shell")
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> Exit:
    """Print the script that makes a shell complete verbs, options, run and step ids, params and more.

    \b
    eval "$(rallyflow completion bash)"       in this shell; how to keep it stands in the script
    """  # noqa: D301 - \b is click's mark
    sys.stdout.write(SHELLS[shell] + _completer(shell).source().replace("#compdef rallyflow\n", "", 1))
    return Exit.OK


def answer() -> int:
    """Print the completions that a shell asks for; nothing, and never a traceback, where that is not possible."""
    shell, _, instruction = os.environ[VARIABLE].partition("_")
    if shell not in SHELLS or instruction != "complete":
        return Exit.USAGE
    try:
        found = _completer(shell).complete()
    except Exception:  # noqa: BLE001 - in the middle of a command line, silence is the only good answer
        return Exit.USAGE
    sys.stdout.write(f"{found}\n" if found else "")
    return Exit.OK


class Bash(BashComplete):
    """Bash breaks words at `=` and `@`, and puts a space after each completion: this class and its script mend both."""

    name: ClassVar[str] = "bash"
    source_template: ClassVar[str] = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value
    response=$(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def source(self) -> str:
        """Return the script, without asking for the version of a bash that need not be the user's."""
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, put together where bash broke them, and the one that is typed."""
        pieces = os.environ["COMP_WORDS"].split("\n")
        typed = pieces[: int(os.environ["COMP_CWORD"]) + 1]
        words = _joined(typed)
        self.incomplete = words[-1].partition("=")[2] if words[-1].startswith("--") else words[-1]
        return [_unquoted(word) for word in words[1:-1]], _unquoted(words[-1])

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return an item without what stands before the last break: bash keeps that by itself."""
        kept = max(self.incomplete.rfind(mark) for mark in _BREAKS) + 1
        begun = item.value.startswith(self.incomplete[:kept])
        value = item.value[kept:] if begun else item.value
        return f"{'open' if item.open else item.type},{value}"


def _completer(shell: str) -> ShellComplete:
    from rallyflow.cli.main import cli

    add_completion_class(Bash)
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has every shell of SHELLS
    return found(cli, {}, PROGRAM, VARIABLE)


def _joined(pieces: list[str]) -> list[str]:
    """Return bash's words as they were typed: it breaks `users=1` into three, `@latest` into two."""
    words = [pieces[0]]
    glued = False
    for piece in pieces[1:]:
        marks = bool(piece) and all(c in _BREAKS for c in piece)
        starts = piece.startswith("@") and not glued
        if glued or (marks and not starts and len(words) > 1):
            words[-1] += piece
        else:
            words.append(piece)
        glued = marks
    return words


def _unquoted(word: str) -> str:
    parts = split_arg_string(word)
    return parts[0] if parts else ""
