# SPDX-License-Identifier: Apache-2.0
"""Processes that write stores, or take care of them until they are killed; no test."""

from __future__ import annotations

import os
import random
import sys

import enact
from enact.errors import StoreUnavailable
from enact.stores import collect, intake


def write(path: str, number: str, count: str) -> None:
    """Commits values that share blocks with those of others, and tags them."""
    intake.FOLD_BYTES = 2000
    store = enact.SQLiteStore(path)
    for place in range(int(count)):
        shared = store.commit(["shared", place % 7, "y" * 300])
        store.commit(["junk", number, place])
        ref = store.commit({"mine": [number, place], "shared": shared})
        assert store.backend.swap("tag", f"{number}/{place}", None, f'"{ref.id}"')
    store.close()


def care(path: str, seed: str) -> None:
    """Makes garbage and takes care of the store, until it is killed."""
    collect.HOLD_SECONDS = 0.0
    chance = random.Random(int(seed))
    store = enact.SQLiteStore(path)
    os.write(1, b"!")
    number = 0
    while True:
        number += 1
        junk = store.commit(["junk", number, chance.randbytes(3000)])
        kept = store.commit(["kept", seed, number])
        store.backend.swap("tag", f"kept/{seed}/{number}", None, f'"{kept.id}"')
        try:
            job = chance.choice(["gc", "gc", "purge", "compact", "backup"])
            if job == "gc":
                store.gc(grace=0)
            elif job == "purge":
                store.purge(junk, why="a test")
            elif job == "compact":
                store.compact()
            else:
                store.backup(f"{path}-copy-{seed}-{number}")
        except StoreUnavailable as error:
            os.write(2, str(error).encode())
        os.write(1, b".")


if __name__ == "__main__":
    {"write": write, "care": care}[sys.argv[1]](*sys.argv[2:])
