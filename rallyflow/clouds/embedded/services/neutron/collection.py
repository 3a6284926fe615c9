"""What all of neutron's collections have in common: five calls, one shape, quotas, who sees what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.listing import matching, next_links, page
from rallyflow.clouds.embedded.services.neutron import quotas
from rallyflow.clouds.embedded.services.neutron.service import SERVICE
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Identity, Request, Response


def _nothing(_cloud: Simulation, _row: Row) -> None:
    return None


def _everything(_request: Request) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection; its hooks say what is special about it."""

    singular: str  # security_group
    plural: str  # security_groups
    path: str  # /security-groups
    kind: str  # SecurityGroup, as errors call it
    complete: Callable[[Request, dict[str, Any]], Row]  # the fields of a new row; raises Fault
    update: Callable[[Request, Row, dict[str, Any]], Row]  # the fields that a change gives; raises Fault
    created: Callable[[Simulation, Row], None] = _nothing
    removing: Callable[[Simulation, Row], None] = _nothing  # raises Fault when the row is in use
    removed: Callable[[Simulation, Row], None] = _nothing
    listing: Callable[[Request], None] = _everything  # before a list is made
    shown: Callable[[Simulation, Row], Row] = lambda _cloud, row: row

    def register(self) -> None:
        """Register the five calls."""
        one = self.singular
        SERVICE.route("POST", self.path, f"create_{one}")(self._create)
        SERVICE.route("GET", self.path, f"list_{self.plural}", lists=self.plural)(self._list)
        SERVICE.route("GET", f"{self.path}/{{}}", f"get_{one}")(self._get)
        SERVICE.route("PUT", f"{self.path}/{{}}", f"update_{one}")(self._update)
        SERVICE.route("DELETE", f"{self.path}/{{}}", f"delete_{one}")(self._delete)

    def find(self, request: Request, key: str) -> Row:
        """Return a row that the asker may see; Fault 404."""
        row = request.cloud.store.get(self.plural, key)
        if row is None or not visible(request.identity, row):
            raise Fault(404, f"{self.kind} {key} could not be found.", f"{self.kind}NotFound")
        return row

    def owned(self, request: Request, key: str) -> Row:
        """Return a row that the asker may change; Fault 404 or 403."""
        row = self.find(request, key)
        if not request.identity.sees(row):
            raise Fault(403, f"rule:update_{self.singular} is disallowed by policy", "PolicyNotAuthorized")
        return row

    def insert(self, cloud: Simulation, project: str, fields: Row) -> Row:
        """Insert a row for a project; Fault 409 when its quota is used up."""
        quotas.check(cloud, project, self.singular, self.plural)
        owner = {"project_id": project, "tenant_id": project}
        times = {"created_at": clock.now(), "updated_at": clock.now(), "revision_number": 1}
        row = cloud.store.put(self.plural, {"id": clock.new_id(), **fields, **owner, **times})
        self.created(cloud, row)
        return row

    def drop(self, cloud: Simulation, row: Row) -> None:
        """Remove a row without asking who wants it; Fault 409 when it is in use."""
        self.removing(cloud, row)
        cloud.store.remove(self.plural, row["id"])
        self.removed(cloud, row)

    def _create(self, request: Request) -> Response:
        if self.plural in request.document:
            raise Fault(501, "the embedded cloud makes one network object per request")
        content = request.content(self.singular)
        project = str(content.get("project_id") or content.get("tenant_id") or request.identity.project)
        if project != request.identity.project:
            request.need_admin(f"create_{self.singular} for another project")
        quotas.check(request.cloud, project, self.singular, self.plural)
        row = self.insert(request.cloud, project, self.complete(request, content))
        return Response({self.singular: self.shown(request.cloud, row)}, 201)

    def _list(self, request: Request) -> Response:
        self.listing(request)
        visible_rows = [r for r in request.cloud.store.rows(self.plural) if visible(request.identity, r)]
        names = [name for name in request.query if name not in ("limit", "marker", "fields", "sort_key", "sort_dir")]
        rows, more = page(matching(visible_rows, request, names), request)
        answer: Row = {self.plural: [self.shown(request.cloud, row) for row in rows]}
        if more:
            links = next_links(request, SERVICE.prefix + self.path, rows[-1]["id"])
            answer[f"{self.plural}_links"] = links
        return Response(answer)

    def _get(self, request: Request) -> Response:
        return Response({self.singular: self.shown(request.cloud, self.find(request, request.args[0]))})

    def _update(self, request: Request) -> Response:
        row = self.owned(request, request.args[0])
        fields = self.update(request, row, request.content(self.singular))
        times = {"updated_at": clock.now(), "revision_number": row["revision_number"] + 1}
        row = request.cloud.store.put(self.plural, row | fields | times)
        return Response({self.singular: self.shown(request.cloud, row)})

    def _delete(self, request: Request) -> Response:
        self.drop(request.cloud, self.owned(request, request.args[0]))
        return Response(status=204)


def visible(identity: Identity, row: Row) -> bool:
    """Whether the asker may see a row."""
    return identity.sees(row) or bool(row.get("shared") or row.get("router:external"))


def picked(content: dict[str, Any], defaults: Row) -> Row:
    """Return the defaults with what a request says instead; Fault 400 for a field that does not exist."""
    owner = {"project_id", "tenant_id"}
    unknown = content.keys() - defaults.keys() - owner
    if unknown:
        raise Fault(400, f"Unrecognized attribute(s) '{min(unknown)}'", "HTTPBadRequest")
    return defaults | {key: value for key, value in content.items() if key not in owner}


def changed(content: dict[str, Any], names: frozenset[str]) -> Row:
    """Return the fields that a change may give; Fault 400 for any other."""
    refused = content.keys() - names
    if refused:
        raise Fault(400, f"Cannot update read-only attribute {min(refused)}", "HTTPBadRequest")
    return dict(content)
