"""`rallyflow approve [RUN] [STEP]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import home_option, json_option, open_reader, pairs_of, run_argument
from rallyflow.cli.output import colour, print_json, printable, say
from rallyflow.errors import Exit
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.cli.asking import Question


@click.command("approve", short_help="answer what a paused run waits for")
@run_argument
@click.argument("step", default="")
@click.option("-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A value that is asked for")
@click.option("--reject", is_flag=True, help="Do not agree: the step has failed, what needs it is skipped")
@click.option("--list", "only_list", is_flag=True, help="Only show what the run waits for")
@home_option
@json_option
def command(
    run: str, step: str, pairs: tuple[str, ...], reject: bool, only_list: bool, home: str | None, as_json: bool
) -> Exit:
    """Answer a step that waits for a person: `uses: approve`, or one that failed with `on_failure: pause`.

    \b
    rallyflow approve                        agree, where the last run waits for one answer
    rallyflow approve @latest go -p users=5  with values that it asks for
    rallyflow approve @latest boot           let what needs a failed step run all the same
    rallyflow resume                         then go on (without an answer, a failed step is tried again)
    """  # noqa: D301 - \b is click's mark
    from rallyflow.cli import asking
    from rallyflow.engine.locks import is_worked_on

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    waiting = asking.questions(reader, place, record.id)
    if only_list:
        _list(waiting, as_json=as_json)
        return Exit.OK
    question = asking.choose(waiting, step, record.id)
    answer = asking.read_form(question, pairs_of(pairs), approved=not reject)
    asking.book(reader, question, answer)
    if as_json:
        print_json({"run": record.id, "step": question.step.id, "approved": answer.approved, "values": answer.values})
        return Exit.OK
    say(f"{question.step.id}: {'approved' if answer.approved else 'rejected'}")
    following = "watch" if is_worked_on(place.run(record.id)) else "resume"  # a live run takes the answer up by itself
    say(f"{colour('next', 'cyan')}: rallyflow {following} {record.id}")
    return Exit.OK


def _list(waiting: Sequence[Question], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "step": each.step.id,
                    "question": each.text,
                    "input": {name: spec.model_dump(mode="json") for name, spec in each.form.items()},
                }
                for each in waiting
            ]
        )
        return
    for each in waiting:
        print(f"{each.step.id}: {printable(each.text)}")
        for name, spec in each.form.items():
            default = f", default {spec.default}" if spec.default is not None else ""
            print(f"  -p {name}=…  {spec.type}{default}  {printable(spec.description)}".rstrip())
