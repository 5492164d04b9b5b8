# SPDX-License-Identifier: Apache-2.0
"""``python -m bench concurrency``: is a replay right where several things run at once?

Six tasks of one ``gather`` make two calls each, which end in random order; then all is
replayed. Beside enact: enact 0.4.16, LangGraph, DBOS and agent-rewind.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from bench.durable import ROOT, environment, kind
from bench.table import AT_LEAST, Row

TRIALS = 20
TIMEOUT = 600
SYSTEMS = {
    "enact:strict": "enact",
    "enact:loose": "enact, strict=False",
    "peer:strict": "enact 0.4.16",
    "peer:loose": "enact 0.4.16, strict=False",
    "langgraph": "LangGraph functional, resumed",
    "dbos": "DBOS, forked",
    "rewind:strict": "agent-rewind",
    "rewind:parallel": "agent-rewind, parallel",
}
PEERS = ("peer", "langgraph", "dbos", "rewind")
#: What each is to do with the changed argument; strict replay is an error by design.
DUE = {"enact:strict": "error: ReplayError", "enact:loose": "right"}


def pythons() -> dict[str, str]:
    """The interpreter of each system that is installed."""
    found = {"enact": sys.executable}
    for name in PEERS:
        python = ROOT / f".venv-bench-{name}" / "bin" / "python"
        if (python.parents[1] / ".ready").exists():
            found[name] = str(python)
    return found


def found_by(python: str, system: str, trials: int) -> dict[str, Any]:
    """What a worker in the environment of a system finds."""
    its_own = environment()
    if kind(system) == "peer":  # not this checkout, but what is installed there
        its_own["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="enact-bench-") as place:
        done = subprocess.run(
            [python, "-m", "bench.systems.replays", system, place, str(trials)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=its_own,
            timeout=TIMEOUT,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counts.items() if count)


def table(trials: int = TRIALS, emit: Callable[[str], None] = print) -> list[Row]:
    """Prints the table; gives what enact must keep."""
    python_of = pythons()
    emit(f"\nReplay of 6 tasks with 2 calls each, out of {trials}")
    heads = ("distinct arguments", "equal second ones", "argument changed", "threads")
    emit(f"  {'':<32}" + "".join(f"{head:<25}" for head in heads).rstrip())
    rows: list[Row] = []
    for system, title in SYSTEMS.items():
        if kind(system) not in python_of:
            emit(f"  {title:<32}not installed")
            continue
        found = found_by(python_of[kind(system)], system, trials)
        words = [in_words(found["distinct"]), in_words(found["equal"])]
        words += [found["argument"], found["threads"]]
        emit(f"  {title:<32}" + "".join(f"{word:<25}" for word in words).rstrip())
        if kind(system) == "enact":
            for what in ("distinct", "equal"):
                right = found[what]["right"]
                rows.append(Row(f"{title}: {what}", right, "right", trials, AT_LEAST))
            kept = [found["argument"] == DUE[system], found["threads"] == "right"]
            rows.append(Row(f"{title}: the rest", sum(kept), "right", 2, AT_LEAST))
    return rows


__all__ = ["table"]
