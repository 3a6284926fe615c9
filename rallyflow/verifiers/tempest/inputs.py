"""What `uses: verify/tempest` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from rallyflow.model.step import StepModel
from rallyflow.model.values import Cloud
from rallyflow.verifiers.forms import Listed, Seconds
from rallyflow.verifiers.lists import Pattern, ReasonsOrFile

VERSION = "47.0.0"
"""The Tempest that is used unless a file names another: works with Python 3.11 and clouds from Zed on."""


class TempestInputs(StepModel):
    """The file's `with:`."""

    cloud: Cloud = Field(description="The cloud to verify")
    version: str = Field(
        VERSION, pattern=r"^[0-9][0-9A-Za-z.]*$", description="Of Tempest, from the package index of pip"
    )
    plugins: tuple[str, ...] = Field(
        (), description="Packages with more tests, as pip takes them, such as `octavia-tempest-plugin==2.6.0`"
    )
    pattern: Listed[Pattern] = Field(
        ("set=smoke",),
        description="Which tests: `set=smoke`, `set=full`, `set=compute`, ... or a regular expression; or several",
    )
    load_list: Path | tuple[str, ...] | None = Field(
        None, description="Only these tests: names, or a file with one on each line; without `pattern`, all of them"
    )
    failed_of: str | None = Field(
        None, description="Only the tests that failed in an earlier verification: RUN, or RUN:STEP"
    )
    skip: ReasonsOrFile = Field(
        default_factory=dict, description="Tests that don't run: name or pattern to reason, or a YAML file with that"
    )
    xfail: ReasonsOrFile = Field(
        default_factory=dict,
        description="Tests that are expected to fail: name or pattern to reason, or a YAML file with that",
    )
    concurrency: int = Field(2, ge=1, le=256, description="Processes that run tests")
    timeout: Seconds | None = Field(
        None, description="Of all tests together, such as `2h`: then what has run counts, and the rest has no result"
    )
    test_timeout: Seconds = Field(1200, description="Of each test, in seconds or as `20m`")
    rerun_failed: int = Field(
        0, ge=0, le=10, description="How often what failed is run again; passing counts, as flaky"
    )
    config: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Options of tempest.conf over those that are found: section to option to value; null removes one",
    )
    image: str = Field("", description="Name or id of the image to boot; default: the smallest public one")
    image_alt: str = Field("", description="Name or id of the image that tests change to; default: the next one")
    flavor: str = Field(
        "",
        description="Name or id of the flavor to boot with; default: that with the least memory whose disk has room "
        "for the images",
    )
    flavor_alt: str = Field("", description="Name or id of the flavor that tests resize to; default: the next one")
    network: str = Field("", description="A network that all tests share; default: one is made for each project")
    create: bool = Field(True, description="Make images and flavors that are missing, and remove them afterwards")
    image_file: Path | None = Field(
        None, description="The qcow2 image that `create` uploads; default: a blank one, which boots nothing real"
    )
    isolate: bool = Field(
        True,
        description="Make a domain with an admin for Tempest, so that all it makes is found and removed after any end; "
        "false: it works as the user in clouds.yaml",
    )
