# SPDX-License-Identifier: Apache-2.0
"""A process that searches, or resumes a search, and is killed at a certain call."""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import sys

import enact
from tests.search.programs_to_search import sample

_count = itertools.count(1)
KILL_AT = 0


@enact.register(name="killed/digit")
def digit(place: int, before: int) -> int:
    if next(_count) == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return sample("killed", place, before)


@enact.register(name="killed/part")
def part(place: int, total: int) -> int:
    return total + digit(place, total) + digit(place + 1, total)


@enact.register(name="killed/number")
def number() -> int:
    total = 0
    for place in range(2):
        total = part(10 * place, total)
        enact.score(total)
    return total


@enact.register(name="killed/reply")
def reply(history: list[int]) -> int:
    if next(_count) == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    draw = enact.current_call().draw
    text = repr((history, draw)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")


@enact.register(name="killed/talk")
def talk() -> int:
    # Each request has all that was said before, so no two executions make the same one.
    history: list[int] = []
    for _ in range(5):
        history.append(reply(history))
        enact.score(history[-1])
    return history[-1]


@enact.register(name="killed/judge")
def judge(total: int) -> float:
    return float(total)


def draws(result: enact.search.Result) -> list[tuple[bytes, int]]:
    """Request and number of each draw that was made for the tree."""
    found: list[tuple[bytes, int]] = []
    for call in result.invocation.find("enact/search/Extend"):
        step = call.output
        if step.place is not None:
            requests = [ref.cid for ref in step.drawn]
            found += zip(requests, step.numbers, strict=True)
            if step.first is not None:
                found.append((step.first.cid, step.number))
    return found


def main(
    path: str, strategy: str, executor: str, kill_at: str, program: str = "number"
) -> None:
    global KILL_AT
    KILL_AT = int(kill_at)
    with enact.open_store(path) as store:
        runs = store.runs(name="enact/search")
        if runs:
            result = enact.search.resume(runs[0])
        else:
            result = enact.search.run(
                globals()[program], score=judge, strategy=strategy,
                executor=int(executor), budget=enact.search.Budget(calls=40),
            )  # fmt: skip
        made = draws(result)
        assert len(made) == len(set(made)), "a number was drawn twice"
        for node in result.tree:
            output = None if node.output is None else node.output.hex()
            print(node.parent, node.kind, node.depth, node.score, output)
        print(result.best.output, result.spent.calls, result.stopped)


if __name__ == "__main__":
    main(*sys.argv[1:])
