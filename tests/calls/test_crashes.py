# SPDX-License-Identifier: Apache-2.0
"""Programs that are killed with ``kill -9`` and resumed: ``bench/crash.py``, short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.crash_programs import PROGRAMS

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def kill_and_resume(kills, seed, programs=()):
    command = [sys.executable, "-m", "bench.crash", "--programs", ",".join(programs)]
    command += ["--kills", str(kills), "--seed", str(seed), "--jobs", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_killed_runs_lose_no_call_and_repeat_none():
    kill_and_resume(100, 3, sorted(PROGRAMS))


@pytest.mark.soak
def test_runs_that_are_killed_many_times_lose_no_call_and_repeat_none():
    kill_and_resume(2000, 4)
