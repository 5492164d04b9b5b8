# SPDX-License-Identifier: Apache-2.0
"""The workload whose steps are timed, in a process per measurement.

``python -m bench.systems.cost SYSTEM record|die|resume DIRECTORY STEPS`` prints one
JSON object; ``die`` ends by SIGKILL after the steps.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from bench.systems import system

WARM = 20
NAME, _WHAT, DIRECTORY, STEPS = sys.argv[1:5]
CHOSEN = system(NAME)
MOMENTS: dict[str, tuple[float, float]] = {}


def text(i: int) -> str:
    """200 characters, other ones for each step, that hardly compress."""
    return base64.b64encode(hashlib.shake_256(b"%d" % i).digest(150)).decode()


def now(what: str) -> None:
    """Notes the time, and the processor time of all threads, at the first call."""
    MOMENTS.setdefault(what, (time.perf_counter(), time.process_time()))


def between(start: str, end: str, name: str) -> dict[str, float]:
    """Seconds between two moments, as a figure of that name and one of the CPU's."""
    (wall, cpu), (wall_then, cpu_then) = MOMENTS[start], MOMENTS[end]
    return {name: wall_then - wall, f"{name} cpu": cpu_then - cpu}


@CHOSEN.step
def step(given: str) -> str:
    return given.swapcase()


@CHOSEN.step
def last(given: str) -> str:
    now("live")
    if "BENCH_DIES" in os.environ:
        time.sleep(0.3)  # some write in the background
        os.kill(os.getpid(), signal.SIGKILL)
    return given


@CHOSEN.root
def steps(n: int) -> int:
    now("began")
    length = 0
    for i in range(n):
        length += len(step(text(i)))
    return length


@CHOSEN.root
def steps_then_last(n: int) -> int:
    now("began")
    length = 0
    for i in range(n):
        length += len(step(text(i)))
    return length + len(last("end"))


def main() -> None:
    directory, n = Path(DIRECTORY), int(STEPS)
    answer: dict[str, float] = {}
    now("start")
    CHOSEN.open(directory)
    if _WHAT == "resume":
        output = CHOSEN.resume(steps_then_last, "died")
        answer |= between("start", "live", "whole") | between("began", "live", "body")
        assert output == 200 * n + 3, output
    elif _WHAT == "record":
        CHOSEN.run(steps, WARM, "warm")
        gc.collect()
        now("warm")
        assert CHOSEN.run(steps, n, "timed") == 200 * n
        now("recorded")
        answer |= between("warm", "recorded", "record")
    else:
        CHOSEN.run(steps_then_last, n, "died")
    CHOSEN.close()
    files = [path for path in directory.rglob("*") if path.is_file()]
    answer["bytes"] = sum(path.stat().st_size for path in files)
    print(json.dumps(answer), flush=True)
    os._exit(0)  # threads of some wait for their next poll


if __name__ == "__main__":
    main()
