"""Files that are made to take all time and memory: each gets a clear refusal, within limits that the kernel holds."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

HEAD = "rallyflow: 1\nname: x\nsteps:\n"
MEMORY = 1 << 30
CPU_SECONDS = 60


def bomb(*, merge):
    """Return ten mappings or lists, each of which has the one before it ten times."""
    lines = ["k0: &k0 {a: 1}"]
    for number in range(1, 11):
        aliases = ", ".join([f"*k{number - 1}"] * 10)
        lines.append(f"k{number}: &k{number} " + (f"{{<<: [{aliases}]}}" if merge else f"[{aliases}]"))
    return "\n".join(lines) + "\n"


def steps(key, values):
    return f"{HEAD}  a: {{uses: noop, {key}: [{', '.join(values)}]}}\n"


FILES = {
    "a lot of text": ("x" * (5 << 20), "RF0201"),
    "lists within lists": ("a: " + "[" * 1_000_000, "RF0206"),
    "mappings within mappings": ("".join(" " * depth + "a:\n" for depth in range(1500)), "RF0206"),
    "aliases that are deep": (
        "\n".join(["k0: &k0 [1]", *(f"k{n}: &k{n} [*k{n - 1}]" for n in range(1, 99))]),
        "RF0206",
    ),
    "aliases that multiply": (bomb(merge=False), "RF0206"),
    "merges that multiply": (bomb(merge=True), "RF0206"),
    "one alias very often": ("k: &k {a: 1}\n" + steps("needs", ["*k "] * 210_000), "RF0206"),
    "a list that is too long": (steps("needs", ["a"] * 500_000), "RF0206"),
    "keys without end": ("".join(f"k{number}: 1\n" for number in range(220_000)), "RF0206"),
    "a key of a megabyte": (f"{HEAD}  a: {{uses: noop}}\n? {'k' * 1_000_000}\n: 1\n", "RF0210"),
    "a quote that is never closed": ('a: "' + "x: 1\n" * 500_000, "RF0202"),
    "an error at the end of very much": ("".join(f"k{n}: {n}\n" for n in range(150_000)) + "a: [1\n", "RF0202"),
    "unknown keys": (f"{HEAD}  a: {{uses: noop}}\n" + "".join(f"k{n}: {n}\n" for n in range(50_000)), "RF0210"),
    "unknown names": (steps("needs", (f"s{number}" for number in range(100_000))), "RF0220"),
    "unknown step types": (HEAD + "".join(f"  s{number}: {{uses: nop}}\n" for number in range(20_000)), "RF0214"),
    "keys that are there twice": ("k: 1\n" * 100_000, "RF0203"),
    "traps": (steps("needs", ["yes"] * 100_000), "RF0204"),
    "tags": ("a: [" + "!x 1, " * 100_000 + "]\n", "RF0202"),
    "control characters": ("\0" * 1_000_000, "RF0202"),
}


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


@pytest.mark.parametrize(("text", "code"), FILES.values(), ids=FILES)
def test_a_hostile_file_gets_a_clear_refusal(text, code, tmp_path):
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    command = [sys.executable, "-m", "rallyflow", "validate", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limited)
    assert done.returncode == 3, done.stderr[-2000:]
    found = json.loads(done.stdout)["diagnostics"]
    assert code in {each["code"] for each in found}
    assert len(found) <= 1000
    assert all(len(each["what"]) <= 500 and len(each["hint"]) <= 500 for each in found)


def test_a_person_sees_a_hundred_errors_and_how_many_there_are(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text(steps("needs", (f"s{number}" for number in range(300))))
    command = [sys.executable, "-m", "rallyflow", "validate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.count("error[RF0220]") == 100
    assert done.stderr.splitlines()[-1] == "300 errors in the workflow; 200 of them are not shown, but are with --json"


def test_a_large_file_that_is_good_is_compiled(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text(steps("with", []).replace("with: []", f"with: {{value: [{', '.join(['5'] * 150_000)}]}}"))
    command = [sys.executable, "-m", "rallyflow", "validate", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limited)
    assert json.loads(done.stdout) == {"valid": True, "name": "x", "steps": 1}
