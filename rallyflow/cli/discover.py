"""`rallyflow discover [RUN] | --cloud NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import print_json, print_table, say
from rallyflow.errors import Exit, NotFound, UsageError
from rallyflow.settings import Home
from rallyflow.units import format_bytes

if TYPE_CHECKING:
    from rallyflow.clouds.discovery import Discovery


@click.command("discover", short_help="list what a cloud offers")
@click.argument("run", required=False, shell_complete=completing("runs"))
@click.option("--cloud", metavar="NAME", help="An entry of clouds.yaml, or envvars, instead of the cloud of a run")
@click.option("--clouds-yaml", type=click.Path(path_type=Path), help="The clouds.yaml that has NAME")
@home_option
@json_option
def command(run: str | None, cloud: str | None, clouds_yaml: Path | None, home: str | None, as_json: bool) -> Exit:
    """List the services of a cloud with their API versions, and its images, flavors and networks.

    \b
    rallyflow discover                  of the cloud that the last run has deployed, or used
    rallyflow discover --cloud mycloud  of a cloud named in clouds.yaml
    """  # noqa: D301 - \b is click's mark
    if run and cloud:
        raise UsageError("the cloud is named twice", hint="give RUN or --cloud NAME")
    if clouds_yaml and not cloud:
        raise UsageError("--clouds-yaml is for --cloud", hint="rallyflow discover --cloud NAME --clouds-yaml FILE")
    found = _found(cloud, clouds_yaml) if cloud else _found(*_of_run(Home.find(home), run or ""))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found)
    for error in found.errors:
        say(f"could not be listed: {error}")
    return Exit.OK


def _found(name: str, clouds_yaml: Path | None) -> Discovery:
    from rallyflow.clouds.discovery import discover
    from rallyflow.clouds.rest import CloudSession
    from rallyflow.deployers.probe import probe

    probed = probe(name, clouds_yaml.absolute() if clouds_yaml else None)
    return discover(CloudSession(probed.login), probed.endpoints)


def _of_run(home: Home, word: str) -> tuple[str, Path]:
    """Return the cloud that a run's steps have given, the last one of them."""
    from rallyflow.model.values import Cloud

    reader = open_reader(home)
    run = reader.find(word or "@latest").id
    clouds = [step.outputs["cloud"] for step in reader.steps(run) if step.outputs and "cloud" in step.outputs]
    if not clouds:
        raise NotFound(f"the run {run} has no cloud", hint="only a deploy step gives one; --cloud NAME asks any other")
    cloud = Cloud.model_validate(clouds[-1])
    return cloud.name, cloud.clouds_yaml


def _print(found: Discovery) -> None:
    print_table(
        ("service", "endpoint", "versions", "microversions"),
        [
            (each.type, each.endpoint, " ".join(each.versions) or each.error, each.microversions)
            for each in found.services
        ],
    )
    print_table(
        ("image", "status", "visibility", "format", "size"),
        [(each.name, each.status, each.visibility, each.disk_format, format_bytes(each.size)) for each in found.images],
    )
    print_table(
        ("flavor", "vcpus", "memory", "disk"),
        [(each.name, str(each.vcpus), f"{each.ram} MiB", f"{each.disk} GiB") for each in found.flavors],
    )
    print_table(
        ("network", "external", "shared", "subnets"),
        [
            (each.name, *("yes" if flag else "no" for flag in (each.external, each.shared)), str(each.subnets))
            for each in found.networks
        ],
    )
