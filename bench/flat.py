# SPDX-License-Identifier: Apache-2.0
"""Whether the last calls of a long run cost what the first ones did.

A process of its own records the run, so that its peak memory is that of recording;
another one opens the file, summarises and replays it.
"""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import enact
from bench.table import Row
from bench.workload import TEXT, leaf

PARTS = 10
MARKS: list[float] = []


@enact.register
def long_run(n: int) -> int:
    """``n`` leaf calls; notes the time after every tenth of them."""
    total = 0
    MARKS.append(time.perf_counter())
    for part in range(PARTS):
        for i in range(n // PARTS):
            total += len(leaf(i + part, TEXT))
        MARKS.append(time.perf_counter())
    return total


def peak_megabytes() -> float:
    """Peak resident memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def child(step: str, store_kind: str, path: str, argument: str) -> None:
    """One step, in a process of its own; prints its figures as JSON."""
    store = enact.InMemoryStore() if store_kind == "memory" else enact.SQLiteStore(path)
    result: dict[str, Any] = {}
    with store:
        start = time.perf_counter()
        if step == "record":
            invocation = enact.invoke(long_run, (int(argument),))
            result["id"] = enact.commit(invocation).id
            result["parts"] = [b - a for a, b in itertools.pairwise(MARKS)]
        elif step == "open":
            enact.Ref.from_id(argument).checkout()
        elif step == "summarise":
            loaded = enact.Ref.from_id(argument).checkout()
            summary = enact.invocation_summary(loaded, max_depth=1)
            result["lines"] = len(summary.splitlines())
        elif step == "replay":
            again = enact.Ref.from_id(argument).checkout().rewind(1).replay()
            result["equal"] = enact.commit(again).id == argument
        result["seconds"] = time.perf_counter() - start
    store.close()
    result["seconds with close"] = time.perf_counter() - start
    result["peak"] = peak_megabytes()
    print(json.dumps(result))


def run_child(step: str, store_kind: str, path: Path, argument: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "bench.flat", step, store_kind, path, str(argument)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return json.loads(done.stdout)


def flatness(n: int, passes: int) -> list[Row]:
    """Figures of runs of ``n`` calls."""
    rows = []
    for store_kind in ("memory", "sqlite"):
        ratios, results = [], []
        for _ in range(passes):
            with tempfile.TemporaryDirectory(prefix="enact-bench-") as directory:
                path = Path(directory, "flat.db")
                result = run_child("record", store_kind, path, n)
                results.append(result)
                ratios.append(result["parts"][-1] / result["parts"][0])
                if store_kind == "sqlite" and len(ratios) == passes:
                    after = afterwards(path, result["id"], n)
        us = 1e6 * median(sum(r["parts"]) for r in results) / n
        name = {"memory": "in memory", "sqlite": "SQLite"}[store_kind]
        what = f"{n:,} calls, {name}: last tenth / first"
        rows.append(Row(what, median(ratios), "x", 1.5, note=f"{us:.1f} us/call"))
        peak = max(r["peak"] for r in results)
        bar = 600.0 if store_kind == "sqlite" else None
        rows.append(Row("   peak memory", peak, "MB", bar))
    return rows + after


def afterwards(path: Path, identifier: str, n: int) -> list[Row]:
    """What can be done with the file of a long run."""
    rows = [Row("   file", path.stat().st_size / n, "bytes/call")]
    for step in ("open", "summarise", "replay"):
        result = run_child(step, "sqlite", path, identifier)
        note = f"peak memory {result['peak']:.0f} MB"
        if step == "summarise":
            note += f", {result['lines']:,} lines"
        if step == "replay" and not result["equal"]:
            note += ", NOT EQUAL"
        rows.append(Row(f"   {step}", result["seconds"], "s", note=note))
    for command in (["log"], ["show", "--depth", "2"]):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "enact", *command, "--store", path],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - start
        rows.append(Row(f"   enact {' '.join(command)}", seconds, "s", 1.0))
    return rows


if __name__ == "__main__":
    child(*sys.argv[1:])
