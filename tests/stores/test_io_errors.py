# SPDX-License-Identifier: Apache-2.0
"""A disk that fails at some step, for each step of what a program does."""

from __future__ import annotations

import errno
import random
import re
import threading

import pytest

from enact.errors import StoreError, StoreUnavailable
from enact.stores import intake, sqlite_backend
from enact.testing.backends import sample_block, sample_call
from tests.stores.disk import Disk
from tests.stores.story import Story

ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO}


class Failing:
    """Fails at step ``at`` and those that follow, ``steps`` in all."""

    def __init__(self, at, error, steps):
        self.at, self.error, self.steps = at, error, steps
        self.count = 0
        self.failed = []
        self._lock = threading.Lock()

    def is_over(self):
        return self.count >= self.at + self.steps

    def __call__(self, kind, path):
        with self._lock:
            self.count += 1
            due = self.at < self.count <= self.at + self.steps
            if due:
                self.failed.append(f"{kind} {path}")
        return self.error if due else None


class Program:
    """Records a story in a store whose disk fails, and notes what it was told."""

    def __init__(self, path, story, durability, failing):
        self.path, self.story, self.durability = path, story, durability
        self.failing = failing
        self.kept = set()
        self.refused_late = 0
        self.told = []
        self.backend = None

    def run(self):
        third = len(self.story.steps) // 3 + 1
        for place in range(len(self.story.steps)):
            if place % third == 0:
                self.close()
            good = self.failing.is_over()
            if self._try(self._open) and self._try(self._tell, place):
                self.kept.add(place)
            else:
                self.refused_late += good
        self.close()

    def close(self):
        if self.backend is not None:
            self._try(self.backend.close)
            self.backend = None

    def _open(self):
        if self.backend is None:
            self.backend = sqlite_backend(self.path, durability=self.durability)
        return True

    def _tell(self, place):
        kind, *what = self.story.steps[place]
        if kind == "swap":  # one of before may not have taken place
            old = self.backend.entries("tag").get("latest")
            assert self.backend.swap("tag", "latest", old, what[1])
        else:
            self.story.tell(self.backend, place)
        return True

    def _try(self, do, *args):
        try:
            return do(*args)
        except StoreError as error:
            self.told.append(error)
        return None


def check_message(error, path):
    assert isinstance(error, StoreUnavailable), repr(error)
    assert str(path) in str(error), error
    assert re.search(r"; (free some|the disk reports|see )", str(error)), error


def check_left(path, story, kept):
    """Fails unless all that was accepted is there, and recording goes on."""
    backend = sqlite_backend(path)
    for place in kept:
        assert story.is_in(backend, place), f"step {place}: {story.steps[place]}"
    blocks = {}
    for place in kept:
        if story.steps[place][0] == "call":
            blocks.update(story.steps[place][2])
    assert backend.get(blocks) == blocks
    list(backend.calls()), backend.runs()
    backend.record([sample_block(7)], sample_call("99", 0))
    backend.close()
    backend = sqlite_backend(path)
    assert list(backend.calls(run="99")) == [sample_call("99", 0)]
    backend.close()


def fail_at(directory, story, at, error, steps, durability):
    """Runs the program with a failure; None when it ends before that."""
    directory.mkdir()
    path = directory / "runs.db"
    failing = Failing(at, ERRORS[error], steps)
    program = Program(path, story, durability, failing)
    with Disk(directory) as disk:
        disk.fault = failing
        program.run()
        disk.fault = None
        if not failing.failed:
            return None
        try:
            for told in program.told:
                check_message(told, path)
            check_left(path, story, program.kept)
            # A flush that failed late is told to the next call.
            assert program.refused_late <= 1, "recording did not go on"
        except BaseException as error:
            error.add_note(f"failed: {failing.failed[:3]}, told: {program.told[:3]}")
            raise
    return failing


def fail_at_each(tmp_path, error, steps, durability, length, stride=1, seed=0):
    story = Story(random.Random(seed), length)
    at = 0
    while True:
        to = tmp_path / f"{at}"
        try:
            if fail_at(to, story, at, error, steps, durability) is None:
                return at
        except BaseException as problem:
            problem.add_note(f"step {at}, {error}, {steps} times")
            raise
        at += stride


@pytest.fixture(autouse=True)
def small_tails(monkeypatch):
    monkeypatch.setattr(intake, "FOLD_BYTES", 2000)
    monkeypatch.setattr(intake, "_RETRY_SECONDS", 0.0)


@pytest.mark.parametrize("steps", [1, 40])
@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_fails_at_some_step_loses_nothing(tmp_path, error, steps):
    assert fail_at_each(tmp_path, error, steps, "call", 20, stride=17) > 100


@pytest.mark.soak
@pytest.mark.parametrize("durability", ["call", "adaptive", "end"])
@pytest.mark.parametrize("steps", [1, 4, 40, 100_000])
@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_fails_at_any_step(tmp_path, error, steps, durability):
    count = fail_at_each(tmp_path, error, steps, durability, 30)
    print(f"\n{error}, {steps} times, {durability}: each of {count} steps")
