"""`rallyflow catalog list | show | add | update | verify`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rallyflow.cli.options import json_option
from rallyflow.cli.output import colour, error_json, print_json, print_table, say, show_error
from rallyflow.errors import Exit

if TYPE_CHECKING:
    from rallyflow.catalogs.models import Pin
    from rallyflow.catalogs.shelf import Opened, Shelf
    from rallyflow.catalogs.upkeep import Change

F = TypeVar("F", bound=Callable[..., Any])


def _dir_option(function: F) -> F:
    return click.option(
        "--dir",
        "folder",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="The folder of catalog.lock  [default: the working directory, or the nearest above it that has one]",
    )(function)


class _Verbs(click.Group):
    """Shows all mistakes in the file of a catalog, where a workflow that uses it would show the first."""

    def invoke(self, context: click.Context) -> Any:
        """Run the verb."""
        from rallyflow.catalogs import CatalogProblem
        from rallyflow.errors import WorkflowInvalid

        try:
            return super().invoke(context)
        except CatalogProblem as problem:
            if isinstance(problem.__cause__, WorkflowInvalid):
                raise problem.__cause__ from None
            raise


@click.group("catalog", cls=_Verbs, short_help="use workflows of others by name and version")
def command() -> None:
    """Use workflows of others by name and version: `uses: CATALOG/WORKFLOW@VERSION`.

    A catalog is a folder with a catalog.yaml. Those of installed packages are there without more; folders and git
    repositories are pinned in catalog.lock, by their content.
    """


@command.command("list", short_help="list the catalogs that workflows here can use")
@_dir_option
@json_option
def list_command(folder: Path | None, as_json: bool) -> Exit:
    """List the catalogs that workflows here can use: the pinned ones, and those of installed packages."""
    from rallyflow.catalogs import CatalogProblem

    shelf = _shelf(folder)
    rows = []
    for name in shelf.names():
        try:
            rows.append(_described(shelf.look(name)))
        except CatalogProblem as problem:
            rows.append({"name": name, "pinned": name in shelf.pins, "problem": error_json(problem)})
    if as_json:
        print_json(rows)
        return Exit.OK
    table = [
        (row["name"], row.get("version"), "yes" if row["pinned"] else "no", row.get("source"), _summary(row))
        for row in rows
    ]
    print_table(("catalog", "version", "pinned", "source", "what"), table)
    return Exit.OK


@command.command("show", short_help="show the workflows of a catalog with their params")
@click.argument("name", metavar="NAME[/WORKFLOW]")
@_dir_option
@json_option
def show_command(name: str, folder: Path | None, as_json: bool) -> Exit:
    """Show the workflows of a catalog, or one of them, with params and outputs."""
    from rallyflow.catalogs.contents import workflow_of

    catalog_name, slash, wanted = name.partition("@")[0].partition("/")
    opened = _shelf(folder).look(catalog_name)
    names = [wanted] if slash else list(opened.catalog.workflows)
    workflows = [workflow_of(opened, each) for each in names]
    if as_json:
        print_json({**_described(opened), "folder": str(opened.folder), "workflows": workflows})
        return Exit.OK
    print(f"{colour(opened.name, 'bold')} {opened.catalog.version}  ({opened.source})")
    if opened.catalog.description:
        print(opened.catalog.description)
    for workflow in workflows:
        _show_workflow(workflow)
    return Exit.OK


@command.command("add", short_help="pin a catalog, so that workflows here can use it")
@click.argument("source")
@click.option("--name", help="What workflows are to call it  [default: what its catalog.yaml says]")
@_dir_option
def add_command(source: str, name: str | None, folder: Path | None) -> Exit:
    """Pin a catalog in catalog.lock, so that workflows in its folder and below it can use it.

    \b
    SOURCE is one of
      ./folder                              a folder
      package:NAME                          an installed package
      git+https://HOST/REPO[@REF][#FOLDER]  a git repository (also git+ssh, git+file)
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from rallyflow.catalogs.upkeep import add
    from rallyflow.catalogs.versions import shortest

    path = _lock_path(folder)
    name, pin = add(source, path, _checked(name))
    say(f"{name} {_named(pin)} is pinned in {path}")
    uses = f"{name}/WORKFLOW@{shortest(pin.version)}"
    say(f"use it as `uses: {uses}`; `rallyflow catalog show {name}` lists its workflows")
    return Exit.OK


@command.command("update", short_help="pin what the sources of catalogs have now")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_dir_option
def update_command(names: tuple[str, ...], folder: Path | None) -> Exit:
    """Pin what the sources of catalogs have now; all of them, when none is named."""
    from rallyflow.catalogs.upkeep import update

    changes = update(_existing(folder), names)
    for change in changes:
        print(f"{change.name}: {_moved(change)}")
    return Exit.OK


