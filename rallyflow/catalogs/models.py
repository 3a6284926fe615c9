"""The two files of catalogs: catalog.yaml, which says what a catalog has, and catalog.lock, which pins catalogs."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rallyflow.catalogs.versions import Version, check_requirement, check_specifiers

CATALOG_FILE = "catalog.yaml"
LOCK_FILE = "catalog.lock"
NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"
"""The names of catalogs and of the workflows in them."""


class CatalogModel(BaseModel):
    """Base of everything in the two files: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def inner_path(path: str) -> str:
    """Return a path inside of a folder; ValueError for one that could lead out of it."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or not path.isprintable():
        raise ValueError(f"{path!r} is not a path inside the catalog's folder")
    return str(pure)


def _version(text: str) -> str:
    Version.parse(text)
    return text


def _by_name(workflows: Any) -> Any:
    """Read the short form: a list of files, each named as its file is."""
    if not isinstance(workflows, list) or not all(isinstance(file, str) for file in workflows):
        return workflows
    names = [PurePosixPath(file).stem for file in workflows]
    if len(set(names)) < len(names):
        raise ValueError("two files have one name: give them names, as in {boot: {file: a/boot.yaml}}")
    return {name: {"file": file} for name, file in zip(names, workflows, strict=True)}


Name = Annotated[str, Field(pattern=NAME)]
SemanticVersion = Annotated[str, AfterValidator(_version)]


class CatalogWorkflow(CatalogModel):
    """A workflow of a catalog."""

    file: Annotated[str, AfterValidator(inner_path)] = Field(description="The file, relative to the catalog's folder")
    description: str = Field("", description="In place of the one in the file")


class Requirements(CatalogModel):
    """What has to be installed for the workflows of a catalog."""

    rallyflow: Annotated[str, AfterValidator(check_specifiers)] = Field("", description="Versions, such as >=0.1")
    packages: tuple[Annotated[str, AfterValidator(check_requirement)], ...] = Field(
        (), description="Python packages, such as rallyflow-aws>=1"
    )
    plugins: tuple[str, ...] = Field((), description="Step types, such as provision/lxc")


class Catalog(CatalogModel):
    """The file catalog.yaml: it makes the folder that it is in a catalog."""

    name: Name = Field(description="What workflows call it, unless `catalog add --name` gives another name")
    version: SemanticVersion = Field(description="A semantic version, such as 1.2.0")
    description: str = Field("", description="For whom and what it is, in a sentence")
    workflows: Annotated[dict[Name, CatalogWorkflow], BeforeValidator(_by_name), Field(min_length=1)] = Field(
        description="The workflows by name; or a list of files, each named as its file is"
    )
    requirements: Requirements = Field(default_factory=Requirements, description="What has to be installed for them")


class Pin(CatalogModel):
    """One catalog in catalog.lock."""

    source: str = Field(description="./folder, package:NAME, or git+URL@REF#SUBFOLDER")
    version: SemanticVersion = Field(description="The version that was pinned")
    commit: Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})?$")] = Field(
        "", description="The commit of a git repository"
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(
        description="The checksum of all content of the folder"
    )


class Lock(CatalogModel):
    """The file catalog.lock: written by `rallyflow catalog add` and `update`; keep it with the workflows."""

    version: Literal[1] = Field(description="The version of this file's form")
    catalogs: dict[Name, Pin] = Field(default_factory=dict, description="The pinned catalogs by name")
