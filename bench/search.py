# SPDX-License-Identifier: Apache-2.0
"""What an expansion costs: by depth, by strategy, over a long search.

The program draws integers; a draw takes a microsecond. A step of a tree search replays
the executions up to its node, so its cost grows with the depth. Each measurement is a
process of its own, and counts the time of its processor: it waits for nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import re
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import enact
from bench.per_call import worker
from bench.table import AT_LEAST, Row

# depth, microseconds at most, times faster than 0.4.16's replay at least
DEPTHS = [(10, 760, 10), (100, None, 50), (1000, 5000, 100)]

# Long searches draw once for an expansion, also by strategies that do nothing but run
# the program to its end.
SHORT = {"best_of": 1, "majority": 1, "evolve": 1}

# So that n nodes are made, of a program of so many draws. The figures in brackets are
# multiplied by n.
STRATEGIES = {
    "best_of": ("best_of(n=[1])", 10),
    "majority": ("majority(n=[1])", 10),
    "dfs": ("dfs(width=2)", 18),
    "bfs": ("bfs(width=2)", 18),
    "best_first": ("best_first", 18),
    "reexpand": ("reexpand", 10),
    "beam": ("beam(width=[0.01], expand=10)", 10),
    "mcts": ("mcts(iterations=[0.5])", 10),
    "puct": ("puct(iterations=[0.5])", 10),
    "ab_mcts": ("ab_mcts(iterations=[0.5])", 10),
    "sequential_halving": (
        "sequential_halving(candidates=[0.01], rollouts=[0.1])", 10,
    ),
    "smc": ("smc(particles=[0.1])", 10),
    "evolve": ("evolve(mutate='bench/mutate', variants=[0.5])", 10),
}  # fmt: skip


@enact.register(name="bench/digit")
def digit(place: int) -> int:
    return random.randrange(10)


@enact.register(name="bench/number")
def number(length: int) -> int:
    total = 0
    for place in range(length):
        total += digit(place)
        enact.score(total)
    return total


@enact.register(name="bench/given", deterministic=True)
def given(place: int) -> int:
    return place


@enact.register(name="bench/Number")
@dataclasses.dataclass
class Number(enact.Invokable[int, int]):
    """Draws behind so many calls that are nothing but replayed."""

    depth: int = 0
    offset: int = 0

    def call(self, length: int) -> int:
        for place in range(self.depth):
            given(place)
        return self.offset + number(length)


@enact.register(name="bench/mutate")
def mutate(parent: Number) -> Number:
    return Number(parent.depth, parent.offset + random.choice([-1, 1]))


def deep(depth: int, count: int, parked: int) -> float:
    """Microseconds for a step at a depth, from a chain of first samples.

    With ``parked`` it goes on where the execution stands; without it replays.
    """
    marks: list[tuple[int, float]] = []

    def note(progress: enact.search.Progress) -> None:
        marks.append((progress.tree[len(progress.tree) - 1].depth, time.process_time()))

    enact.search.run(
        number, (depth + count + 2,), score=float, strategy="dfs(width=1)",
        progress=note, parked=parked,
    )  # fmt: skip
    steps = [
        (then - before) * 1e6
        for (_, before), (at, then) in pairwise(marks)
        if depth <= at < depth + count
    ]
    return median(steps)


def searched(
    name: str, nodes: int, depth: int, note: Any = None, draws: int | None = None
) -> Any:
    """A search of about so many nodes, behind so many calls."""
    text, length = STRATEGIES[name]
    strategy = re.sub(
        r"\[(.+?)\]", lambda m: str(max(2, int(float(m[1]) * nodes))), text
    )
    # Those that have no end by themselves draw one sample for each node.
    budget = enact.search.Budget(calls=nodes) if strategy == text else None
    return enact.search.run(
        Number(depth), (draws or length,), score=float, strategy=strategy,
        progress=note, budget=budget,
    )  # fmt: skip


def each(name: str, depth: int) -> float:
    """Microseconds for each expansion, all in all."""
    searched(name, 20, depth)  # what is done once: imports, and first uses
    started = time.process_time()
    result = searched(name, 200, depth)
    return (time.process_time() - started) * 1e6 / (len(result.tree) - 1)


def long(
    name: str, nodes: int, draws: int | None = None
) -> tuple[float, float, int, int]:
    """Last tenth of the nodes against the first ones, megabytes at the peak, nodes,
    calls.

    The first tenth itself is left out: its nodes are not as deep as the others.
    ``draws`` says how many the program makes.
    """
    marks: list[float] = []
    step = nodes // 10
    made = 0

    def note(progress: enact.search.Progress) -> None:
        nonlocal made
        made = len(progress.tree)
        if made >= step * (len(marks) + 1):
            marks.append(time.process_time())

    result = searched(name, nodes, 0, note, draws or SHORT.get(name))
    parts = [after - before for before, after in pairwise(marks)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return parts[-1] / median(parts[:3]), memory, made, result.spent.calls


def _measured(*what: Any) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "bench.search", *map(str, what)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def steps(peer: Any, passes: int) -> tuple[list[Row], dict[int, float]]:
    """What a step costs, beside a replay of as many calls in enact 0.4.16.

    0.4.16 has no search; one over it would have to replay the way to a node, at least.
    Both take turns, pass by pass.
    """
    rows: list[Row] = []
    replays: dict[int, float] = {}
    for depth, bar, faster in DEPTHS:
        mine, in_place, theirs = [], [], []
        for _ in range(passes):
            mine.append(_measured("deep", depth, 50, 0))
            in_place.append(_measured("deep", depth, 50, 16))
            if peer:
                pass_of_peer = peer.ask(what="replay", store="memory", n=depth)
                theirs.append(pass_of_peer["processor"] * 1e6)
        took = median(mine)
        # That figure of theirs is from their paper; it says nothing of the depth.
        note = "OpenEnCompass: 760, as they report" if depth == 10 else ""
        if theirs:
            replays[depth] = median(theirs)
            note = f"0.4.16's replay: {replays[depth]:,.0f} us. {note}".strip()
        rows.append(Row(f"a step at depth {depth:,}", took, "us", bar, note=note))
        what = "   the first of a node, which goes on where it stands"
        rows.append(Row(what, median(in_place), "us"))
        if theirs:
            ratio = replays[depth] / took
            what = "   times faster than 0.4.16's replay"
            rows.append(Row(what, ratio, "x", faster, AT_LEAST))
    return rows, replays


def searches(is_long: bool, peer_python: Path | None, passes: int) -> list[Row]:
    """All figures."""
    with contextlib.ExitStack() as stack:
        peer = peer_python and stack.enter_context(worker(peer_python))
        rows, replays = steps(peer, passes)
    for name in STRATEGIES:
        for depth, _, _ in DEPTHS:
            took = _measured("each", name, depth)
            note = ""
            if depth in replays:
                note = f"{replays[depth] / took:.0f} x faster than 0.4.16's replay"
            what = f"an expansion, {name}, depth {depth:,}"
            rows.append(Row(what, took, "us", note=note))
    many = 100_000 if is_long else 20_000
    for name in STRATEGIES:
        growth, memory, made, calls = _measured("long", name, many)
        what = f"{made:,} expansions, {calls:,} calls, {name}"
        note = "last tenth against the first ones"
        rows.append(Row(what, growth, "x", 1.5, note=note))
        rows.append(Row("   memory at the peak", memory, "MB", 1000))
    return rows


def main(what: str, *options: str) -> None:
    """One measurement, for a process of its own."""
    if what == "deep":
        print(json.dumps(deep(*map(int, options))))
    elif what == "each":
        print(json.dumps(each(options[0], int(options[1]))))
    else:
        print(json.dumps(long(options[0], *map(int, options[1:]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
