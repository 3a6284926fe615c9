from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rallyflow.clouds import transport
from rallyflow.clouds.session import HttpSession
from rallyflow.clouds.transport import (
    CurlCarrier,
    ExchangeFailed,
    Failure,
    Request,
    Urllib3Carrier,
    exchange,
    last_phases,
    meter,
)


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, and with the number of the connection that it came over."""

    protocol_version = "HTTP/1.1"
    connections = 0
    hold = threading.Event()

    def setup(self):
        super().setup()
        type(self).connections += 1
        self.number = self.connections

    def answer(self):
        if self.path == "/slow":
            self.hold.wait(20)
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        fields = {name.lower(): value for name, value in self.headers.items()}
        told = {"method": self.command, "path": self.path, "body": body, "headers": fields}
        data = json.dumps(told | {"connection": self.number}).encode()
        self.send_response(302 if self.path == "/moved" else 404 if self.path == "/missing" else 200)
        if self.path == "/moved":
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/here")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Told", "yes")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_details):
        pass


@pytest.fixture(scope="module")
def server():
    web = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    web.daemon_threads = True
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}"
    Echo.hold.set()
    web.shutdown()
    thread.join()
    web.server_close()


@pytest.fixture(params=[CurlCarrier, Urllib3Carrier])
def carrier(request, monkeypatch):
    made = request.param()
    monkeypatch.setattr(transport._THREAD, "_carrier", made)
    return made


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.usefixtures("carrier")
def test_a_request_arrives_as_it_was_sent(server, method):
    body = b'{"a": 1}' if method in ("POST", "PUT", "PATCH") else None
    reply = exchange(Request(method, f"{server}/x?y=1", ["X-Auth-Token: t", "Accept: */*"], body))

    told = reply.json()
    assert (reply.status, told["method"], told["path"]) == (200, method, "/x?y=1")
    assert told["body"] == (body or b"").decode()
    assert told["headers"]["x-auth-token"] == "t"
    assert "expect" not in told["headers"]
    assert reply.headers()["x-told"] == "yes"


@pytest.mark.usefixtures("carrier")
def test_methods_do_not_rub_off_on_the_next_request(server):
    told = []
    for method, body in [("DELETE", None), ("GET", None), ("PUT", b"x"), ("POST", b"y"), ("GET", None)]:
        told.append(exchange(Request(method, server, [], body)).json())
    assert exchange(Request("HEAD", server, [])).status == 200
    told.append(exchange(Request("GET", server, [])).json())

    assert [one["method"] for one in told] == ["DELETE", "GET", "PUT", "POST", "GET", "GET"]
    assert [one["body"] for one in told] == ["", "", "x", "y", "", ""]


@pytest.mark.usefixtures("carrier")
def test_a_thread_keeps_its_connection(server):
    numbers = {exchange(Request("GET", server, [])).json()["connection"] for _ in range(5)}

    assert len(numbers) == 1


@pytest.mark.usefixtures("carrier")
def test_a_file_is_uploaded_whole(server):
    data = b"z" * 100_000
    reply = exchange(Request("PUT", f"{server}/file", [], io.BytesIO(data), len(data)))

    assert reply.json()["body"] == data.decode()
    assert exchange(Request("GET", server, [])).json()["method"] == "GET"


@pytest.mark.usefixtures("carrier")
def test_what_a_thread_sends_is_metered(server):
    before = meter().requests, meter().http_ns
    for _ in range(3):
        exchange(Request("GET", server, []))

    assert meter().requests == before[0] + 3
    assert meter().http_ns > before[1]


def test_libcurls_phases_are_kept(server):
    exchange(Request("GET", server, []))

    phases = last_phases()
    assert phases["total"] >= phases["first_byte"] > 0


@pytest.mark.usefixtures("carrier")
def test_a_refused_connection_is_told_as_such():
    with pytest.raises(ExchangeFailed) as caught:
        exchange(Request("GET", "http://127.0.0.1:1/", []))
    assert caught.value.failure is Failure.CONNECTION


@pytest.mark.usefixtures("carrier")
def test_a_reply_that_does_not_come_in_time_is_a_timeout(server):
    with pytest.raises(ExchangeFailed) as caught:
        exchange(Request("GET", f"{server}/slow", [], timeout=0.2))
    assert caught.value.failure is Failure.TIMEOUT


def test_keystoneauth_takes_it_for_a_session_of_requests(server):
    from keystoneauth1 import exceptions
    from keystoneauth1.session import Session

    session = Session(session=HttpSession())
    reply = session.get(f"{server}/x", params={"a": "b c"}, headers={"X-One": "1"}, authenticated=False)
    assert reply.json()["path"] == "/x?a=b+c"
    assert reply.json()["headers"]["x-one"] == "1"
    assert session.post(f"{server}/x", json={"k": 1}, authenticated=False).json()["body"] == '{"k": 1}'
    assert session.get(f"{server}/moved", authenticated=False).json()["path"] == "/here"
    with pytest.raises(exceptions.NotFound):
        session.get(f"{server}/missing", authenticated=False)
    with pytest.raises(exceptions.ConnectFailure):
        session.get("http://127.0.0.1:1/", authenticated=False)
    with pytest.raises(exceptions.ConnectTimeout):
        session.get(f"{server}/slow", timeout=0.2, authenticated=False)
