"""The image service as a whole."""

from __future__ import annotations

from html import escape
from http import HTTPStatus

from rallyflow.clouds.embedded.web import Fault, Response, Service


def _fault(fault: Fault) -> Response:
    """Glance answers errors in HTML."""
    title = f"{fault.status} {HTTPStatus(fault.status).phrase}"
    page = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  "
        f"{escape(fault.message)}<br /><br />\n\n\n </body>\n</html>"
    )
    return Response(page.encode(), fault.status, media=b"text/html; charset=UTF-8")


SERVICE = Service("glance", "/image/v2", _fault)
