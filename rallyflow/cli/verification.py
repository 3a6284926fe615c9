"""`rallyflow verification list | show | report | compare | rerun | tests | import`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader, workers_option
from rallyflow.cli.output import colour, print_json, print_table, printable, say
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home
from rallyflow.units import format_duration

if TYPE_CHECKING:
    from rallyflow.journal.reader import JournalReader
    from rallyflow.report.verifications import Loaded
    from rallyflow.results.queries import Test
    from rallyflow.results.verifications import Compared, Comparison

F = TypeVar("F", bound=Callable[..., Any])
_SLOWEST = 5
_MOST_SHOWN = 50


@click.group("verification", short_help="show, compare, report, repeat and import verifications")
def command() -> None:
    """Show, compare, report, repeat and import verifications.

    A verification is named as RUN:STEP, or as RUN where a run has only one; RUN is an id, a part of one, or @latest.
    """


def _formats(function: F) -> F:
    html = click.option("--html", type=click.Path(path_type=Path), help="Write a page, with everything in it")
    data = click.option("--to-json", type=click.Path(path_type=Path), help="Write JSON")
    return html(data(function))


_place = click.argument("place", default="@latest", metavar="[RUN[:STEP]]", shell_complete=completing("runs"))


@command.command("list", short_help="list the verifications of all runs")
@home_option
@json_option
def list_command(home: str | None, as_json: bool) -> Exit:
    """List the verifications of all runs, the newest last."""
    from rallyflow.report.verifications import STATES, of_run

    reader = open_reader(Home.find(home))
    found = [each for run in reader.runs() for each in of_run(reader, run)]
    if as_json:
        print_json([_described(each) for each in found])
        return Exit.OK
    columns = ("run", "step", "uses", "state", *STATES, "took")
    print_table(columns, [_listed(each, STATES) for each in found])
    return Exit.OK


def _listed(each: Loaded, states: Sequence[str]) -> tuple[Any, ...]:
    counts = (each.counts[state] for state in states)
    return (each.run.id, each.step.id, each.step.uses, str(each.step.state), *counts, format_duration(each.seconds))


@command.command("show", short_help="show a verification: counts, failures, what was slowest")
@_place
@click.option("--detailed", is_flag=True, help="With the tracebacks of what failed")
@click.option("--all", "everything", is_flag=True, help="All tests, not only those that did not simply pass")
@click.option("--sort-by", type=click.Choice(["name", "duration", "state"]), default="state", show_default=True)
@home_option
@json_option
def show_command(place: str, detailed: bool, everything: bool, sort_by: str, home: str | None, as_json: bool) -> Exit:
    """Show a verification: how many tests ended how, which failed and why, and which took longest."""
    reader = open_reader(Home.find(home))
    for each in _loaded(reader, [place]):
        if as_json:
            print_json({**_described(each), "tests": [_test_json(test) for test in each.tests]})
        else:
            _show(each, detailed=detailed, everything=everything, sort_by=sort_by)
    return Exit.OK


def _show(each: Loaded, *, detailed: bool, everything: bool, sort_by: str) -> None:
    print(f"verification  {each.place}  ({each.step.uses}, {each.step.state})")
    for name, version in each.versions.items():
        print(f"with          {name} {version}")
    print(f"tests         {_counted(each)}")
    if each.step.reason:
        print(f"outcome       {printable(each.step.reason)}")
    shown = (
        list(each.tests) if everything else [test for test in each.tests if test.state != "passed" or test.attempts > 1]
    )
    if sort_by != "state":
        shown.sort(key=lambda test: test.name if sort_by == "name" else -test.seconds)
    if shown:
        print()
        limit = len(shown) if everything else _MOST_SHOWN
        rows = [(test.name, test.state, test.attempts, format_duration(test.seconds), test.message) for test in shown]
        print_table(("test", "state", "runs", "took", "why"), rows[:limit])
        if len(rows) > limit:
            say(f"{len(rows) - limit} more are not shown; --all shows them, and --json")
    if detailed:
        _show_details(each)
    slowest = sorted(each.tests, key=lambda test: -test.seconds)[:_SLOWEST]
    if slowest:
        print()
        print_table(("slowest", "took"), [(test.name, format_duration(test.seconds)) for test in slowest])


def _show_details(each: Loaded) -> None:
    for test in each.tests:
        if test.detail and test.state in ("failed", "errored"):
            print(f"\n{colour(printable(test.name), 'bold')}")
            for line in test.detail.rstrip().expandtabs().splitlines():
                print(printable(line))


@command.command("report", short_help="write verifications as HTML, JSON or JUnit")
@click.argument("places", nargs=-1, metavar="[RUN[:STEP]]...", shell_complete=completing("runs"))
@_formats
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit")
@home_option
def report_command(
    places: tuple[str, ...], html: Path | None, to_json: Path | None, junit: Path | None, home: str | None
) -> Exit:
    """Write verifications, any number of them in one, as a page, as JSON or as JUnit.

    \b
    rallyflow verification report --html tempest.html                      of the last run
    rallyflow verification report 20261126-02 20261127-02 --html both.html a column for each
    """  # noqa: D301 - \b is click's mark
    from rallyflow.report.files import write_text

    if not (html or to_json or junit):
        raise UsageError("nothing to write", hint="give --html FILE, --to-json FILE or --junit FILE")
    found = _loaded(open_reader(Home.find(home)), places or ["@latest"])
    _write(found, None, html, to_json)
    if junit is not None:
        write_text(junit.absolute(), _junit(found))
        print(junit.absolute())
    return Exit.OK


@command.command("compare", short_help="compare verifications test by test")
@click.argument(
    "places", nargs=-1, required=True, metavar="RUN[:STEP] RUN[:STEP]...", shell_complete=completing("runs")
)
@click.option(
    "--threshold",
    default=50.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="PERCENT",
    help="Of a change in time",
)
@click.option(
    "--min-difference",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Of a change in time",
)
@click.option(
    "--max-new-failures", default=0, show_default=True, type=click.IntRange(0), help="How many are no regression"
)
@click.option("--max-slower", type=click.IntRange(0), help="How many slower tests are no regression  [default: any]")
@click.option("--max-gone", type=click.IntRange(0), help="How many missing tests are no regression  [default: any]")
@_formats
@home_option
@json_option
def compare_command(  # noqa: PLR0913, PLR0917 - one argument for each option
    places: tuple[str, ...],
    threshold: float,
    min_difference: float,
    max_new_failures: int,
    max_slower: int | None,
    max_gone: int | None,
    html: Path | None,
    to_json: Path | None,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Compare verifications: what the last of them has become against the first. Exit code 5 on a regression.

    \b
    rallyflow verification compare RUN1 RUN2
    rallyflow verification compare RUN1 RUN2 RUN3 --threshold 30 --html compared.html
    """  # noqa: D301 - \b is click's mark
    from rallyflow.results.verifications import Tolerance, compare

    found = _loaded(open_reader(Home.find(home)), places)
    if len(found) < 2:
        raise UsageError("one verification can't be compared", hint="name two or more, as RUN or RUN:STEP")
    tolerance = Tolerance(threshold, min_difference, max_new_failures, max_slower, max_gone)
    compared = compare([each.tests for each in found], tolerance)
    _write(found, compared, html, to_json)
    if as_json:
        print_json(_comparison_json(found, compared))
    else:
        _show_comparison(found, compared)
    return Exit.FAILED if compared.regressed else Exit.OK


