# SPDX-License-Identifier: Apache-2.0
"""A machine that is too busy to run a replay, or stops it, changes nothing in it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from enact.calls import stuck
from tests.calls import test_queue_order, test_work_futures

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    test_queue_order.impatient,
    test_queue_order.workers,
    test_work_futures.first,
]
CHECKS = ("check_replays", "check_rewinds", "check_crashes")


def test_a_stop_counts_as_one_look(monkeypatch):
    times = iter([0.0, 0.1, 0.2, 60.0, 60.1, 60.2])
    monkeypatch.setattr(stuck.time, "monotonic", lambda: next(times))
    still = stuck.Stillness(0.1)
    assert [still.look("here") for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    assert still.look("there") == 0
    assert still.look("there") == pytest.approx(0.1)


@pytest.mark.soak
@pytest.mark.skipif(os.name != "posix", reason="stops a process by a signal")
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_process_that_is_stopped_again_and_again(program, check):
    code = (
        f"from {program.__module__} import {program.__name__} as program\n"
        f"from tests.calls.test_work_futures import {check} as check\n"
        "check(program, (), 40)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    chance = random.Random(check)
    time.sleep(1)  # imports
    while run.poll() is None:
        time.sleep(chance.random() * 0.01)
        run.send_signal(signal.SIGSTOP)
        time.sleep(0.12)
        run.send_signal(signal.SIGCONT)
    assert run.returncode == 0
