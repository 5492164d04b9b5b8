# SPDX-License-Identifier: Apache-2.0
"""The package does what the executable specification says, in random programs."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import enact
from tests import reference
from tests.programs import CLASSES, FUNCTIONS, LEAF_NAMES, Oops, Program, TooLong, World
from tests.programs import plain as in_words
from tests.programs import programs

enact.register(Oops)

# --- the same program, three times ------------------------------------------------

NAMES = ["main", *FUNCTIONS, *LEAF_NAMES]
_now: World


def drive(body: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        body.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a program without tasks has waited")


def plain_function(name: str) -> Any:
    def run(*args: Any) -> Any:
        return drive(_now.body(name)(*args))

    return enact.register(run, name=f"plain/{name}")


def async_function(name: str) -> Any:
    async def run(*args: Any) -> Any:
        return await _now.body(name)(*args)

    run.__name__ = name
    return run


def classes(base: Any, decorate: Callable[[str], Any], run: Any) -> dict[str, Any]:
    """``Tally`` and ``Agent``, as one of the three has them."""

    @decorate("Tally")
    @dataclasses.dataclass
    class Tally(base):  # type: ignore[misc]
        count: int = 0
        items: list[Any] = dataclasses.field(default_factory=list)
        call = run("Tally")

    @decorate("Agent")
    @dataclasses.dataclass
    class Agent(base):  # type: ignore[misc]
        memory: list[Any] = dataclasses.field(default_factory=list)
        tally: Tally = dataclasses.field(default_factory=Tally)
        call = run("Agent")

    return {"Tally": Tally, "Agent": Agent}


def plain_method(name: str) -> Any:
    def call(self: Any, value: Any) -> Any:
        return drive(_now.body(name)(self, value))

    return call


def async_method(name: str) -> Any:
    async def call(self: Any, value: Any) -> Any:
        return await _now.body(name)(self, value)

    return call


async def nothing() -> None:
    pass


async def call_plain(target: Any, *args: Any) -> Any:
    return target(*args)


async def call_async(target: Any, *args: Any) -> Any:
    return await target(*args)


PLAIN = {name: plain_function(name) for name in NAMES}
PLAIN |= classes(enact.Invokable, lambda n: enact.register(name=f"plain/{n}"), plain_method)
PLAIN |= {"call": call_plain, "pause": nothing}

ASYNC = {n: enact.register(async_function(n), name=f"async/{n}") for n in NAMES}
ASYNC |= classes(
    enact.AsyncInvokable, lambda n: enact.register(name=f"async/{n}"), async_method
)
ASYNC |= {"call": call_async}


async def reference_gather(*bodies: Any) -> list[Any]:
    return await reference.join(*map(reference.spawn, bodies))


REFERENCE: dict[str, Any] = {name: async_function(name) for name in NAMES}
REFERENCE |= classes(object, lambda n: lambda cls: cls, async_method)
REFERENCE |= {
    "call": reference.call,
    "gather": reference_gather,
    "pause": reference.pause,
    "settle": reference.join,
    "spawn": reference.spawn,
}


def within(world: World) -> World:
    """Make a world the one that programs run in."""
    global _now
    _now = world
    return world


# --- what is compared ---------------------------------------------------------------


def outcome(error: BaseException | None) -> Any:
    """An exception in words, those of the rules of recording by type."""
    if isinstance(error, (enact.InputChanged, reference.InputChanged)):
        return "InputChanged"
    return None if error is None else in_words(error)


def tree(call: reference.Call) -> dict[str, Any]:
    """A call of the reference, for comparison."""
    is_object = dataclasses.is_dataclass(call.target)
    ended = call.status != "incomplete"
    events = [0 if not end else index + 1 for index, end in call.events]
    return {
        "name": type(call.target).__name__ if is_object else call.target.__name__,
        "input": in_words(list(call.args)),
        "before": in_words(call.target) if is_object else None,
        "status": call.status,
        "after": in_words(call.after) if is_object and ended else None,
        "output": in_words(call.output),
        "raised": outcome(call.raised),
        "here": call.raised_here,
        "edited": call.edited,
        "retry": call.retry,
        "children": [tree(child) for child in call.children],
        "lanes": call.lanes,
        "events": events if any(call.lanes) else None,
    }


def tree_of(view: enact.Invocation) -> dict[str, Any]:
    """A call of the package, for comparison."""
    request, response = view.request(), view.response()
    before = request.invokable()
    is_object = dataclasses.is_dataclass(before)
    ended = view.status != "incomplete"
    details = response.details or {}
    lanes = [tuple(lane) for lane in details.get("lanes") or [()] * len(view.children)]
    in_turn = [e for n in range(len(lanes)) for e in (0, n + 1)]
    value = view.input
    return {
        "name": view.name.rpartition("/")[2],
        "input": in_words([value] if is_object else value.args),
        "before": in_words(before) if is_object else None,
        "status": view.status,
        "after": in_words(response.invokable()) if is_object and ended else None,
        "output": in_words(view.output),
        "raised": outcome(view.error),
        "here": view.get_raised_here(),
        "edited": details.get("origin") == "edited",
        "retry": details.get("retry") or [],
        "children": [tree_of(child) for child in view.children],
        "lanes": lanes,
        "events": (details.get("events") or in_turn) if any(lanes) else None,
    }


def by_lane(found: dict[str, Any]) -> dict[str, Any]:
    """A tree without the order between lanes."""
    lanes = found["lanes"]
    order = sorted(range(len(lanes)), key=lambda n: (lanes[n], n))
    return {
        **found,
        "children": [by_lane(found["children"][n]) for n in order],
        "lanes": [lanes[n] for n in order],
        "retry": sorted(order.index(n) for n in found["retry"]),
        "events": None,
    }


def paths(call: reference.Call, top: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Of all calls below, and the call itself."""
    yield top
    for index, child in enumerate(call.children):
        yield from paths(child, (*top, index))


