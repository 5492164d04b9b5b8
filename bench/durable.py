# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.durable``: enact beside DBOS and LangGraph, as durable execution.

What a step costs, what it costs to get past it when a run is resumed, what is stored of
it, and whether a resume is right after the program was edited.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.systems.behaviour import CASES, LEFT, REFUSED, Case, texts
from bench.table import AT_LEAST, Row, show

ROOT = Path(__file__).parents[1]
PEERS = ("dbos", "langgraph")
COSTS = (
    "enact:adaptive",
    "enact:call",
    "dbos",
    "dbos:unsynced",
    "langgraph",
    "langgraph:unsynced",
)
BEHAVIOURS = ("enact:resume", "enact:replay", "dbos", "dbos:pinned", "langgraph")
SMALL = 20  # steps of the runs that are subtracted
BAR = 20.0
TIMEOUT = 300

# What a resume does after an edit.
RIGHT = "right"  # what changed ran, and nothing else
STALE = "STALE"  # a recorded result stood where another one was due, without a word
MIXED_UP = "MIXED UP"  # a recorded result went to another step than its own
AGAIN = "repeats"  # the output is right, but steps ran again that had not changed

Figures = dict[str, list[float]]


def pythons() -> dict[str, str]:
    """The interpreter of each system that is installed."""
    found = {"enact": sys.executable}
    for name in PEERS:
        python = ROOT / f".venv-bench-{name}" / "bin" / "python"
        if (python.parents[1] / ".ready").exists():
            found[name] = str(python)
    return found


def kind(system: str) -> str:
    return system.partition(":")[0]


def environment(**more: str) -> dict[str, str]:
    """Of a worker: it finds this package, and nothing else of this process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": path, **more}


# ------------------------------------------------------------ costs


def measured(python: str, system: str, what: str, directory: str, n: int) -> Figures:
    """The figures of one process; none of one that is to die."""
    more = {"BENCH_DIES": "1"} if what == "die" else {}
    done = subprocess.run(
        [python, "-m", "bench.systems.cost", system, what, directory, str(n)],
        stdout=subprocess.PIPE,
        env=environment(**more),
        timeout=TIMEOUT,
        check=what != "die",
    )
    found: dict[str, float] = json.loads(done.stdout or "{}")
    return {f"{what} {name}": [value] for name, value in found.items()}


def passes_of(
    python_of: dict[str, str], n: int, passes: int
) -> dict[str, dict[int, Figures]]:
    """By system and number of steps; the systems take turns."""
    all_figures: dict[str, dict[int, Figures]] = {}
    for _ in range(passes):
        for system in COSTS:
            if kind(system) not in python_of:
                continue
            for steps in (SMALL, n):
                there = all_figures.setdefault(system, {}).setdefault(steps, {})
                for whats in (("record",), ("die", "resume")):
                    with tempfile.TemporaryDirectory(prefix="enact-bench-") as place:
                        for what in whats:
                            found = measured(
                                python_of[kind(system)], system, what, place, steps
                            )
                            for name, values in found.items():
                                there.setdefault(name, []).extend(values)
    return all_figures


def flush_us(passes: int) -> float:
    """What this disk takes to append 400 bytes and force them there."""
    taken: list[float] = []
    with tempfile.NamedTemporaryFile(prefix="enact-bench-") as file:
        for _ in range(50 * passes):
            start = time.perf_counter()
            os.write(file.fileno(), b"x" * 400)
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - start)
    return 1e6 * median(taken)


def costs(
    python_of: dict[str, str], n: int, passes: int
) -> list[tuple[str, list[Row]]]:
    """The tables of what steps cost."""
    found = passes_of(python_of, n, passes)

    def middle(system: str, steps: int, name: str) -> float:
        return median(found[system][steps][name])

    def slope(system: str, name: str) -> float:
        more = middle(system, n, name) - middle(system, SMALL, name)
        return more / (n - SMALL)

    def record(system: str) -> float:
        return 1e6 * middle(system, n, "record record") / n

    def record_cpu(system: str) -> float:
        return 1e6 * middle(system, n, "record record cpu") / n

    def resume_cpu(system: str) -> float:
        # DBOS begins a resumed run at a poll of its queue; what its threads do until
        # then is no cost of a step, and it reads nothing of the steps before.
        name = "resume body cpu" if kind(system) == "dbos" else "resume whole cpu"
        return 1e6 * slope(system, name)

    def whole(system: str) -> float:
        return 1e3 * middle(system, n, "resume whole")

    def stored(system: str) -> float:
        return slope(system, "record bytes")

    def table(
        of: Callable[[str], float],
        unit: str,
        bar: float | None = None,
        synced: bool = False,
    ) -> list[Row]:
        rows: list[Row] = []
        for system in found:
            rows.append(Row(system, of(system), unit))
            if kind(system) != "enact":
                # Adaptive flushes, later; the unsynced ones never do.
                times = of(system) / of("enact:adaptive")
                # By the clock, the bar is for systems as they come.
                kept = None if synced and system.endswith(":unsynced") else bar
                rows.append(Row("   times enact:adaptive", times, "x", kept, AT_LEAST))
                if not system.endswith(":unsynced"):
                    times = of(system) / of("enact:call")
                    rows.append(Row("   times enact:call", times, "x"))
        return rows

    def plain(of: Callable[[str], float], unit: str) -> list[Row]:
        return [Row(system, of(system), unit) for system in found]

    flush = Row("floor: append 400 bytes and flush them", flush_us(passes), "us")
    return [
        (f"A step, of {n:,}", [flush, *table(record, "us/step", BAR, synced=True)]),
        ("Processor time of a step", table(record_cpu, "us/step", BAR)),
        ("Processor time to get past it", table(resume_cpu, "us/step")),
        (f"From opening the store to step {n + 1:,}", plain(whole, "ms")),
        ("Stored after close(), 400 characters a step", plain(stored, "bytes/step")),
    ]


# ------------------------------------------------------------ behaviour


def outcome(python: str, system: str, case: Case) -> str:
    """In a word, what a resume after the case's edit does."""
    with tempfile.TemporaryDirectory(prefix="enact-bench-") as place:
        directory = Path(place)
        for number_of_process, text in enumerate(texts(case)):
            (directory / "program.py").write_text(text)
            more = {"BENCH_SYSTEM": system}
            if number_of_process == 0:
                more["BENCH_FIRST"] = "1"
            subprocess.run(
                [python, str(directory / "program.py"), place],
                env=environment(**more),
                timeout=TIMEOUT,
                check=number_of_process == 1,
            )
            if number_of_process == 0:
                first = notes(directory)
                (directory / "notes.jsonl").unlink()
        return judged(case, first, notes(directory))