@command.command("fetch", short_help="bring what is pinned to this machine, and change nothing")
@click.argument("names", nargs=-1)
@_dir_option
def fetch_command(names: tuple[str, ...], folder: Path | None) -> Exit:
    """Bring the pinned commits of git repositories to this machine, as after a fresh clone. The lock stays as it is."""
    from rallyflow.catalogs.locking import read_lock
    from rallyflow.catalogs.upkeep import fetch

    fetched = fetch(read_lock(_existing(folder)), names)
    say(f"fetched {', '.join(fetched)}" if fetched else "all that is pinned is here")
    return Exit.OK


@command.command("verify", short_help="compare catalogs with what was pinned")
@_dir_option
@json_option
def verify_command(folder: Path | None, as_json: bool) -> Exit:
    """Compare all pinned catalogs with what was pinned, and what they need with what is installed."""
    from rallyflow.catalogs.locking import read_lock
    from rallyflow.catalogs.upkeep import verify

    checks = list(verify(read_lock(_existing(folder))))
    wrong = [check.problem for check in checks if check.problem is not None]
    if as_json:
        rows = [
            {"name": check.name, "source": check.source, "problem": check.problem and error_json(check.problem)}
            for check in checks
        ]
        print_json({"ok": not wrong, "catalogs": rows})
    else:
        print_table(
            ("catalog", "source", "state"), [(c.name, c.source, c.problem.code if c.problem else "ok") for c in checks]
        )
        for problem in wrong:
            show_error(problem)
    return Exit.INVALID if wrong else Exit.OK


def _shelf(folder: Path | None) -> Shelf:
    from rallyflow.catalogs.locking import find_lock, read_lock
    from rallyflow.catalogs.models import LOCK_FILE
    from rallyflow.catalogs.shelf import Shelf

    return Shelf(find_lock(Path.cwd()) if folder is None else read_lock(folder / LOCK_FILE))


def _lock_path(folder: Path | None) -> Path:
    """Return where the lock is, or where a new one belongs."""
    from rallyflow.catalogs.locking import find_lock
    from rallyflow.catalogs.models import LOCK_FILE

    if folder is not None:
        return folder.absolute() / LOCK_FILE
    found = find_lock(Path.cwd())
    return found.path if found else Path.cwd() / LOCK_FILE


def _existing(folder: Path | None) -> Path:
    from rallyflow.errors import UsageError

    path = _lock_path(folder)
    if not path.exists():
        raise UsageError(f"nothing is pinned: there is no {path}", hint="`rallyflow catalog add SOURCE` pins a catalog")
    return path


def _checked(name: str | None) -> str | None:
    import re

    from rallyflow.catalogs.models import NAME
    from rallyflow.errors import UsageError

    if name is not None and not re.fullmatch(NAME, name):
        raise UsageError(f"{name!r} is not a name for a catalog", hint="use letters, digits, '_' and '-'")
    return name


def _described(opened: Opened) -> dict[str, Any]:
    return {
        "name": opened.name,
        "version": opened.catalog.version,
        "source": opened.source,
        "pinned": opened.pinned,
        "description": opened.catalog.description,
        "commit": opened.commit,
        "sha256": opened.sha256,
        "workflows": list(opened.catalog.workflows),
    }


def _summary(row: dict[str, Any]) -> str:
    if "problem" in row:
        return f"{row['problem']['code']}: {row['problem']['what']}"
    count = len(row["workflows"])
    return f"{count} workflow{'s' * (count != 1)}: {', '.join(row['workflows'])}"


def _show_workflow(workflow: dict[str, Any]) -> None:
    print(f"\n{colour(workflow['uses'], 'bold')}")
    if workflow["description"]:
        print(f"  {workflow['description']}")
    for param in workflow["params"]:
        default = "required" if param["required"] else f"default {param['default']}"
        print(f"  param   {param['name']}: {param['type']} ({default})  {param['description']}".rstrip())
    for name in workflow["secrets"]:
        print(f"  secret  {name}")
    for name, source in workflow["outputs"].items():
        print(f"  output  {name} = {source}")


def _named(pin: Pin) -> str:
    return f"{pin.version} ({pin.source}{', commit ' + pin.commit[:10] if pin.commit else ''})"


def _moved(change: Change) -> str:
    if not change.changed:
        return f"{change.before.version}, as it was"
    before, after = change.before, change.after
    pairs = (
        ("", before.version, after.version),
        ("commit ", before.commit[:10], after.commit[:10]),
        ("sha256 ", before.sha256[:10], after.sha256[:10]),
    )
    return ", ".join(f"{what}{old or '-'} -> {new or '-'}" for what, old, new in pairs if old != new)
