# SPDX-License-Identifier: Apache-2.0
"""Progress is shown on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SEARCH = """
import time, enact
from tests.search import programs_to_search as programs

@enact.register(name="progress/slow")
def slow(n: int) -> float:
    time.sleep(0.02)
    return float(n)

@enact.register(name="progress/both")
def both(n: int) -> int:
    inner = enact.search.run(programs.number, (1,), score=slow, strategy="best_of(n=3)")
    return inner.best.output + programs.digit(n, 4)

result = enact.search.run(
    both, (1,), score=slow, strategy="best_of(n=9)",
    budget=enact.search.Budget(calls=40),
)
print("found", result.best.output)
"""
COMPARE = """
import time, enact
from tests.search import programs_to_search as programs

@enact.register(name="progress/judge")
def judge(n: int) -> float:
    time.sleep(0.02)
    return float(n)

found = enact.experiments.compare(
    {"one [bold]": programs.number}, [1, 2, 3, 4, 5], score=judge, n=4
)
print("found", len(found.cells))
"""


def on_a_terminal(code: str) -> tuple[str, str]:
    """What a program writes to standard output, and to the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs,
        text=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 10_000)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
    os.close(ours)
    assert process.stdout is not None
    with process.stdout as file:
        printed = file.read()
    assert process.wait(30) == 0, shown
    return printed, shown.decode()


SEARCHED = r"search .*\d nodes, \d+ complete, best \d"
COMPARED = r"compare .*input \d of 5"


@pytest.mark.parametrize(
    ("code", "text"),
    [(SEARCH, SEARCHED), (COMPARE, COMPARED)],
    ids=["search", "compare"],
)
def test_progress_is_shown_on_a_terminal_and_taken_off(code: str, text: str) -> None:
    printed, shown = on_a_terminal(code)
    assert re.fullmatch(r"found \d+\n", printed)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert re.search(text, plain)
    assert "one [bold]" in plain or code is SEARCH
    # The last thing is to clear the line, and to show the cursor again.
    assert "\x1b[?25h" in shown and shown.rstrip("\r\n").endswith("\x1b[2K")


@pytest.mark.parametrize("code", [SEARCH, COMPARE], ids=["search", "compare"])
def test_nothing_is_shown_where_there_is_no_terminal(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == "" and done.stdout.startswith("found")
