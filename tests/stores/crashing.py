# SPDX-License-Identifier: Apache-2.0
"""Processes that the tests of stores start and kill; no test itself."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from enact.stores import sqlite_backend
from enact.testing.backends import sample_block, sample_call


def record_for_ever(path: str, fold_bytes: int, pipe: int) -> None:
    """Records calls and says after each that it returned, until it is killed."""
    from enact.stores import intake

    intake.FOLD_BYTES = fold_bytes
    backend = sqlite_backend(path)
    number = 0
    while True:
        blocks = [sample_block(3 * number + k) for k in range(3)]
        backend.record(blocks, sample_call("0a", number, duration=1e-6))
        os.write(pipe, number.to_bytes(4, "big"))
        number += 1


def record_some(path: str, run: str, count: int, fold_bytes: int) -> None:
    """Records calls under a run of its own, reading them back now and then."""
    from enact.stores import intake

    intake.FOLD_BYTES = fold_bytes
    backend = sqlite_backend(path)
    base = int(run, 16) * 1_000_000
    for number in range(count):
        block = sample_block(base + number)
        shared = sample_block(number)  # which all processes write
        backend.record([shared, block], sample_call(run, number, duration=1e-6))
        if number % 50 == 0:
            assert backend.get([block[0], shared[0]]) == dict([block, shared])
    backend.close()


def copy_as_after_a_crash(path: Path, to: Path) -> Path:
    """Copies an open store with its log and tails, whose owner is then unknown."""
    to.mkdir()
    for file in path.parent.iterdir():
        if not file.name.endswith("-shm"):
            shutil.copy(file, to / file.name)
    return to / path.name


if __name__ == "__main__":
    record_for_ever(sys.argv[1], int(sys.argv[2]), 1)