def _show_comparison(found: Sequence[Loaded], compared: Comparison) -> None:
    for number, each in enumerate(found, 1):
        print(f"{number}  {each.place}  {_counted(each)}")
    shown = [test for test in compared.tests if test.change != "same"]
    if shown:
        print()
        columns = ("test", "verdict", *(str(number) for number in range(1, len(found) + 1)), "why")
        print_table(columns, [_compared_row(test) for test in shown[:_MOST_SHOWN]])
    if len(shown) > _MOST_SHOWN:
        say(f"{len(shown) - _MOST_SHOWN} more are not shown, but are with --json and --html")
    say(colour(compared.sentence, "red" if compared.regressed else "green"))


def _compared_row(test: Compared) -> tuple[Any, ...]:
    cells = (f"{seen.state} {format_duration(seen.seconds)}" if seen else "-" for seen in test.seen)
    last = test.seen[-1]
    return (test.name, str(test.change), *cells, (last.message if last else "") or "-")


@command.command("rerun", short_help="repeat a verification, or what failed of it, in a new run")
@click.argument("run", default="@latest", shell_complete=completing("runs"))
@click.option("--failed", is_flag=True, help="Only the tests that failed")
@workers_option
@home_option
@json_option
def rerun_command(run: str, failed: bool, parallel: int, home: str | None, as_json: bool) -> Exit:
    """Repeat the verification of a run in a new run: all of its tests, or only those that failed.

    The cloud, the versions, the lists of tests to skip and to expect failures of, and all else is as it was.
    """
    from rallyflow.cli.repeating import repeat

    return repeat(Home.find(home), run, failed=failed, parallel=parallel, as_json=as_json)


