# SPDX-License-Identifier: Apache-2.0
"""What is left when the power fails, at any moment."""

from __future__ import annotations

import errno
import random
from collections import Counter

import apsw
import pytest

from enact.errors import StoreUnavailable
from enact.stores import intake, sqlite_backend
from enact.testing.backends import sample_block, sample_call
from tests.stores.disk import Disk, crash_image
from tests.stores.story import SLOW, Story, abandon


class Everything(random.Random):
    """Chance that lets everything survive."""

    def choice(self, options):
        return options[0]


class Nothing(random.Random):
    """Chance that lets nothing survive but what was forced to the disk."""

    def choice(self, options):
        return "none" if "none" in options else options[0]

    def random(self):
        return 1.0


def patiently(do, *args, **options):
    """Tries again what the disk did not take."""
    for _ in range(100):
        try:
            return do(*args, **options)
        except StoreUnavailable:
            pass
    raise AssertionError("the disk takes nothing")


class Recording:
    """A story that was recorded on a noted disk.

    Attributes:
        steps: what the disk was asked to do; ``("told", n)`` stands between them when
            the first n steps of the story had begun, and ``("kept", n)`` when
            the first n were promised to survive a loss of power.

    Args:
        directory: a new one.
        durability: of the store.
        chance: decides what happens.
        failing: share of flushes that fail; what they were to write may be lost.
    """

    def __init__(self, directory, durability, chance, failing=0.0):
        self.story = Story(chance, 60)
        self.durability = durability
        with Disk(directory) as disk:
            self.disk = disk
            if failing:
                disk.fault = lambda kind, path: (
                    errno.EIO if kind == "sync" and chance.random() < failing else None
                )
            self._record(directory / "runs.db", chance)
        self.steps = disk.steps
        self.directory = directory

    def _record(self, path, chance):
        def reopen():
            return patiently(sqlite_backend, path, durability=self.durability)

        backend = reopen()
        for place in range(len(self.story.steps)):
            self.disk.note("told", place + 1)
            patiently(self.story.tell, backend, place)
            if self._is_kept(place):
                self.disk.note("kept", place + 1)
            how = chance.random()
            if how < 0.05:
                patiently(backend.flush)
                self.disk.note("kept", place + 1)
            elif how < 0.13:
                if how < 0.09:
                    self._close(backend, place + 1)
                else:
                    abandon(backend)
                backend = reopen()
        self._close(backend, len(self.story.steps))

    def _close(self, backend, count):
        try:
            backend.close()
        except StoreUnavailable:
            return
        self.disk.note("kept", count)

    def _is_kept(self, place):
        kind = self.story.steps[place][0]
        if kind == "swap" or self.durability == "call":
            return True
        if self.durability == "end":
            return kind == "end"
        return self.story.seconds(place) >= SLOW / 2

    def check_crash(self, to, chance):
        """Crashes at some moment and looks at what is left."""
        point = chance.randrange(len(self.steps) + 1)
        steps = self.steps[:point]
        begun = max((s[1] for s in steps if s[0] == "told"), default=0)
        kept = max((s[1] for s in steps if s[0] == "kept"), default=0)
        crash_image(steps, to, chance)
        path = to / "runs.db"
        with Disk(to):  # which takes no time to flush
            backend = sqlite_backend(path)
            there = self.story.extent(backend)
            assert kept <= there <= begun, f"promised {kept}, begun {begun}: {there}"
            backend.record([sample_block(7)], sample_call("99", 0))
            backend.close()
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        assert connection.pragma("integrity_check") == "ok"
        connection.close()
        return there - kept


def crashes(tmp_path, durability, recordings, images, failing=0.0):
    found = Counter()
    for number in range(recordings):
        chance = random.Random(f"{durability} {number} {failing}")
        directory = tmp_path / f"{number}"
        directory.mkdir()
        recording = Recording(directory, durability, chance, failing)
        for image in range(images):
            to = tmp_path / f"{number}-{image}"
            try:
                more = recording.check_crash(to, chance)
            except BaseException as error:
                error.add_note(f"{durability}, recording {number}, image {image}")
                raise
            found["images"] += 1
            found["more than promised"] += more > 0
    return found


@pytest.fixture(autouse=True)
def small_tails(monkeypatch):
    monkeypatch.setattr(intake, "FOLD_BYTES", 3000)


@pytest.mark.parametrize("durability", ["adaptive", "call", "end"])
def test_a_loss_of_power_takes_nothing_that_was_promised(tmp_path, durability):
    assert crashes(tmp_path, durability, 3, 8)["images"] == 24


def test_a_flush_that_failed_is_not_taken_for_one_that_worked(tmp_path):
    assert crashes(tmp_path, "call", 3, 8, failing=0.1)["images"] == 24


@pytest.mark.soak
@pytest.mark.parametrize("failing", [0.0, 0.1])
@pytest.mark.parametrize("durability", ["adaptive", "call", "end"])
def test_many_losses_of_power(tmp_path, durability, failing):
    found = crashes(tmp_path, durability, 40, 25, failing)
    print(f"\n{durability}, {failing:.0%} of flushes fail: {dict(found)}")


def test_a_store_that_was_being_made_is_no_other_file(tmp_path):
    with Disk(tmp_path) as disk:
        sqlite_backend(tmp_path / "runs.db").close()
    begun = next(n for n, step in enumerate(disk.steps) if step[:2] == ("write", 1))
    path = tmp_path / "made" / "runs.db"
    crash_image(disk.steps[:begun], path.parent, Everything())
    with path.open("wb") as file:
        file.write(bytes(4096))  # what SQLite was writing
    sqlite_backend(path).close()


def test_nothing_is_promised_on_a_log_whose_flush_failed(tmp_path):
    # A tail says whose it is, and that the store was made may be in the log only. These
    # are the flushes that leave a log there that looks whole.
    path = tmp_path / "first" / "runs.db"
    path.parent.mkdir()
    flushes = []

    def fault(kind, path):
        if kind == "sync" and path.endswith("-wal"):
            flushes.append(path)
            return errno.EIO if len(flushes) in (1, 4, 5) else None
        return None

    with Disk(path.parent) as disk:
        disk.fault = fault
        backend = patiently(sqlite_backend, path, durability="call")
        backend.record([sample_block(1)], sample_call("00", 0))
        steps = list(disk.steps)
        backend.close()
    assert len(flushes) > 5
    crash_image(steps, tmp_path / "second", Nothing())
    backend = sqlite_backend(tmp_path / "second" / "runs.db")
    assert len(list(backend.calls())) == 1
    backend.close()
