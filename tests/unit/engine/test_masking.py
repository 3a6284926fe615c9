"""What masking promises: a secret stands in no output, however it is written and however the output is cut."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import shlex
import string
import subprocess
import sys
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import markupsafe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.utils import htmlsafe_json_dumps

from rallyflow.masking import Mask
from rallyflow.model.secret import MASK, Secret

NASTY = "pä ss/w+rd'\"\\&<x>%\tend"
PEM = "-----BEGIN KEY-----\n" + "\n".join(f"{n}" * 64 for n in "ABCDEFGH") + "\nab\n-----END KEY-----"
SECRETS = st.text(alphabet=string.ascii_letters + string.digits + " '\"\\/+%&<>äß€\n", min_size=6, max_size=200).filter(
    lambda text: len(text.strip()) >= 6
)


@pytest.mark.parametrize(
    "write",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps({"inner": json.dumps({"x": text})}),
        repr,
        lambda text: repr(text.encode()),
        quote,
        lambda text: quote(text, safe=""),
        quote_plus,
        lambda text: re.sub("%..", lambda escape: escape[0].lower(), quote(text, safe="")),
        html.escape,
        lambda text: str(markupsafe.escape(text)),
        lambda text: str(htmlsafe_json_dumps([text])),
        lambda text: f"<a title={quoteattr(text)}>{escape(text)}</a>",
        shlex.quote,
        lambda text: "'" + text.replace("'", r"'\''") + "'",
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        lambda text: base64.b64encode(f"{text}\n".encode()).decode(),
    ],
)
@pytest.mark.parametrize("secret", ["hunter2-hunter2", NASTY])
def test_a_secret_is_masked_in_every_form_that_it_is_written_in(secret, write):
    written = write(secret)
    masked = Mask([Secret(secret)]).text(f"<<{written}>>")
    assert MASK in masked
    assert secret not in masked
    kept = masked.replace(MASK, "")
    assert len(kept) <= len(f"<<{written}>>") - len(secret), kept


@pytest.mark.parametrize("user", ["a", "ab", "abc", "operator"])
def test_the_secret_in_a_basic_login_is_masked(user):
    secret = "hunter2-hunter2"
    header = base64.b64encode(f"{user}:{secret}".encode()).decode()
    masked = Mask([secret]).text(f"Authorization: Basic {header}")
    before, found, after = masked.partition(MASK)
    assert found, masked
    assert len(after) <= 3  # at most the padding, and the character that the last byte shares with it
    assert len(before) <= len("Authorization: Basic ") + (len(user) + 1) * 4 // 3 + 1


@pytest.mark.parametrize("wrap", [57, 48])
def test_base64_in_lines_is_masked_in_each_line(wrap):
    raw = PEM.encode()
    lines = [base64.b64encode(raw[at : at + wrap]).decode() for at in range(0, len(raw), wrap)]
    masked = Mask([PEM]).text("\n".join(lines))
    assert not set(lines) & set(masked.split("\n"))


def test_each_line_of_a_secret_is_masked_but_not_its_shortest_ones():
    masked = Mask([PEM]).text("first " + "A" * 64 + ", abroad, -----END KEY-----")
    assert masked == f"first {MASK}, abroad, {MASK}"
    assert Mask([PEM]).text(f"x{PEM}y") == f"x{MASK}y"


def test_data_is_masked_in_keys_and_values_and_in_numbers_that_are_the_secret():
    mask = Mask(["12345678", "token-token"])
    data = {"a token-token": [1, 12345678, 123456789, {"x": ("is token-token",)}], "flag": True, "none": None}
    assert mask.data(data) == {f"a {MASK}": [1, MASK, 123456789, {"x": [f"is {MASK}"]}], "flag": True, "none": None}
    assert mask.data(Secret("other")) == MASK


def test_no_secrets_mask_nothing():
    assert not Mask([])
    assert Mask(["token"])
    assert Mask([]).text("token") == "token"
    assert Mask([]).stream().feed(b"token") == b"token"


def cut(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@settings(deadline=None)
@given(SECRETS, st.text(max_size=20), st.text(max_size=20), st.lists(st.integers(min_value=0), max_size=6))
def test_a_stream_is_masked_the_same_wherever_it_is_cut(secret, before, after, places):
    data = f"{before}{secret}{after}{secret}".encode(errors="replace")
    mask = Mask([secret])
    whole, cuts = mask.stream(), mask.stream()
    expected = whole.feed(data) + whole.close()
    assert b"".join(map(cuts.feed, cut(data, places))) + cuts.close() == expected
    assert secret.encode() not in expected
    assert expected.decode() == mask.text(data.decode())


def test_a_stream_holds_back_no_more_than_what_may_become_a_secret():
    stream = Mask(["secret-secret"]).stream()
    assert stream.feed(b"a question? ") == b"a question? "
    assert stream.feed(b"my secret-se") == b"my "
    assert stream.feed(b"quence") == b"secret-sequence"
    assert stream.feed(b"tail sec") == b"tail "
    assert stream.close() == b"sec"


def test_a_secret_whose_lines_are_all_short_is_masked_in_a_stream():
    stream = Mask(["ab\ncd\nef"]).stream()
    assert b"".join(map(stream.feed, [b"x ab\n", b"cd\n", b"ef\n"])) + stream.close() == f"x {MASK}\n".encode()


PRINTS = """
import os, subprocess, sys
from rallyflow.engine.masking import output_to
from rallyflow.masking import Mask
secret = "hunter2-" * 4
target = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
with output_to(target, Mask([secret])):
    # no line end in more than a pipe and a chunk hold, with the secret at odd places
    os.write(1, b"")
    code = "import sys; [sys.stdout.write('x' * (65536 * n - 7) + sys.argv[1]) for n in range(1, 40)]"
    subprocess.run([sys.executable, "-c", code, secret], check=True)
    print(secret, file=sys.stderr)
    sys.stderr.flush()
os.write(1, secret.encode())
"""


def test_output_without_line_ends_leaks_no_secret_that_is_cut_in_two(tmp_path):
    log = tmp_path / "log"
    done = subprocess.run([sys.executable, "-c", PRINTS, log], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    text = log.read_text()
    assert "hunter2" not in text
    assert text.count(MASK) == 40
    assert text.count("x") == sum(65536 * n - 7 for n in range(1, 40))


def test_a_full_disk_does_not_stop_what_prints():
    code = PRINTS.replace("os.O_WRONLY | os.O_CREAT", "os.O_WRONLY")
    done = subprocess.run([sys.executable, "-c", code, "/dev/full"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
