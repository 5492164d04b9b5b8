# SPDX-License-Identifier: Apache-2.0
"""What random programs found about streams, each in a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact


@pytest.fixture(autouse=True)
def store():
    with enact.InMemoryStore() as store:
        yield store


@enact.register(name="stream_findings/leaf")
def leaf(x):
    return x


@enact.register(name="stream_findings/aleaf")
async def aleaf(x):
    return x


@enact.register(name="stream_findings/numbers")
def numbers(count):
    yield from range(count)


@enact.register(name="stream_findings/anumbers")
async def anumbers(count):
    for number in range(count):
        yield number


@enact.register(name="stream_findings/reads_then_threads")
def reads_then_threads():
    got = [leaf(item) for item in numbers(2)]
    with ThreadPoolExecutor(1) as pool:
        return [*got, *pool.map(leaf, "ab")]


@enact.register(name="stream_findings/reads_then_tasks")
async def reads_then_tasks():
    got = [await aleaf(item) async for item in anumbers(2)]
    return [*got, *await asyncio.gather(aleaf("a"))]


@pytest.mark.parametrize(
    ("fn", "events"),
    [
        # A stream around two calls, which end before it does; then others.
        (reads_then_threads, [0, 0, 2, 0, 3, 1, 0, 4, 0, 5]),
        (reads_then_tasks, [0, 0, 2, 0, 3, 1, 0, 4]),
    ],
)
def test_what_is_called_beside_a_stream_comes_before_its_end(fn, events):
    if asyncio.iscoroutinefunction(fn):
        inv = asyncio.run(enact.invoke_async(fn))
        again = asyncio.run(inv.rewind(0).replay_async())
    else:
        inv = enact.invoke(fn)
        again = inv.rewind(0).replay()
    assert inv.response().details["events"] == events
    assert again == inv and again.verdicts() == {}


@enact.register(name="stream_findings/throws")
def throws():
    stream = numbers(2)
    first = next(stream)
    stream.throw(ValueError(first))


@enact.register(name="stream_findings/handles")
def handles():
    with contextlib.suppress(ValueError):
        throws()
    return leaf(1)


def test_what_is_thrown_into_a_stream_is_not_raised_by_who_throws_it():
    inv = enact.invoke(handles)
    assert not inv[0].get_raised_here() and inv[0, 0].get_raised_here()
    assert inv.replay(live="forbid") == inv
