"""The entry point: answers `--version` at once, and loads the command line for anything else."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with the arguments of this process."""
    if sys.argv[1:] == ["--version"]:
        from rallyflow import __version__

        sys.stdout.write(f"rallyflow {__version__}\n")
        return
    from rallyflow.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
