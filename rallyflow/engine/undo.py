"""Removes what steps made, newest first, from the ledger alone: the process need never have seen the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from rallyflow import plugins
from rallyflow.errors import RallyflowError, TransientError
from rallyflow.journal.books import deleted_of, mark_deleted
from rallyflow.journal.store import Journal
from rallyflow.model.records import Resource

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # for the logs of attempts; a command line tells it in its own way


@dataclass(frozen=True, slots=True)
class NotRemoved:
    """A resource that is still there, and why."""

    resource: Resource
    error: RallyflowError


def undo(
    journal: Journal,
    resources: Sequence[Resource],
    removed: Callable[[Resource], None] = lambda _resource: None,
) -> list[NotRemoved]:
    """Remove resources; returns those that could not be. `removed` is called after each that is gone.

    What is inside another resource of the list goes away with that one, and what is inside one that has been removed
    already is gone.
    """
    over = deleted_of(journal, {resource.inside for resource in resources})
    by_id = {resource.id: resource for resource in resources}
    inside: dict[int, list[Resource]] = {}
    for resource in resources:
        if resource.inside in by_id:
            inside.setdefault(resource.inside, []).append(resource)
    failures: list[NotRemoved] = []
    for resource in sorted(resources, key=lambda resource: resource.id, reverse=True):
        if resource.inside in by_id:
            continue
        try:
            if resource.inside not in over:
                _delete(resource)
        except RallyflowError as error:
            log.warning("%s %s could not be removed: %s", resource.kind, resource.name, error)
            failures.append(NotRemoved(resource, error))
            continue
        gone = [resource, *_contents(resource, inside)]
        mark_deleted(journal, gone)
        for each in gone:
            removed(each)
    return failures


def with_contents(resources: Sequence[Resource], only: Callable[[Resource], bool]) -> list[Resource]:
    """Return the resources that `only` chooses, with all that is inside of them, in the order that they have."""
    chosen: set[int] = set()
    for resource in sorted(resources, key=lambda resource: resource.id):  # what contains another was booked before it
        if only(resource) or resource.inside in chosen:
            chosen.add(resource.id)
    return [resource for resource in resources if resource.id in chosen]


def _contents(resource: Resource, inside: dict[int, list[Resource]]) -> list[Resource]:
    direct = inside.get(resource.id, [])
    return [each for child in direct for each in (child, *_contents(child, inside))]


def _delete(resource: Resource) -> None:
    handler = plugins.load("resources", resource.kind.partition(".")[0])()
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=0.5, max=5),
        reraise=True,
    )
    try:
        retrying(handler.delete, resource)
    except RallyflowError:
        raise
    except Exception as error:
        log.exception("removing %s %s", resource.kind, resource.name)
        raise RallyflowError(f"{type(error).__name__}: {error}") from error
