# SPDX-License-Identifier: Apache-2.0
"""What enact costs where nothing is recorded: a call outside, and the import."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench import workload
from bench.per_call import bare, worker
from bench.table import Row
from bench.workload import TEXT


def outside(peer_python: Path | None, passes: int, n: int = 20_000) -> list[Row]:
    """The overhead of ``@enact.register`` for a call that is not recorded."""
    overhead = []
    for _ in range(passes):
        start = time.perf_counter()
        for i in range(n):
            bare(i, TEXT)
        plain = time.perf_counter() - start
        overhead.append(1e6 * (workload.outside(n) - plain) / n)
    note = ""
    if peer_python:
        with worker(peer_python) as peer:
            seconds = peer.ask(what="outside", store="", n=n)["seconds"]
        note = f"0.4.16: {1e6 * seconds / n:.1f} us with the call"
    what = "registered function outside an invocation"
    return [Row(what, median(overhead), "us/call", 1.0, note=note)]


def import_time(peer_python: Path | None, passes: int) -> list[Row]:
    """``import enact`` in a new process, less a process that imports nothing.

    The best of the passes: what else the machine does only ever adds.
    """

    # As when it was installed: the compiled modules are kept.
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def best(python: Path | str, code: str) -> float:
        taken = []
        for _ in range(passes):
            start = time.perf_counter()
            subprocess.run([str(python), "-c", code], check=True, env=environment)
            taken.append(time.perf_counter() - start)
        return 1000 * min(taken)

    mine = best(sys.executable, "import enact") - best(sys.executable, "pass")
    note = ""
    if peer_python:
        theirs = best(peer_python, "import enact") - best(peer_python, "pass")
        note = f"0.4.16: {theirs:.0f} ms"
    return [Row("import enact", mine, "ms", 100, note=note)]
