# SPDX-License-Identifier: Apache-2.0
"""A process that works on a store with others; no test itself.

It records calls, counts in an entry that all share, and opens and closes the store
all the time; some check the store and collect garbage as well. Of each thing that
returned it writes a line to its output first.
"""

from __future__ import annotations

import random
import sys
import time

from enact.errors import StoreUnavailable
from enact.stores import RunRow, intake, sqlite_backend
from enact.testing.backends import sample_block, sample_call


def call_of(run, number):
    """The row and the blocks that a process records under a number."""
    row = sample_call(run, number, duration=random.Random(number).choice([1e-6, 5.0]))
    base = int(run, 16) * 100_000
    blocks = [sample_block(number % 20), sample_block(base + number)]
    # The row keeps the blocks: whatever no row needs may be collected.
    row = row._replace(request=blocks[0][0], invocation=blocks[1][0])
    return row, blocks


def run_of(run):
    return RunRow(run, "shop:draft", "running", None, float(int(run, 16)), 0.0)


def count_one(backend, key):
    """Adds one to a counter that others change as well."""
    while True:
        old = backend.entries("count", key).get(key)
        if backend.swap("count", key, old, str(int(old or 0) + 1)):
            return


def tell(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def work(path, run, seconds):
    chance = random.Random(run)
    intake.FOLD_BYTES = chance.choice([2_000, 20_000, 4 << 20])
    end = time.monotonic() + seconds
    number = 0
    begun = False
    while time.monotonic() < end:
        backend = sqlite_backend(path)
        if not begun:
            backend.begin_run(run_of(run))
            tell("run")
            begun = True
        for _ in range(chance.randrange(1, 40)):
            if chance.random() < 0.1:
                tell("try")
                count_one(backend, chance.choice("ab"))
                tell("count")
            row, blocks = call_of(run, number)
            backend.record(blocks, row)
            tell(f"call {number}")
            number += 1
        if chance.random() < 0.2:
            assert len(list(backend.calls(run=run))) == number
        if run[-1] in "15" and chance.random() < 0.3:
            report = backend.check()
            assert report.ok, str(report)
            try:
                backend.collect(0.0)
            except StoreUnavailable as error:
                if "by somebody else" not in str(error):  # one at a time
                    raise
        backend.close()
    tell("done")


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], float(sys.argv[3]))
