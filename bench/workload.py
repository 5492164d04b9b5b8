# SPDX-License-Identifier: Apache-2.0
"""The workload, written so that enact 0.4 and this enact run the same lines.

Run as a script in either environment, it reads one JSON command per line and writes
one JSON answer per line. So both processes stay alive, and the passes alternate under
the same state of the machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import shutil
import string
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import enact

TEXT = ("The quick brown fox jumps over the lazy dog. " * 5)[:220]


@enact.register
def leaf(i: int, text: str) -> str:
    return text[i % 10 :]


@enact.register
def root(n: int) -> int:
    total = 0
    for i in range(n):
        total += len(leaf(i, TEXT))
    return total


@enact.register
async def aleaf(i: int, text: str) -> str:
    return text[i % 10 :]


@enact.register
async def aroot(n: int) -> int:
    return sum(map(len, await asyncio.gather(*(aleaf(i, TEXT) for i in range(n)))))


@enact.register
def successor(i: int) -> int:
    return i + 1


@enact.register
def count(n: int) -> int:
    i = 0
    while i < n:
        i = successor(i)
    return i


@enact.register
def reply(history: list[dict[str, str]]) -> str:
    """Stands for a model that is sent the whole conversation each time."""
    return letters(f"reply {len(history)}")


@enact.register
def chat(turns: int) -> list[dict[str, str]]:
    history: list[dict[str, str]] = []
    for turn in range(turns):
        question = {"role": "user", "content": letters(f"question {turn}")}
        history = [*history, question]
        history = [*history, {"role": "assistant", "content": reply(history)}]
    return history


def letters(seed: str) -> str:
    """500 characters that do not compress into nothing."""
    return "".join(random.Random(seed).choices(string.ascii_lowercase + " " * 5, k=500))


def stored_bytes(directory: Path) -> int:
    return sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())


def timed(function: Callable[[], Any]) -> dict[str, float]:
    gc.collect()  # so that no pass pays for the one before
    start, worked = time.perf_counter(), time.process_time()
    function()
    return {
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - worked,
    }


def memory_store(directory: Path) -> AbstractContextManager[Any]:
    return enact.InMemoryStore()


def file_store(directory: Path) -> AbstractContextManager[Any]:
    """The store on disk: enact 0.4 has FileStore, today's default is SQLite."""
    if hasattr(enact, "SQLiteStore"):
        return enact.SQLiteStore(str(directory / "bench.db"))
    return enact.FileStore(str(directory))


RECORDED = {"record": root, "count": count, "chat": chat}
STORES = {"memory": memory_store, "disk": file_store}


def run(what: str, store_kind: str, n: int) -> dict[str, float]:
    """One pass: seconds and those of the processor, and bytes where they go to disk."""
    directory = Path(tempfile.mkdtemp(prefix="enact-bench-"))
    try:
        store = STORES[store_kind](directory)
        with store:
            if what in RECORDED:
                took = timed(lambda: enact.invoke(RECORDED[what], (n,)))
            elif what == "replay":
                cut = enact.invoke(root, (n,)).rewind(1)
                took = timed(cut.replay)
            elif what == "gather":
                took = timed(lambda: asyncio.run(enact.invoke_async(aroot, (n,))))
            elif what == "gather-replay":
                cut = asyncio.run(enact.invoke_async(aroot, (n,))).rewind(0)
                took = timed(lambda: asyncio.run(cut.replay_async(strict=False)))
            else:
                raise ValueError(what)
        if hasattr(store, "close"):
            store.close()
        return {**took, "bytes": stored_bytes(directory)}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def outside(n: int) -> float:
    """Seconds for n calls of a registered function outside any invocation."""
    start = time.perf_counter()
    for i in range(n):
        leaf(i, TEXT)
    return time.perf_counter() - start


def serve() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        if command["what"] == "outside":
            answer: dict[str, float] = {"seconds": outside(command["n"])}
        else:
            answer = run(command["what"], command["store"], command["n"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
