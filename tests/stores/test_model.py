# SPDX-License-Identifier: Apache-2.0
"""A store under any series of operations, beside plain dictionaries."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from enact.stores import RunRow, intake, sqlite_backend
from enact.testing.backends import sample_block, sample_call
from tests.stores.disk import Disk
from tests.stores.story import abandon

SOME_BLOCKS = st.lists(
    st.builds(sample_block, st.integers(0, 60), st.sampled_from([5, 40, 250])),
    max_size=4,
)
STATUSES = st.sampled_from(["running", "failed", "paused", "completed"])
PROCESSES = st.integers(0, 1)
KEYS = st.sampled_from(["best", "last", "Ö\0"])
TEXTS = st.none() | st.text(max_size=5)


class StoreMachine(RuleBasedStateMachine):
    """Two processes with one store; each executes runs of its own."""

    @initialize(
        fold_bytes=st.sampled_from([200, 2000, 4 << 20]),
        durability=st.sampled_from(["adaptive", "call", "end"]),
    )
    def open(self, fold_bytes, durability):
        self.directory = tempfile.TemporaryDirectory()
        self.disk = Disk(self.directory.name)
        self.disk.__enter__()
        self.patch = mock.patch.object(intake, "FOLD_BYTES", fold_bytes)
        self.patch.start()
        self.durability = durability
        self.path = Path(self.directory.name) / "runs.db"
        self.blocks, self.runs, self.calls = {}, {}, {}
        self.entries = defaultdict(dict)
        self.backends = [self.open_one(), self.open_one()]

    def open_one(self):
        return sqlite_backend(self.path, durability=self.durability)

    @rule(process=PROCESSES, blocks=SOME_BLOCKS)
    def put(self, process, blocks):
        self.backends[process].put(blocks)
        self.blocks.update(blocks)

    @rule(
        process=PROCESSES,
        run=st.integers(0, 2),
        number=st.integers(0, 5),
        status=STATUSES,
        seconds=st.sampled_from([0.0, 9.0]),
        blocks=SOME_BLOCKS,
    )
    def record(self, process, run, number, status, seconds, blocks):
        run = f"{process}{run}"
        row = sample_call(run, number, status=status, duration=seconds)
        self.backends[process].record(blocks, row)
        self.blocks.update(blocks)
        self.calls[run, number] = row

    @rule(process=PROCESSES, run=st.integers(0, 2), status=STATUSES)
    def write_run(self, process, run, status):
        row = RunRow(f"{process}{run}", "shop:draft", status, None, float(run), 1.0)
        backend = self.backends[process]
        (backend.begin_run if status == "running" else backend.end_run)(row)
        self.runs[row.id] = row

    @rule(process=PROCESSES, key=KEYS, old=TEXTS, right=st.booleans(), new=TEXTS)
    def swap(self, process, key, old, right, new):
        entries = self.entries["tag"]
        if right:
            old = entries.get(key)
        agreed = entries.get(key) == old
        assert self.backends[process].swap("tag", key, old, new) == agreed
        if agreed and new is None:
            entries.pop(key, None)
        elif agreed:
            entries[key] = new

    @rule(process=PROCESSES)
    def flush(self, process):
        self.backends[process].flush()

    @rule(process=PROCESSES)
    def reopen(self, process):
        self.backends[process].close()
        self.backends[process] = self.open_one()

    @rule(process=PROCESSES)
    def crash(self, process):
        abandon(self.backends[process])
        self.backends[process] = self.open_one()

    @rule(process=PROCESSES)
    def crash_both(self, process):
        for backend in self.backends:
            abandon(backend)
        self.backends = [self.open_one(), self.open_one()]

    @rule(process=PROCESSES, run=st.integers(0, 2))
    def ask_for_some(self, process, run):
        backend, run = self.backends[process], f"{1 - process}{run}"
        wanted = [row for (its, _), row in sorted(self.calls.items()) if its == run]
        assert list(backend.calls(run=run)) == wanted
        assert list(backend.calls(run=run, newest_first=True)) == wanted[::-1]
        failed = [row for row in wanted if row.status == "failed"]
        assert list(backend.calls(run=run, status="failed")) == failed
        for row in wanted[:1]:
            asked = list(backend.calls(run=run, request=row.request))
            assert asked == [r for r in wanted if r.request == row.request]
        found = [self.runs[run]] if run in self.runs else []
        assert backend.runs(run=run) == found

    @rule(process=PROCESSES)
    def look_at_everything(self, process):
        self.look(self.backends[process])

    def look(self, backend):
        every = [sample_block(n, size) for n in range(61) for size in (5, 40, 250)]
        assert backend.get(cid for cid, _ in every) == self.blocks
        assert {(row.run, row.number): row for row in backend.calls()} == self.calls
        assert {row.id: row for row in backend.runs()} == self.runs
        assert backend.entries("tag") == dict(sorted(self.entries["tag"].items()))

    @invariant()
    def last_things_are_there(self):
        if not hasattr(self, "backends"):
            return
        for backend in self.backends:
            assert backend.has(self.blocks) == set(self.blocks)

    def teardown(self):
        if not hasattr(self, "backends"):
            return
        try:
            for backend in self.backends:
                backend.close()
            self.backends = [self.open_one()]
            self.look(self.backends[0])
        finally:
            for backend in self.backends:
                backend.close()
            self.disk.__exit__()
            self.patch.stop()
            left = {path.name for path in self.path.parent.iterdir()}
            self.directory.cleanup()
        assert {name for name in left if "-owner-" not in name} == {"runs.db"}


SETTINGS = settings(
    deadline=None,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)


def test_a_store_does_what_dictionaries_do():
    run_state_machine_as_test(
        StoreMachine, settings=settings(SETTINGS, max_examples=25)
    )


@pytest.mark.soak
def test_a_store_does_what_dictionaries_do_over_and_over():
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(SETTINGS, max_examples=1000, stateful_step_count=40),
    )
