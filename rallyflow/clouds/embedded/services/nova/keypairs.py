"""Keypairs of users. A pair made here has a key of the right shape that opens nothing."""

from __future__ import annotations

import base64
import hashlib
import secrets

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


@SERVICE.route("POST", "/os-keypairs", "create_keypair")
def create_keypair(request: Request) -> Response:
    """Import a public key, or make a pair."""
    content = request.content("keypair")
    name, user = content.get("name"), content.get("user_id") or request.identity.user
    if not isinstance(name, str) or not name:
        raise Fault(400, f"Invalid input for field/attribute name. Value: {name}.")
    if request.cloud.store.get("keypairs", f"{user}:{name}"):
        raise Fault(409, f"Key pair '{name}' already exists.")
    public = content.get("public_key") or _made_up(name)
    row = {
        "id": f"{user}:{name}",
        "name": name,
        "user_id": user,
        "type": content.get("type") or "ssh",
        "public_key": public,
        "fingerprint": hashlib.md5(public.encode(), usedforsecurity=False).hexdigest(),
        "created_at": clock.now(),
    }
    request.cloud.store.put("keypairs", row)
    shown = _shown(row)
    if not content.get("public_key"):
        shown["private_key"] = "the embedded cloud has no servers that a key could open\n"
    return Response({"keypair": shown}, 201 if request.version >= (2, 2) else 200)


@SERVICE.route("GET", "/os-keypairs", "list_keypairs")
def list_keypairs(request: Request) -> Response:
    """List the keypairs of the asker."""
    user = request.query.get("user_id") or request.identity.user
    rows = [row for row in request.cloud.store.rows("keypairs") if row["user_id"] == user]
    return Response({"keypairs": [{"keypair": _shown(row)} for row in rows]})


@SERVICE.route("GET", "/os-keypairs/{}", "get_keypair")
def get_keypair(request: Request) -> Response:
    """Show a keypair."""
    row = _find(request)
    return Response({"keypair": _shown(row) | {"created_at": row["created_at"], "deleted": False, "id": 1}})


@SERVICE.route("DELETE", "/os-keypairs/{}", "delete_keypair")
def delete_keypair(request: Request) -> Response:
    """Remove a keypair."""
    request.cloud.store.remove("keypairs", _find(request)["id"])
    return Response(status=204 if request.version >= (2, 2) else 202)


def _find(request: Request) -> Row:
    user = request.query.get("user_id") or request.identity.user
    row = request.cloud.store.get("keypairs", f"{user}:{request.args[0]}")
    if row is None:
        raise Fault(404, f"Keypair {request.args[0]} not found for user {user}")
    return row


def _shown(row: Row) -> Row:
    return {name: row[name] for name in ("name", "user_id", "type", "public_key", "fingerprint")}


def _made_up(name: str) -> str:
    return f"ssh-ed25519 {base64.b64encode(secrets.token_bytes(51)).decode()} {name}"