def notes(directory: Path) -> list[tuple[str, Any]]:
    """What a process noted."""
    lines = (directory / "notes.jsonl").read_text().splitlines()
    return [tuple(json.loads(line)) for line in lines]


def judged(
    case: Case, first: list[tuple[str, Any]], then: list[tuple[str, Any]]
) -> str:
    """What the notes of both processes say."""
    expected = case.output
    if expected is None:
        [expected] = [value for what, value in first if what == "saw"]
    ran = [value for what, value in then if what == "ran"]
    for what, _ in then:
        if what in (LEFT, REFUSED):
            return what
    [output] = [value for what, value in then if what == "output"]
    if sorted(output) == sorted(expected) and output != expected:
        return MIXED_UP
    if output != expected:
        return STALE
    return RIGHT if sorted(ran) == sorted(case.runs) else AGAIN


def behaviour(python_of: dict[str, str], emit: Callable[[str], None]) -> list[Row]:
    """Prints what a resume does after each edit; gives how often that was right."""
    systems = [system for system in BEHAVIOURS if kind(system) in python_of]
    emit("\nResumed after a crash and an edit")
    emit(f"  {'':<34}" + "".join(f"{system:<14}" for system in systems).rstrip())
    right = dict.fromkeys(systems, 0)
    for case in CASES:
        found = [outcome(python_of[kind(system)], system, case) for system in systems]
        for system, word in zip(systems, found, strict=True):
            right[system] += word == RIGHT
        emit(f"  {case.what:<34}" + "".join(f"{word:<14}" for word in found).rstrip())
    return [
        Row(system, times, "right", len(CASES) if kind(system) == "enact" else None,
            AT_LEAST, f"of {len(CASES)}")
        for system, times in right.items()
    ]  # fmt: skip


def tables(n: int, passes: int, emit: Callable[[str], None] = print) -> list[Row]:
    """Measures and prints all of it; gives the rows."""
    python_of = pythons()
    for name in PEERS:
        if name not in python_of:
            emit(f"\n{name} is not installed, so it is left out")
    found = costs(python_of, n, passes)
    for title, rows in found:
        show(title, rows, emit)
    right = behaviour(python_of, emit)
    show("Cases in which that was right", right, emit)
    return [row for _, rows in found for row in rows] + right


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.durable")
    parser.add_argument("-n", type=int, default=1000, help="steps of a run")
    parser.add_argument("--passes", type=int, default=5)
    options = parser.parse_args()
    tables(options.n, options.passes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