@command.command("tests", short_help="list the tests that a version of Tempest has")
@click.option(
    "--pattern", "patterns", multiple=True, metavar="PATTERN", help="`set=smoke`, ... or a regular expression"
)
@click.option("--version", "tempest", metavar="VERSION", help="Of Tempest  [default: that of verify/tempest]")
@click.option(
    "--plugin", "plugins", multiple=True, metavar="PACKAGE", help="A package with more tests; may be repeated"
)
@json_option
def tests_command(patterns: tuple[str, ...], tempest: str | None, plugins: tuple[str, ...], as_json: bool) -> Exit:
    """List the tests that a version of Tempest has, with its plugins, or those that patterns choose.

    The version is installed when it is not there yet. What is printed can be a `load_list`.
    """
    from rallyflow.verifiers.tempest.listing import list_tests

    found = list_tests(tempest, plugins, patterns)
    if as_json:
        print_json([{"name": test.name, "tags": list(test.tags)} for test in found])
    else:
        for test in found:
            print(test.identity)
    return Exit.OK


@command.command("import", short_help="take the results of a verification that something else ran")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["auto", "subunit", "subunit-v1", "junit"]),
    default="auto",
    show_default=True,
    help="What it is",
)
@click.option("--name", default="", help="What the run is called  [default: imported]")
@click.option("--xfail", type=click.Path(path_type=Path), help="A YAML file: tests expected to fail, with reasons")
@home_option
@json_option
def import_command(file: Path, kind: str, name: str, xfail: Path | None, home: str | None, as_json: bool) -> Exit:
    """Take a subunit stream or a JUnit file as a verification, in a run of its own.

    The exit code is that of the verification: 5 when tests failed in it.
    """
    from rallyflow.cli.repeating import bring_in

    return bring_in(Home.find(home), file, kind, name, xfail, as_json=as_json)


def _loaded(reader: JournalReader, places: Sequence[str]) -> list[Loaded]:
    """Return the verifications that are named, with their tests. Raises UsageError for what is none."""
    from rallyflow.report.verifications import chosen_of, load

    chosen: list[Loaded] = []
    for place in places:
        reference, _, step = place.partition(":")
        chosen += chosen_of(reader, reader.find(reference or "@latest"), step, place)
    return load(reader, chosen)


def _write(found: Sequence[Loaded], compared: Comparison | None, html: Path | None, to_json: Path | None) -> None:
    from rallyflow.report.files import write_text
    from rallyflow.report.verification_page import page
    from rallyflow.results.verifications import Tolerance, compare

    if html is None and to_json is None:
        return
    result = compared or compare([each.tests for each in found], Tolerance())
    if html is not None:
        write_text(html.absolute(), page(found, result, judge=compared is not None))
        print(html.absolute())
    if to_json is not None:
        import orjson

        data = _comparison_json(found, result)
        write_text(to_json.absolute(), orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
        print(to_json.absolute())


def _junit(found: Sequence[Loaded]) -> str:
    from rallyflow.verifiers.case import Case, CaseState
    from rallyflow.verifiers.junit import Suite, write_junit

    def case(test: Test) -> Case:
        return Case(
            test.name,
            CaseState(test.state),
            0,
            int(test.seconds * 1e9),
            test.message,
            test.detail,
            attempts=test.attempts,
        )

    return write_junit([Suite(each.place, [case(test) for test in each.tests]) for each in found])


def _counted(each: Loaded) -> str:
    from rallyflow.report.verifications import WORDS

    counted = [f"{count} {WORDS.get(state, state)}" for state, count in each.counts.items() if count]
    flaky = [f"{each.flaky} of them only when run again"] if each.flaky else []
    return ", ".join([*counted[:1], *flaky, *counted[1:]]) or "none"


def _described(each: Loaded) -> dict[str, Any]:
    return {
        "run": each.run.id,
        "step": each.step.id,
        "name": each.run.name,
        "uses": each.step.uses,
        "state": str(each.step.state),
        "reason": each.step.reason,
        "started_ns": each.step.started_ns,
        "seconds": each.seconds,
        "counts": each.counts,
        "flaky": each.flaky,
        "versions": each.versions,
    }


def _test_json(test: Test) -> dict[str, Any]:
    tags = test.tags.split(",") if test.tags else []
    return {
        "name": test.name,
        "state": test.state,
        "seconds": test.seconds,
        "message": test.message,
        "detail": test.detail,
        "attempts": test.attempts,
        "tags": tags,
    }


def _comparison_json(found: Sequence[Loaded], compared: Comparison) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "verifications": [_described(each) for each in found],
        "regressed": compared.regressed,
        "counts": {str(change): count for change, count in compared.counts.items()},
        "tests": [
            {
                "name": test.name,
                "verdict": str(test.change),
                "ratio": test.ratio,
                "by_verification": [asdict(seen) if seen else None for seen in test.seen],
            }
            for test in compared.tests
        ],
    }
