# SPDX-License-Identifier: Apache-2.0
"""Commands in a real pseudo-terminal: width, colour, questions, completion."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals here", allow_module_level=True)

import fcntl
import termios

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def terminal(
    *arguments: str, columns: int = 80, typed: str = "", **environment: str
) -> tuple[int, str]:
    """Run a command in a terminal of its own; gives exit code and what it shows."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "enact", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={
            **os.environ,
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            **environment,
        },
        start_new_session=True,
    )
    os.close(theirs)
    if typed:
        os.write(ours, typed.encode())
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
    code = process.wait(timeout=30)
    return code, shown.decode("utf-8").replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize(
    "command", [("log",), ("show", "many"), ("calls",), ("tag",), ("inbox",)]
)
def test_lines_fit_the_terminal(place, command, columns):
    code, shown = terminal(*command, columns=columns)
    assert code == 0
    assert COLOUR.search(shown)
    lines = COLOUR.sub("", shown).splitlines()
    assert max(map(len, lines)) <= columns


def test_calls_are_cut_so_that_their_outcome_is_seen(place):
    _, shown = terminal("log", "--name", "broken", columns=80)
    line = COLOUR.sub("", shown).splitlines()[1]
    assert "… raised Val" in line
    assert len(line) == 80
    _, shown = terminal("log", "--name", "broken", columns=200)
    assert "raised ValueError: no \\nfor 4" in COLOUR.sub("", shown)


def test_no_colour_where_it_is_not_wanted(place, enact):
    _, shown = terminal("log", NO_COLOR="1")
    assert not COLOUR.search(shown)
    _, shown = terminal("source", "handled", NO_COLOR="1")
    assert not COLOUR.search(shown)
    assert not COLOUR.search(enact("log").output)  # piped


def test_source_has_colours(place):
    code, shown = terminal("source", "handled")
    assert code == 0
    assert COLOUR.search(shown)
    assert "def handle(order: Order) -> str:" in COLOUR.sub("", shown)


def test_stored_control_characters_do_not_reach_the_terminal(place):
    for command in (("cat", "handled"), ("log",), ("show", "handled"), ("cat", "text")):
        _, shown = terminal(*command)
        assert "\x1b[31mfor" not in COLOUR.sub("", shown)
        assert "\x07" not in shown


def test_an_answer_is_asked_for(place, data):
    code, shown = terminal("answer", typed="A title\n")
    assert code == 0, shown
    assert "Title? (str): " in shown
    assert "answered" in shown
    assert data("inbox") == []


def test_purge_asks_first(place, enact):
    code, shown = terminal("purge", "text", typed="n\n")
    assert code == 1
    assert "for good? [y/N]" in shown
    assert enact("cat", "text").exit_code == 0
    code, shown = terminal("purge", "text", typed="y\n")
    assert code == 0, shown
    assert enact("cat", "text").exit_code == 1


def test_a_reader_that_goes_away_ends_the_command_quietly(place):
    command = f"{sys.executable} -m enact show many --children 0 | head -n 1"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout.startswith("run ")
    assert done.stderr == ""


def test_names_are_completed(place):
    done = subprocess.run(
        [sys.executable, "-c", "from enact.cli import main; main(prog_name='enact')"],
        env={
            **os.environ,
            "_ENACT_COMPLETE": "bash_complete",
            "COMP_WORDS": "enact show ha",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.split() == ["plain,handled"]
