# SPDX-License-Identifier: Apache-2.0
"""What random programs found about streams, each in a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact
from tests.calls.test_matrix import cut_after

HELD = []


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


@enact.register(name="stream_findings/reads_two_then_threads")
def reads_two_then_threads():
    shorter, longer = numbers(1), numbers(2)
    got = [*zip(shorter, longer, strict=False), *shorter, *longer]
    with ThreadPoolExecutor(1) as pool:
        return [*got, *pool.map(leaf, "a")]


@pytest.mark.parametrize(
    ("fn", "events"),
    [
        # A stream around two calls, which end before it does; then others.
        (reads_then_threads, [0, 0, 2, 0, 3, 1, 0, 4, 0, 5]),
        (reads_then_tasks, [0, 0, 2, 0, 3, 1, 0, 4]),
        # A stream that ends while another, begun later, is open.
        (reads_two_then_threads, [0, 0, 1, 2, 0, 3]),
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


@enact.register(name="stream_findings/passes_on")
def passes_on():
    with contextlib.closing(numbers(3)) as items:
        yield from items


@enact.register(name="stream_findings/holds")
def holds():
    HELD[:] = [passes_on()]
    return [leaf(item) for item in HELD[0]]


def test_a_stream_that_is_closed_after_its_reader_has_ended_changes_no_record(store):
    inv = enact.invoke(holds)
    edited = inv.edit(inv[2], raises=ValueError("no"))
    again = edited.replay(live="forbid", wrap_exceptions=True, raise_on_errors=())
    [run, _] = store.runs()
    count = len(list(store.backend.calls(run=run.id)))
    assert again[0].status == "incomplete"
    HELD.clear()  # here Python closes it
    assert len(list(store.backend.calls(run=run.id))) == count


@enact.register(name="stream_findings/stops")
def stops():
    raise KeyboardInterrupt


@enact.register(name="stream_findings/is_stopped")
def is_stopped():
    return [leaf(1), stops()]


def test_what_was_cut_off_has_ended_when_its_outcome_is_put_in(store):
    with pytest.raises(KeyboardInterrupt):
        enact.invoke(is_stopped)
    inv = store.runs()[0].invocation
    assert inv[1].status == "incomplete"
    edited = inv.edit(inv[1], output=2)
    assert edited[1].status == "completed"
    again = edited.replay()
    assert again.output == [1, 2] and again[1].status == "completed"


@enact.register(name="stream_findings/waits")
async def waits():
    await asyncio.sleep(10)


@enact.register(name="stream_findings/gives_up")
async def gives_up():
    try:
        return await asyncio.wait_for(waits(), 0.01)
    except TimeoutError:
        return "late"


def test_the_outcome_that_is_put_in_for_a_cancelled_call_is_given():
    inv = asyncio.run(enact.invoke_async(gives_up))
    assert inv.output == "late" and inv[0].status == "cancelled"
    edited = inv.edit(inv[0], output="early")
    assert asyncio.run(edited.replay_async()).output == "early"


@enact.register(name="stream_findings/fails")
def fails():
    raise ValueError("before")


@enact.register(name="stream_findings/throws_another")
def throws_another():
    try:
        fails()
    except ValueError:
        stream = numbers(2)
        next(stream)
        try:
            stream.throw(ValueError("thrown"))
        except ValueError as error:
            HELD.append((error.__context__, error.__suppress_context__))
            raise


@enact.register(name="stream_findings/handles_another")
def handles_another():
    with contextlib.suppress(ValueError):
        throws_another()


def test_what_comes_out_of_a_stream_tells_of_no_other_exception():
    handles_another()
    inv = enact.invoke(handles_another)
    assert inv.replay(live="forbid") == inv
    assert HELD == [(None, False)] * 3


@enact.register(name="stream_findings/takes_one")
def takes_one():
    with contextlib.closing(numbers(3)) as stream:
        return next(stream)


def test_items_that_were_put_in_are_so_when_their_reader_leaves_them():
    inv = enact.invoke(takes_one)
    again = inv.edit(inv[0], output=enact.Stream([5, 6])).replay()
    assert again.output == 5
    assert again[0].output == enact.Stream([5], ended="closed")
    assert again[0].response().details["origin"] == "edited"
    assert again.rewind(0).replay() == again


@pytest.mark.parametrize("fn", [reads_then_threads, reads_then_tasks])
def test_a_stream_beside_calls_goes_on_wherever_it_was_cut_off(fn):
    is_async = asyncio.iscoroutinefunction(fn)

    def record():
        return asyncio.run(enact.invoke_async(fn)) if is_async else enact.invoke(fn)

    whole = record()
    for count in range(2, len(whole.children) + 1):
        with enact.InMemoryStore() as store:
            run = cut_after(store, count, record)
            go_on = enact.resume_async if is_async else enact.resume
            done = asyncio.run(go_on(run)) if is_async else go_on(run)
            assert done.output == whole.output
            assert done.response().details == whole.response().details
