# SPDX-License-Identifier: Apache-2.0
"""Something to record, and what must be there afterwards; no test itself.

A story is a list of steps: rows of runs and calls, and changes of an entry. Each
needs what was recorded before it, as real ones do: the blocks of a call link to those
of the calls that it made. So whatever survives has to be a beginning of the story.
"""

from __future__ import annotations

from contextlib import suppress

import apsw

from enact.stores import RunRow
from enact.testing.backends import sample_block, sample_call

SLOW, QUICK = 5.0, 0.0
"""Seconds that a call took: more than any flush, and less."""


class Story:
    """Steps that are to be recorded one by one.

    Args:
        chance: decides what they are.
        length: about how many.
    """

    def __init__(self, chance, length):
        self.steps = []
        number = 0
        while len(self.steps) < length:
            run = f"0{len(self.steps):04x}"
            row = RunRow(run, "shop:draft", "running", None, float(number), 0.0)
            self.steps.append(("run", row))
            for parent in range(chance.randrange(1, 4)):
                number = self._call_with_children(chance, run, parent * 10, number)
                if chance.random() < 0.5:
                    self._swap()
            ended = row._replace(status="completed", duration=1.0)
            self.steps.append(("end", ended))

    def _call_with_children(self, chance, run, first, number):
        started = sample_call(run, first, status="running", invocation=None)
        started = started._replace(parent=None, duration=QUICK)
        common = sample_block(chance.randrange(5))
        self.steps.append(("call", started, [sample_block(900_000 + number), common]))
        children = chance.randrange(5)
        for child in range(1, children + 1):
            seconds = chance.choice([SLOW, QUICK, QUICK, QUICK])
            row = sample_call(run, first + child, duration=seconds, parent=first)
            number += 1
            blocks = [sample_block(900_000 + number, chance.randrange(20, 250))]
            blocks += [sample_block(chance.randrange(40), 20) for _ in range(2)]
            self.steps.append(("call", row, blocks))
        ended = started._replace(status="completed", duration=chance.random() * SLOW)
        self.steps.append(("call", ended, [common]))
        return number + 1

    def _swap(self):
        place = len(self.steps)
        last = max(
            (n for n, step in enumerate(self.steps) if step[0] == "swap"), default=None
        )
        old = None if last is None else str(last)
        self.steps.append(("swap", old, str(place)))

    def tell(self, backend, place):
        """Records one step."""
        kind, *what = self.steps[place]
        if kind == "run":
            backend.begin_run(*what)
        elif kind == "end":
            backend.end_run(*what)
        elif kind == "call":
            backend.record(what[1], what[0])
        else:
            assert backend.swap("tag", "latest", *what)

    def seconds(self, place):
        """Tells how long it took to come to what a step records."""
        kind, *what = self.steps[place]
        return what[0].duration if kind in ("end", "call") else QUICK

    def is_in(self, backend, place):
        """Tells whether a step is there, or one that came later in its place."""
        kind, *what = self.steps[place]
        if kind in ("run", "end"):
            (row,) = backend.runs(run=what[0].id) or [None]
            return row in self._from(place, kind, what[0].id)
        if kind == "call":
            rows = backend.calls(run=what[0].run)
            there = {row.number: row for row in rows}.get(what[0].number)
            return there in self._from(place, kind, what[0][:2])
        tag = backend.entries("tag").get("latest")
        return tag is not None and int(tag) >= place

    def _from(self, place, kind, key):
        for kind_now, *what in self.steps[place:]:
            if kind == "call" and kind_now == "call" and what[0][:2] == key:
                yield what[0]
            elif kind != "call" and kind_now in ("run", "end") and what[0].id == key:
                yield what[0]

    def extent(self, backend):
        """Finds the last step that is there, and checks all of them.

        Returns:
            How many steps are there: the first ones, each with all that it needs.
        """
        runs, calls, tag = {}, {}, None
        for row in backend.runs():
            runs[row.id] = row
        for row in backend.calls():
            calls[row.run, row.number] = row
        tag = backend.entries("tag").get("latest")
        count = 0
        for place, (kind, *what) in enumerate(self.steps):
            if kind in ("run", "end") and runs.get(what[0].id) == what[0]:
                count = place + 1
            elif kind == "call" and calls.get(what[0][:2]) == what[0]:
                count = place + 1
            elif kind == "swap" and tag == what[1]:
                count = place + 1
        self.check(backend, count, runs, calls, tag)
        return count

    def check(self, backend, count, runs=None, calls=None, tag=None):
        """Fails unless exactly the first so many steps are there."""
        if runs is None:
            runs = {row.id: row for row in backend.runs()}
            calls = {(row.run, row.number): row for row in backend.calls()}
            tag = backend.entries("tag").get("latest")
        told_runs, told_calls, told_tag, blocks = {}, {}, None, {}
        for kind, *what in self.steps[:count]:
            if kind in ("run", "end"):
                told_runs[what[0].id] = what[0]
            elif kind == "call":
                told_calls[what[0].run, what[0].number] = what[0]
                blocks.update(what[1])
            else:
                told_tag = what[1]
        assert runs == told_runs, "runs"
        assert calls == told_calls, "calls"
        assert tag == told_tag, "an entry"
        assert backend.get(blocks) == blocks, "blocks"


def abandon(backend):
    """Leaves a backend as a process that is killed leaves it."""
    backend._refusal = "abandoned"
    intake = backend._intake
    connections = [backend._reader._connection]
    if intake is not None:
        intake._folder.stop()
        intake._flusher.stop()
        for batch in (intake._folding, intake._current):
            if batch is not None:
                batch.tail.abandon()
        if intake._archive is not None:
            connections.append(intake._archive.connection)
    for connection in connections:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        with suppress(apsw.Error):
            connection.close()
    backend._owner.forget()
