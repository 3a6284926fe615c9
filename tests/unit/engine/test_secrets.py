"""Where secrets come from, what is said when they are not there, and that they do not show themselves."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import subprocess
import sys

import pytest
from pydantic import BaseModel, ValidationError

from rallyflow.engine.secrets import read_secrets
from rallyflow.errors import PluginError, UsageError
from rallyflow.model.secret import MASK, Secret, SecretSource

TEXT = "hunter2-hunter2"
BACKEND = '''
import json, os
from keyring.backend import KeyringBackend


class Shelf(KeyringBackend):
    """A keyring that is a JSON file, or is locked."""

    priority = 1

    def get_password(self, service, username):
        if os.environ.get("SHELF_LOCKED"):
            raise RuntimeError("locked")
        with open(os.environ["SHELF"]) as file:
            return json.load(file).get(f"{service}|{username}")

    def set_password(self, service, username, password):
        raise NotImplementedError
'''
READ = """
import sys
from pathlib import Path
from rallyflow.engine.secrets import read_secrets
from rallyflow.errors import RallyflowError
from rallyflow.model.secret import SecretSource
try:
    print(read_secrets({"db": SecretSource(keyring="cloud/prod/admin")}, base=Path())["db"].reveal())
except RallyflowError as error:
    print(type(error).__name__, error.what, "|", error.hint)
