# SPDX-License-Identifier: Apache-2.0
"""Every command that looks: in a terminal and piped, on a small and a large store."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import enact as library
from tests.cli.conftest import run
from tests.cli.test_bad_stores import LOOKING

# One process runs them all, each as `enact` would.
DRIVER = """
import json, sys
from enact.cli import main
for command in json.loads(sys.argv[1]):
    try:
        main(command, prog_name="enact")
        code = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    print(f"<<{' '.join(command)}: {code}>>", flush=True)
"""
COMMANDS = [[name, *rest] for name, rest in LOOKING.items()]
ENDED = re.compile(r"<<(.*): (\d+)>>\n")
# Colours, and what a spinner does with the cursor.
COLOUR = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|\r")


def codes(shown: str) -> dict[str, int]:
    return {match[1]: int(match[2]) for match in ENDED.finditer(shown)}


def piped(commands: list[list[str]]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(commands)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"}, timeout=60, check=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_in_a_terminal_and_piped_the_same_is_told(place: Path) -> None:
    import fcntl
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(COMMANDS)],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not some:
            break
        shown += some
    os.close(ours)
    assert process.wait(timeout=30) == 0, shown.decode()[-2000:]
    text = shown.decode("utf-8").replace("\r\n", "\n")
    plain = piped(COMMANDS)
    assert codes(text) == codes(plain)
    assert set(codes(plain).values()) == {0} and len(codes(plain)) == len(COMMANDS)
    assert "Traceback" not in text.replace("Traceback (most recent call last)", "")
    assert COLOUR.search(text) and not COLOUR.search(plain)
    # What a program wrote never gets to the terminal as it is.
    rest = COLOUR.sub("", text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", rest)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", plain)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many runs, one of them with many calls."""

    @library.register(name="cli/leaf")
    def leaf(n: int) -> int:
        return n

    @library.register(name="cli/wide")
    def wide(n: int) -> int:
        return sum(leaf(i) for i in range(n))

    path = tmp_path_factory.mktemp("large") / "runs.db"
    with library.SQLiteStore(path) as store:
        store.tag("handled", library.invoke(wide, (21_000,)))
        for n in range(300):
            library.invoke(wide, (n % 3,))
        store.tag("many", library.invoke(wide, (3,)))
        store.tag("text", "Two\nlines")
    store.close()
    return path


@pytest.mark.parametrize("name", sorted(LOOKING))
def test_commands_on_a_large_store(large: Path, name: str) -> None:
    rest = {"export": ("handled/1", "-"), "diff": ("handled/1", "many/0")}
    arguments = rest.get(name, LOOKING[name])
    done = run(name, *arguments, "--store", str(large))
    assert done.exit_code == 0, done.output
    assert len(done.stdout) < 100_000
    if name == "show":
        assert "21,001" in run("show", "handled", "--store", str(large)).stdout
    done = run(name, *arguments, "--json", "--store", str(large))
    if name != "export":
        json.loads(done.stdout)


def test_exit_codes(place: Path) -> None:
    assert run("log").exit_code == 0
    for wrong in ("nothing", "log --nothing", "show a b", "log -n x"):
        assert run(*wrong.split()).exit_code == 2, wrong
    for missing in ("show nothing", "cat handled/9", "tag -d nothing"):
        done = run(*missing.split())
        assert done.exit_code == 1, missing
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("Error: ")
    assert run("diff", "handled", "many", "--exit-code").exit_code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_options_and_tags_are_completed(place: Path, shell: str) -> None:
    def completed(words: str) -> str:
        environment = {
            **os.environ, "_ENACT_COMPLETE": f"{shell}_complete", "COMP_WORDS": words,
            "COMP_CWORD": words.rpartition(" ")[2] if shell == "fish" else str(
                words.count(" ")
            ),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "enact"], env=environment, capture_output=True,
            text=True, timeout=30, check=False,
        )  # fmt: skip
        return done.stdout

    if shell == "bash":
        assert "search" in completed("enact sea")
        assert "--depth" in completed("enact show --de")
    assert "handled" in completed("enact show han")