# --- programs without tasks -----------------------------------------------------------

Step = tuple[str, int, Any]

EDITS = st.one_of(
    st.sampled_from([3, 4, "b", [7], None]),
    st.sampled_from([ValueError("edited"), Oops(3)]),
)
STEPS = st.one_of(
    st.tuples(st.just("rewind"), st.integers(0, 4), st.none()),
    st.tuples(st.just("rewind_to"), st.integers(0, 50), st.none()),
    st.tuples(st.just("edit"), st.integers(0, 50), EDITS),
    st.tuples(st.just("replay"), st.just(0), st.none()),
)


def change_reference(call: reference.Call, step: Step) -> reference.Call:
    """Apply one step to a call of the reference."""
    verb, number, value = step
    known = list(paths(call))
    path = known[number % len(known)]
    if verb == "rewind":
        return reference.rewind(call, number)
    if verb == "rewind_to":
        return reference.rewind_to(call, path)
    if isinstance(value, Exception):
        return reference.edit(call, path, raises=value)
    return reference.edit(call, path, output=value)


def change(inv: enact.Invocation, step: Step) -> enact.Invocation:
    """Apply the same step in the package."""
    verb, number, value = step
    known = [view.path for view in inv.walk()]
    path = known[number % len(known)]
    if verb == "rewind":
        return inv.rewind(number)
    if verb == "rewind_to":
        return inv.rewind(to=inv[path])
    if isinstance(value, Exception):
        return inv.edit(inv[path], raises=value)
    return inv.edit(inv[path], output=value)


class Plain:
    """A program without tasks, in the reference and in the package."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.expected = World(program.source, REFERENCE)
        self.actual = World(program.source, PLAIN)
        within(World(program.source, PLAIN))
        try:
            self.untracked = outcome(None), PLAIN["main"](program.argument)
        except TooLong:
            assume(False)
        except Exception as error:
            self.untracked = outcome(error), None
        self.untracked_log = _now.log

    def record(self) -> tuple[reference.Call, enact.Invocation]:
        within(self.expected)
        call, error = reference.record(REFERENCE["main"], self.program.argument)
        within(self.actual)
        inv = enact.invoke(
            PLAIN["main"], (self.program.argument,),
            wrap_exceptions=True, raise_on_errors=(),
        )  # fmt: skip
        self.compare(call, inv)
        assert outcome(error) == outcome(call.raised)
        return call, inv

    def replay(
        self, call: reference.Call, inv: enact.Invocation, **options: Any
    ) -> tuple[reference.Call, enact.Invocation]:
        for world in (self.expected, self.actual):
            world.log.clear()
            world.epoch += 1
        left = None
        within(self.expected)
        try:
            call, _ = reference.replay(call, **options)
        except reference.ReplayError as error:
            left = error
        within(self.actual)
        try:
            inv = inv.replay(wrap_exceptions=True, raise_on_errors=(), **options)
        except enact.ReplayError:
            assert left is not None
            raise
        assert left is None
        self.compare(call, inv)
        return call, inv

    def compare(self, call: reference.Call, inv: enact.Invocation) -> None:
        assert tree_of(inv) == tree(call)
        assert self.actual.log == self.expected.log


def check_record(program: Program) -> None:
    both = Plain(program)
    with enact.InMemoryStore():
        call, _ = both.record()
    assert both.untracked == (outcome(call.raised), call.output) or in_words(
        both.untracked
    ) == in_words((outcome(call.raised), call.output))
    assert both.untracked_log == both.actual.log


def check_steps(program: Program, steps: Sequence[Step]) -> None:
    both = Plain(program)
    with enact.InMemoryStore():
        call, inv = both.record()
        for step in (*steps, ("replay", 0, None)):
            if step[0] == "replay":
                call, inv = both.replay(call, inv)
            else:
                call, inv = change_reference(call, step), change(inv, step)
                assert tree_of(inv) == tree(call)


@given(programs())
def test_a_recorded_program_does_what_it_does_untracked(program: Program) -> None:
    check_record(program)


@given(programs(), st.lists(STEPS, max_size=4))
def test_partial_programs_go_on_as_specified(
    program: Program, steps: list[Step]
) -> None:
    check_steps(program, steps)