"""


def read(base, **sources):
    return read_secrets({name: SecretSource(**source) for name, source in sources.items()}, base=base)


@pytest.fixture
def written(tmp_path):
    def write(content, name="secret.txt", mode=0o600):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    return write


def test_a_secret_does_not_show_itself():
    secret = Secret(TEXT)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{secret!r}", json.dumps([secret], default=str)]
    assert not any(TEXT in text for text in shown)
    assert str(secret) == f"{secret}" == MASK
    assert secret.reveal() == TEXT
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_not_quietly_taken_for_a_text():
    with pytest.raises(TypeError):
        "Bearer " + Secret(TEXT)
    with pytest.raises(TypeError):
        json.dumps(Secret(TEXT))
    assert Secret(TEXT) != TEXT


def test_secrets_are_equal_when_their_texts_are():
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret("other")
    assert len({Secret("é"), Secret("é"), Secret("\udcff")}) == 2
    assert Secret("\udcff") == Secret("\udcff")


def test_a_secret_survives_a_pipe_and_copies():
    secret = Secret(TEXT)
    for same in (pickle.loads(pickle.dumps(secret)), copy.copy(secret), copy.deepcopy(secret)):  # noqa: S301 - our own
        assert same.reveal() == TEXT


def test_a_model_can_have_a_secret_and_dumps_it_masked():
    class Login(BaseModel):
        password: Secret

    login = Login.model_validate({"password": TEXT})
    assert login.password == Secret(TEXT)
    assert Login(password=login.password).password.reveal() == TEXT
    assert TEXT not in login.model_dump_json() + repr(login)
    assert Login.model_validate_json(json.dumps({"password": TEXT})) == login
    assert Login.model_json_schema()["properties"]["password"]["type"] == "string"
    with pytest.raises(ValidationError):
        Login.model_validate({"password": 12345})


def test_a_source_is_one_place_and_refuses_what_is_none():
    for wrong in (
        {"env": "A", "file": "b"},
        {"env": "A B"},
        {"env": ""},
        {"keyring": "no-user"},
        {"keyring": "service/"},
        {"vault": "x"},
    ):
        with pytest.raises(ValidationError):
            SecretSource.model_validate(wrong)
    with pytest.raises(ValidationError, match="not env and keyring"):
        SecretSource.model_validate({"env": "A", "keyring": "a/b"})
    assert all("description" in spec for spec in SecretSource.model_json_schema()["properties"].values())


def test_a_secret_comes_from_the_variable_of_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("RALLYFLOW_SECRET_ONE_MORE", TEXT)
    assert read_secrets({"one-more": SecretSource()}, base=tmp_path) == {"one-more": Secret(TEXT)}


def test_a_secret_comes_from_the_file_that_a_variable_names(tmp_path, monkeypatch, written):
    monkeypatch.setenv("RALLYFLOW_SECRET_DB_FILE", str(written(f"{TEXT}\n")))
    assert read(tmp_path, db={})["db"].reveal() == TEXT
    monkeypatch.setenv("RALLYFLOW_SECRET_DB", "other")
    with pytest.raises(UsageError, match="both RALLYFLOW_SECRET_DB and RALLYFLOW_SECRET_DB_FILE"):
        read(tmp_path, db={})


def test_a_secret_comes_from_the_variable_that_the_workflow_names(tmp_path, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", TEXT)
    monkeypatch.setenv("RALLYFLOW_SECRET_DB", "not this one")
    assert read(tmp_path, db={"env": "DB_PASSWORD"})["db"].reveal() == TEXT


def test_every_secret_that_is_missing_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("RALLYFLOW_SECRET_HERE", TEXT)
    sources = {
        "here": SecretSource(),
        "a-b": SecretSource(description="the token of the registry"),
        "c": SecretSource(env="C_TOKEN"),
        "d": SecretSource(file="gone.txt"),
    }
    with pytest.raises(UsageError) as caught:
        read_secrets(sources, base=tmp_path)
    error = caught.value
    for told in (
        "a-b (the token of the registry): neither RALLYFLOW_SECRET_A_B nor RALLYFLOW_SECRET_A_B_FILE is set",
        "c: C_TOKEN is not set",
        f"d: can't read {tmp_path / 'gone.txt'}: No such file",
    ):
        assert told in error.what
    assert "here" not in error.what.replace("there", "")
    for todo in ("set RALLYFLOW_SECRET_A_B", "set C_TOKEN", str(tmp_path / "gone.txt")):
        assert todo in error.hint


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("abcdef", "abcdef"),
        ("abcdef\n", "abcdef"),
        ("abcdef\r\n", "abcdef"),
        ("abcdef\n\n", "abcdef\n"),
        (" abcdef ", " abcdef "),
        ("a\nbc\n", "a\nbc"),
        ("pässword", "pässword"),
    ],
)
def test_a_file_is_taken_as_it_is_but_for_one_line_end(tmp_path, written, content, text):
    written(content)
    assert read(tmp_path, s={"file": "secret.txt"})["s"].reveal() == text


def test_a_file_is_found_from_the_folder_of_the_workflow_and_from_the_home(tmp_path, monkeypatch, written):
    written(TEXT)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("../x/../secret.txt", str(tmp_path / "secret.txt"), "~/secret.txt"):
        (tmp_path / "x").mkdir(exist_ok=True)
        assert read(tmp_path / "x", s={"file": path})["s"].reveal() == TEXT
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path, s={"file": "~no-such-user/secret.txt"})


def test_a_link_to_a_file_is_followed_as_containers_need_it(tmp_path, written):
    (tmp_path / "link").symlink_to(written(TEXT))
    assert read(tmp_path, s={"file": "link"})["s"].reveal() == TEXT


def test_what_is_no_file_of_text_is_refused(tmp_path, written):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    written(b"\xff\xfe\x00x", "binary")
    written("x" * (64 * 1024 + 1), "large")
    for name, why in {
        "pipe": "not a regular file",
        "folder": "Is a directory",
        "binary": "not UTF-8",
        "large": "more than 64 KiB",
        "/dev/zero": "not a regular file",
    }.items():
        with pytest.raises(UsageError, match=why):
            read(tmp_path, s={"file": name})
    written("x" * (64 * 1024), "fits")
    assert len(read(tmp_path, s={"file": "fits"})["s"].reveal()) == 64 * 1024


def test_a_file_that_everyone_can_read_is_warned_of(tmp_path, written, caplog):
    caplog.set_level(logging.WARNING)
    written(TEXT, mode=0o640)
    read(tmp_path, s={"file": "secret.txt"})
    assert caplog.text == ""
    written(TEXT, mode=0o644)
    read(tmp_path, s={"file": "secret.txt"})
    assert "chmod 600" in caplog.text
    assert TEXT not in caplog.text


@pytest.mark.parametrize("text", ["", "abc", "  a  ", "\n\n\n\n\n", "        "])
def test_a_secret_that_can_not_be_masked_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv("TOO_SHORT", text)
    with pytest.raises(UsageError, match=r"it is empty|fewer than four characters"):
        read(tmp_path, s={"env": "TOO_SHORT"})


@pytest.fixture
def keyring(tmp_path):
    """Read a secret in a process of its own, since keyring looks for its backend once."""
    (tmp_path / "shelf.py").write_text(BACKEND)
    shelf = tmp_path / "shelf.json"
    shelf.write_text(json.dumps({"cloud/prod|admin": TEXT}))

    def ask(*arguments, **env):
        environment = {"PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "shelf.Shelf", "SHELF": str(shelf)}
        done = subprocess.run(
            [sys.executable, "-Werror", *arguments, "-c", READ],
            env={**os.environ, **environment, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    return ask


def test_a_secret_comes_from_a_keyring(keyring):
    assert keyring() == TEXT


def test_a_keyring_that_does_not_have_it_or_does_not_answer_is_named(keyring, tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    said = keyring(SHELF=str(tmp_path / "empty.json"))
    assert "secrets: db: the keyring has no cloud/prod/admin | `keyring set cloud/prod admin`" in said
    assert "RuntimeError: locked | `keyring diagnose`" in keyring(SHELF_LOCKED="1")
    assert "does not answer" in keyring(PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert "does not answer" in keyring(PYTHON_KEYRING_BACKEND="no.such.Backend")


def test_without_the_keyring_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(PluginError, match="not installed") as caught:
        read(tmp_path, s={"keyring": "a/b"})
    assert "rallyflow[keyring]" in caught.value.hint
