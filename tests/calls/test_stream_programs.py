# SPDX-License-Identifier: Apache-2.0
"""Random programs of streams do, recorded and replayed, what Python does with them.

A program is data: what a generator does step by step, streams within streams among it,
and what its reader asks of several open streams in turn (items, ``send``, ``throw``,
``close``), with calls in between. Generators and async generators run the same data.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import enact
from tests.calls.test_matrix import cut_after

RAN = []


@enact.register(name="stream_programs/leaf")
def leaf(what):
    RAN.append(what)
    return f"{what}!"


@enact.register(name="stream_programs/aleaf")
async def aleaf(what):
    RAN.append(what)
    for _ in range(sum(map(ord, what)) % 3):
        await asyncio.sleep(0)
    return f"{what}!"


@enact.register(name="stream_programs/gives")
def gives(name, steps, catches, cleans):
    try:
        for number, step in enumerate(steps):
            here = f"{name}.{number}"
            if step == "call":
                leaf(here)
            elif step == "raise":
                raise LookupError(here)
            elif step == "yield":
                try:
                    got = yield [here]
                    if got is not None:
                        leaf(f"{here} got {got}")
                except ValueError:
                    if not catches:
                        raise
                    leaf(f"{here} caught")
            else:
                with contextlib.closing(gives(here, *step)) as inner:
                    yield from inner
    finally:
        if cleans:
            leaf(f"{name} cleaned")
    return name


@enact.register(name="stream_programs/agives")
async def agives(name, steps, catches, cleans):
    try:
        for number, step in enumerate(steps):
            here = f"{name}.{number}"
            if step == "call":
                await aleaf(here)
            elif step == "raise":
                raise LookupError(here)
            elif step == "yield":
                try:
                    got = yield [here]
                    if got is not None:
                        await aleaf(f"{here} got {got}")
                except ValueError:
                    if not catches:
                        raise
                    await aleaf(f"{here} caught")
            else:
                async with contextlib.aclosing(agives(here, *step)) as inner:
                    async for item in inner:
                        yield item
    finally:
        if cleans:
            await aleaf(f"{name} cleaned")


ERRORS = (LookupError, ValueError, StopIteration, StopAsyncIteration)


def words(error):
    # Async generators return nothing.
    return f"{type(error).__name__.replace('Async', '')} {error}"


@enact.register(name="stream_programs/reads")
def reads(specs, script):
    got = []
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(contextlib.closing(gives(str(n), *spec)))
            for n, spec in enumerate(specs)
        ]
        for number, (which, how) in enumerate(script):
            stream = streams[which % len(streams)]
            try:
                if how == "next":
                    got.append(next(stream))
                    got[-1].append("read")  # what it gets is its own
                elif how == "send":
                    got.append(stream.send(number))
                elif how == "throw":
                    got.append(stream.throw(ValueError(f"thrown {number}")))
                elif how == "close":
                    stream.close()
                else:
                    got.append(leaf(f"call {number}"))
            except (*ERRORS, TypeError) as error:
                got.append(words(error))
    return got


async def areads(order, name, specs, script):
    got = []
    async with contextlib.AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(
                contextlib.aclosing(agives(f"{name}{n}", *spec))
            )
            for n, spec in enumerate(specs)
        ]
        for number, (which, how) in enumerate(script):
            stream = streams[which % len(streams)]
            try:
                if how == "next":
                    got.append(await anext(stream))
                    order.append(got[-1][0])
                    got[-1].append("read")
                elif how == "send":
                    got.append(await stream.asend(number))
                elif how == "throw":
                    got.append(await stream.athrow(ValueError(f"thrown {number}")))
                elif how == "close":
                    await stream.aclose()
                else:
                    got.append(await aleaf(f"{name} call {number}"))
            except (*ERRORS, TypeError) as error:
                got.append(words(error))
    return got


@enact.register(name="stream_programs/all_read")
async def all_read(readers):
    order = []  # in which items come to their readers
    made = [
        areads(order, name, *reader)
        for name, reader in zip("abc", readers, strict=False)
    ]
    return await asyncio.gather(*made), order


STEPS = st.recursive(
    st.sampled_from(["yield", "yield", "yield", "call", "call", "raise"]),
    lambda steps: st.tuples(
        st.lists(steps, max_size=4), st.booleans(), st.booleans()
    ).map(list),
    max_leaves=6,
)
SPEC = st.tuples(st.lists(STEPS, max_size=5), st.booleans(), st.booleans()).map(list)
HOW = ["next"] * 6 + ["call"] * 2 + ["send", "throw", "close"]
SCRIPT = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(HOW)).map(list), max_size=12
)
READER = st.tuples(st.lists(SPEC, min_size=1, max_size=3), SCRIPT).map(list)


class Once:
    """One program: how it is run."""

    def __init__(self, *readers):
        self.is_async = len(readers) > 1
        self.fun = all_read if self.is_async else reads
        self.args = (list(readers),) if self.is_async else tuple(readers[0])

    def untracked(self):
        RAN.clear()
        made = self.fun(*self.args)
        return plain(asyncio.run(made) if self.is_async else made)

    def record(self):
        RAN.clear()
        if self.is_async:
            return asyncio.run(enact.invoke_async(self.fun, self.args))
        return enact.invoke(self.fun, self.args)

    def replay(self, inv, **options):
        RAN.clear()
        if self.is_async:
            return asyncio.run(inv.replay_async(**options))
        return inv.replay(**options)

    def resume(self, run):
        RAN.clear()
        return asyncio.run(enact.resume_async(run)) if self.is_async else run_on(run)


def run_on(run):
    return enact.resume(run)


def plain(value):
    return list(map(plain, value)) if isinstance(value, (list, tuple)) else value


def returned(inv):
    """What leaf calls that returned were called with."""
    return {
        view.input.args[0]
        for view in inv.walk()
        if view.name.endswith("leaf") and view.status == "completed"
    }


def check_replay(once, expected):
    ran = list(RAN)
    with enact.InMemoryStore():
        inv = once.record()
        assert plain(inv.output) == expected
        assert ran == RAN
        for options in ({}, {"live": "forbid"}):
            assert once.replay(inv, **options) == inv
            assert RAN == []


def check_rewind(once, expected):
    with enact.InMemoryStore():
        inv = once.record()
        for view in list(inv.walk())[1:]:
            kept = inv.rewind(to=view)
            done = once.replay(kept)
            assert not returned(kept) & set(RAN)
            if not once.is_async:
                assert plain(done.output) == expected
                assert done == inv
            else:
                assert plain(done.output[0]) == expected[0]
                assert once.replay(done, live="forbid") == done


def check_crash(once, expected):
    with enact.InMemoryStore():
        records = len(list(once.record().walk())) + 1
    for count in range(2, records):
        store = enact.InMemoryStore()
        with store:
            run = cut_after(store, count, once.record)
            if run.status != "interrupted":
                continue
            kept = returned(run.invocation)
            done = once.resume(run)
            assert not kept & set(RAN)
            assert plain(done.output[0] if once.is_async else done.output) == (
                expected[0] if once.is_async else expected
            )
            assert once.replay(done, live="forbid") == done


# What is thrown into a stream within a stream comes out of both.
THROUGH = [[[[[["yield"], False, False]], False, False]], [[0, "next"], [0, "throw"]]]


@given(READER)
@example(THROUGH)
def test_streams_replay_as_they_ran(reader):
    once = Once(reader)
    check_replay(once, once.untracked())


@given(READER)
def test_rewound_streams_go_on(reader):
    once = Once(reader)
    check_rewind(once, once.untracked())


@given(READER)
@settings(max_examples=50)
def test_streams_go_on_after_a_crash(reader):
    once = Once(reader)
    check_crash(once, once.untracked())


@given(st.tuples(READER, READER, READER))
def test_streams_of_tasks_replay_as_they_ran(readers):
    once = Once(*readers)
    check_replay(once, once.untracked())


@given(st.tuples(READER, READER))
@settings(max_examples=20)
def test_rewound_streams_of_tasks_go_on(readers):
    once = Once(*readers)
    check_rewind(once, once.untracked())


@given(st.tuples(READER, READER))
@settings(max_examples=30)
def test_streams_of_tasks_go_on_after_a_crash(readers):
    once = Once(*readers)
    check_crash(once, once.untracked())


EACH = [
    test_streams_replay_as_they_ran,
    test_rewound_streams_go_on,
    test_streams_go_on_after_a_crash,
    test_streams_of_tasks_replay_as_they_ran,
    test_rewound_streams_of_tasks_go_on,
    test_streams_of_tasks_go_on_after_a_crash,
]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("test", EACH)
def test_many_programs(test):
    # Settings are given to a test once, says Hypothesis; here they are given anew.
    vars(test).pop("_hypothesis_internal_settings_applied", None)
    settings(max_examples=1000)(test)()
