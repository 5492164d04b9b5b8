# SPDX-License-Identifier: Apache-2.0
"""What one recorded or replayed call costs, beside enact 0.4.16 and the floors.

Both versions run ``workload.py`` in processes of their own that stay alive, and take
turns pass by pass. The ratios are those of the medians.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from statistics import median
from typing import Any

import libipld

from bench.table import AT_LEAST, Row
from bench.workload import TEXT

WORKLOAD = Path(__file__).with_name("workload.py")
# what, store, smallest ratio to enact 0.4.16
CASES = [
    ("record", "memory", 80),
    ("record", "disk", 150),
    ("replay", "memory", 300),
    ("replay", "disk", 300),
    ("gather", "memory", None),
    ("gather", "disk", None),
]
GATHER_BAR_MS = 25.0


class Worker:
    """A process that runs the workload on demand."""

    def __init__(self, python: Path | str) -> None:
        self._process = subprocess.Popen(
            [str(python), str(WORKLOAD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, **command: Any) -> dict[str, float]:
        """The figures of one pass."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the workload ended in {command}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def worker(python: Path | str) -> Iterator[Worker]:
    process = Worker(python)
    try:
        yield process
    finally:
        process.close()


def calls(peer_python: Path | None, n: int, passes: int) -> list[Row]:
    """Each case in both versions, pass by pass in turn."""
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(worker(sys.executable))
        peer = peer_python and stack.enter_context(worker(peer_python))
        for what, store, bar in CASES:
            command = {"what": what, "store": store, "n": n}
            mine, theirs = [], []
            ours.ask(**{**command, "n": 50})  # warm
            # a pass of 0.4 on disk takes many seconds
            for _ in range(passes if store == "memory" else max(1, passes * 3 // 5)):
                if peer:
                    theirs.append(peer.ask(**command))
                mine += [ours.ask(**command) for _ in range(3)]
            rows += figures(what, store, n, bar, mine, theirs)
    return rows


def figures(
    what: str,
    store: str,
    n: int,
    bar: int | None,
    mine: list[dict[str, float]],
    theirs: list[dict[str, float]],
) -> list[Row]:
    """The rows of one case."""

    def middle(passes: list[dict[str, float]], key: str = "seconds") -> float:
        return median(figures_of_pass[key] for figures_of_pass in passes)

    def note(text: str) -> str:
        return f"0.4.16: {text}" if theirs else ""

    us = 1e6 * middle(mine) / n
    peer_us = 1e6 * middle(theirs) / n if theirs else 0.0
    where = {"memory": "in memory", "disk": "SQLite / FileStore"}[store]
    if what == "gather":
        rows = [
            Row(
                f"gather of {n:,}, {where}",
                us * n / 1000,
                "ms",
                # On disk it is told, and has no bar: each call is a write of its own.
                GATHER_BAR_MS * n / 1000 if store == "memory" else None,
                note=note(f"{peer_us * n / 1000:,.0f} ms"),
            )
        ]
    else:
        rows = [Row(f"{what}, {where}", us, "us/call", note=note(f"{peer_us:,.0f} us"))]
    if theirs:
        faster = "   times faster than 0.4.16"
        rows.append(Row(faster, peer_us / us, "x", bar, AT_LEAST))
    if store == "disk" and what == "record":
        size = middle(mine, "bytes") / n
        peer_size = middle(theirs, "bytes") / n if theirs else 0.0
        rows.append(Row("   stored", size, "bytes", note=note(f"{peer_size:,.0f}")))
    return rows


# ------------------------------------------------------------ floors

CURRENT: ContextVar[Any] = ContextVar("current", default=None)


def bare(i: int, text: str) -> str:
    return text[i % 10 :]


@functools.wraps(bare)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    if CURRENT.get() is None:
        return bare(*args, **kwargs)
    raise AssertionError


def encoded_and_hashed(i: int, text: str) -> bytes:
    block = libipld.encode_dag_cbor({"args": [i, text], "kwargs": {}})
    return hashlib.sha256(block).digest()


def floors(n: int, passes: int) -> list[Row]:
    """What the parts of a call cost at least."""
    named: list[tuple[str, Callable[[int, str], object]]] = [
        ("floor: bare call", bare),
        ("floor: wrapper and ContextVar.get", wrapped),
        ("floor: encode and hash the arguments once", encoded_and_hashed),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, _ in named}
    for _ in range(passes):
        for name, function in named:
            start = time.perf_counter()
            for i in range(n):
                function(i, TEXT)
            seconds[name].append(time.perf_counter() - start)
    return [
        Row(name, 1e6 * median(taken) / n, "us/call") for name, taken in seconds.items()
    ]
