"""Secrets through the real program: read from everywhere, and written down nowhere, however a workflow leaks them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from urllib.parse import quote, quote_plus

import markupsafe
import pyarrow.parquet as pq
from jinja2.utils import htmlsafe_json_dumps

from rallyflow.errors import Exit

SECRET = 'hunter2 "hunter2"/Äpfel&<b>\\q'
LINES = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"

LEAKS = """
rallyflow: 1
name: leaks
secrets:
  token: {env: THE_TOKEN, description: opens the door}
  key: {file: key.pem}
steps:
  echo:
    uses: shell
    with:
      run: |
        echo "out $T"; echo "err $T" >&2; printf %s "$T"
        printf %s "$T" | base64; printf "admin:%s" "$T" | base64; echo "$K" | base64
        echo "$K"; echo "$K" | sed -n 2p
        set -x; true "$T"
        python3 -c 'import json, os; t = os.environ["T"]; print(json.dumps(t), repr(t), json.dumps([json.dumps(t)]))'
        python3 -c 'import os, urllib.parse as u; t = os.environ["T"]; print(u.quote(t), u.quote_plus(t))'
      env: {T: "${{ secrets.token }}", K: "${{ secrets.key }}"}
  fails:
    uses: shell
    with: {run: 'echo "$T"; exit 3', env: {T: "${{ secrets.token }}"}, failed: [3]}
  errs:
    uses: shell
    with: {run: 'echo "dying with $T" >&2; exit 9', env: {T: "${{ secrets.token }}"}}
    retry: {attempts: 2, delay: 1ms, on: [permanent]}
  crashes: {uses: shell, with: {run: "true", cwd: "/nowhere/${{ secrets.token }}"}}
  value: {uses: noop, with: {value: {"x ${{ secrets.token }}": ["${{ secrets.key }}"]}}}
  shape: {uses: shell, with: {run: "true", allow: "${{ [secrets.token] }}"}}
  none: {uses: noop, if: "${{ secrets.token | int > 1 }}"}
  site: {uses: wait, with: {http: {url: "http://127.0.0.1:9/?t=${{ secrets.token }}"}, interval: 10ms, timeout: 30ms}}
  command: {uses: wait, with: {command: "echo '${{ secrets.key }}'; false", interval: 10ms, timeout: 30ms}}
  file: {uses: wait, with: {file: "/nowhere/${{ secrets.token }}", interval: 10ms, timeout: 30ms}}
  each: {uses: noop, foreach: ["${{ secrets.token }}", b], with: {value: "${{ item }}"}}
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  load:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: neutron.create_and_delete_subnets
      args: {cidr: "${{ secrets.token }}"}
      load: {constant: {iterations: 3, concurrency: 1}}
  page:
    uses: report/html
    if: always()
    with: {of: "${{ steps.load.results }}", title: "About ${{ secrets.token }}"}
