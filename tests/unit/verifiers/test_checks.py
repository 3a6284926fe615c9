"""The built-in checks against a service that answers by TLS, and against what is odd."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rallyflow.clouds.connection import connect, translated
from rallyflow.errors import CloudUnreachable
from rallyflow.model.values import Cloud
from rallyflow.verifiers.checks import Subject, Unfit, _flavor, _image, refuse_wrong_password


class Keystone(BaseHTTPRequestHandler):
    """Says which version it has, and answers every password with what its server has for it."""

    def do_GET(self):
        versions = [{"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": self.server.url + "/v3"}]}]
        self._answer(300, {"versions": {"values": versions}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/v3/auth/tokens"
        self._answer(self.server.verdict if known else 404, {"token": {"methods": ["password"]}})

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Subject-Token", "t")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The certificate of a server on loopback that no system trusts, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloud")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "cloud.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def keystone(authority):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keystone)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"https://127.0.0.1:{server.server_port}"
    server.verdict = 401
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def subject(url, folder, **more):
    auth = {"auth_url": url, "username": "u", "password": "p", "project_name": "p"}
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"c": {"auth": auth, **more}}}))
    cloud = Cloud(name="c", kind="existing", clouds_yaml=file, auth_url=url)
    return Subject(cloud, connect(cloud), "rf-")


@pytest.mark.parametrize("path", ["", "/v3"])
@pytest.mark.parametrize("trust", ["its authority", "anybody"])
def test_a_wrong_password_is_tried_with_the_trust_of_clouds_yaml(keystone, authority, tmp_path, trust, path):
    more = {"cacert": str(authority)} if trust == "its authority" else {"verify": False}
    refuse_wrong_password(subject(keystone.url + path, tmp_path, **more))
    keystone.verdict = 201
    with pytest.raises(Unfit, match="accepted"):
        refuse_wrong_password(subject(keystone.url + path, tmp_path, **more))


def test_a_server_that_is_not_trusted_gets_no_password(keystone, tmp_path):
    with pytest.raises(CloudUnreachable), translated("trying"):
        refuse_wrong_password(subject(keystone.url + "/v3", tmp_path))


def image(name, size, *, visibility="public", owner="other", ram=0, disk=0):
    return SimpleNamespace(
        id=f"id of {name}", name=name, size=size, visibility=visibility, owner=owner, min_ram=ram, min_disk=disk
    )


def flavor(name, ram, disk):
    return SimpleNamespace(id=f"id of {name}", name=name, ram=ram, disk=disk)


def having(images=(), flavors=(), **wanted):
    connection = SimpleNamespace(
        image=SimpleNamespace(images=lambda **_: images),
        compute=SimpleNamespace(flavors=lambda: flavors),
        current_project_id="ours",
    )
    return Subject(None, connection, "rf-", **wanted)


def test_an_image_without_a_name_is_one_too_and_one_without_a_size_is_not_the_smallest():
    found = [image("rf-made", 1), image("of a volume", 0), image("big", 20), image(None, 10)]
    assert _image(having(found)) is found[3]


def test_an_image_of_another_project_is_only_taken_when_there_is_nothing_else_or_by_its_name():
    theirs = image("theirs", 1, visibility="private")
    public, ours = image("public", 20), image("mine", 10, visibility="private", owner="ours")
    assert _image(having([theirs, public])) is public
    assert _image(having([theirs, public, ours])) is ours
    assert _image(having([theirs])) is theirs
    assert _image(having([theirs, public], image="theirs")) is theirs
    assert _image(having([theirs, public], image="id of theirs")) is theirs


def test_the_flavor_is_the_least_in_which_the_image_boots():
    diskless, tiny, more = flavor("diskless", 100, 0), flavor("tiny", 64, 1), flavor("more", 512, 5)
    everything = having(flavors=[more, tiny, diskless])
    assert _flavor(everything, image("i", 1)) is tiny
    assert _flavor(everything, image("i", 1, disk=2)) is diskless
    assert _flavor(everything, image("i", 1, ram=101)) is more
    assert _flavor(everything, image("i", 1, ram=1000)) is tiny
    assert _flavor(having(flavors=[more, tiny], flavor="id of more"), image("i", 1)) is more