outputs: {token: "${{ secrets.token }}", said: "${{ steps.echo.stdout }}"}
"""


def forms(secret: str) -> set[str]:
    raw = secret.encode()
    written = {secret, json.dumps(secret)[1:-1], quote(secret), quote_plus(secret), quote(secret, safe="")}
    written |= {html.escape(secret), str(markupsafe.escape(secret)), str(htmlsafe_json_dumps(secret))[1:-1]}
    return written | {repr(secret)[1:-1], base64.b64encode(raw).decode()}


def told(cli) -> str:
    """Return all that the home has, as text: also what is compressed in parts and in the history."""
    found = [path.read_bytes().decode(errors="replace") for path in cli.home.rglob("*") if path.is_file()]
    parts = [str(pq.read_table(path).to_pylist()) for path in cli.home.rglob("*.parquet")]
    names = [str(path) for path in cli.home.rglob("*")]
    journal = str(cli.query("SELECT * FROM event") + cli.query("SELECT * FROM step") + cli.query("SELECT * FROM run"))
    return "\n".join([*found, *parts, *names, journal])


def leaks(text: str) -> list[str]:
    looked_for = {*forms(SECRET), *forms(LINES), *(line for line in LINES.splitlines())}
    return [f"{form!r}: …{text[max(0, at - 80) : at + 80]!r}" for form in looked_for if (at := text.find(form)) >= 0]


def test_no_form_of_a_secret_is_written_down_or_printed_however_a_workflow_leaks_it(cli):
    key = cli.directory / "key.pem"
    key.write_text(LINES + "\n")
    key.chmod(0o600)
    path = cli.workflow(LEAKS)
    environment = {"THE_TOKEN": SECRET, "FORCE_COLOR": "1"}
    printed = [cli.run("plan", path, "--json", **environment), cli.run("apply", path, "--json", **environment)]
    assert printed[1].returncode == Exit.ERRORED, printed[1].stderr
    printed.append(cli.run("apply", path, **environment))
    printed.append(cli.run("resume", **environment))
    printed += [cli.run(*verb) for verb in (["show"], ["show", "--json"], ["runs", "--json"], ["report"])]
    printed += [cli.run("logs", "@latest", step) for step in ("echo", "errs", "crashes", "site", "load")]
    printed.append(cli.run("sql", "SELECT * FROM iterations", "--json"))
    said = "\n".join(done.stdout + done.stderr for done in printed)
    assert "out ******" in said
    assert "err ******" in said
    assert leaks(said) == []
    assert leaks(told(cli)) == []
    failed = json.loads(printed[-1].stdout)
    assert {row["error_type"] for row in failed} == {"CloudAnswered"}
    assert all("******" in row["error_message"] for row in failed)
    assert any("About ******" in page.read_text() for page in cli.home.glob("runs/*/report/index.html"))


SAY = """
rallyflow: 1
name: say
secrets: {secrets}
steps: {{say: {{uses: shell, with: {{run: 'printf %s "$T" | sha256sum', env: {{T: "${{{{ secrets.token }}}}"}}}}}}}}
outputs: {{sum: "${{{{ steps.say.stdout }}}}"}}
"""
WORD = "correct horse battery staple"
SUM = hashlib.sha256(WORD.encode()).hexdigest()


def test_secrets_come_from_the_environment_by_their_name(cli):
    path = cli.workflow(SAY.format(secrets="[token]"))
    assert SUM in cli.run("apply", path, RALLYFLOW_SECRET_TOKEN=WORD).stderr
    (cli.directory / "token").write_text(f"{WORD}\n")
    assert SUM in cli.run("apply", path, RALLYFLOW_SECRET_TOKEN_FILE="token").stderr


def test_a_file_with_a_secret_is_found_beside_the_workflow_wherever_it_is_run(cli):
    folder = cli.directory / "team"
    folder.mkdir()
    path = cli.workflow(SAY.format(secrets="{token: {file: token.txt}}"), "team/say.yaml")
    (folder / "token.txt").write_text(WORD)
    (folder / "token.txt").chmod(0o644)
    done = cli.run("apply", path)
    assert SUM in done.stderr
    assert f"everyone on this machine can read the secret in {folder / 'token.txt'}" in done.stderr


def test_a_resumed_run_reads_its_secrets_again(cli):
    text = SAY.format(secrets="{token: {file: token.txt}}")
    path = cli.workflow(text.replace("printf", "test -e go && printf"))
    token = cli.directory / "token.txt"
    token.write_text("an old secret")
    assert cli.run("apply", path).returncode == Exit.ERRORED
    token.unlink()
    (cli.directory / "go").touch()
    without = cli.run("resume")
    assert without.returncode == Exit.USAGE
    assert str(token) in without.stderr
    token.write_text(WORD)
    assert SUM in cli.run("resume").stderr


def test_a_rerun_and_a_saved_plan_find_what_is_beside_their_workflow_from_any_folder(cli):
    cli.workflow("s3cret-of-a-file", "token.txt").chmod(0o600)
    path = cli.workflow("""
rallyflow: 1
name: beside
secrets: {token: {file: token.txt}}
steps: {use: {uses: shell, with: {run: 'test "$T" = s3cret-of-a-file', env: {T: "${{ secrets.token }}"}}}}
""")
    cli.ok("apply", path.name)
    cli.ok("plan", path.name, "-o", "saved.plan")
    cli.directory = cli.directory / "elsewhere"
    cli.directory.mkdir()
    cli.ok("rerun")
    cli.ok("apply", "../saved.plan")
    assert cli.query("SELECT DISTINCT workflow FROM run") == [(str(path),)]


def test_missing_secrets_are_all_named_before_anything_starts(cli):
    sources = "{token: {description: of the registry}, b: {env: NOT_SET}, c: {file: gone}, d: {keyring: service/user}}"
    done = cli.run(
        "apply", cli.workflow(SAY.format(secrets=sources)), PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring"
    )
    assert done.returncode == Exit.USAGE
    for told in (
        "token (of the registry): neither RALLYFLOW_SECRET_TOKEN nor RALLYFLOW_SECRET_TOKEN_FILE",
        "b: NOT_SET is not set",
        f"c: can't read {cli.directory / 'gone'}",
        "d: the keyring has no service/user",
        "`keyring set service user`",
    ):
        assert told in done.stderr
    assert not cli.home.exists()


def test_a_secret_that_is_too_short_to_be_masked_is_refused(cli):
    done = cli.run("apply", cli.workflow(SAY.format(secrets="[token]")), RALLYFLOW_SECRET_TOKEN="abc")
    assert done.returncode == Exit.USAGE
    assert "fewer than four characters" in done.stderr
    assert not cli.home.exists()


def test_where_secrets_come_from_is_checked_and_shown_without_them(cli):
    path = cli.workflow(SAY.format(secrets="{token: {env: A, file: b}}"))
    refused = cli.run("validate", path)
    assert refused.returncode == Exit.INVALID
    assert "a secret has one source, not env and file" in refused.stderr
    assert f"{path}:4:" in refused.stderr
    path = cli.workflow(SAY.format(secrets="{token: {env: THE_TOKEN}}"))
    assert cli.json("plan", path)["secrets"]["token"]["env"] == "THE_TOKEN"
