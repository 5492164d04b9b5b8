# SPDX-License-Identifier: Apache-2.0
"""The package does what the executable specification says, in random programs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import enact
from tests import loop, recorded, reference
from tests.programs import (
    FUNCTIONS,
    LEAF_NAMES,
    STREAMS,
    CodeChange,
    Oops,
    Program,
    TooLong,
    World,
    changed,
    code_changes,
    crc,
    programs,
)
from tests.programs import plain as in_words
from tests.reference_streams import Last, Reading

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


_versions: dict[str, list[types.CellType]] = {}


def versioned(name: str, run: Any) -> Any:
    """A function that has captured its version, which is part of its code."""
    cell = run.__closure__[run.__code__.co_freevars.index("version")]
    _versions.setdefault(name, []).append(cell)
    return run


def set_versions(names: Iterable[str] | None = None) -> None:
    """The code of these functions is another one now; by default, all is as it was."""
    for name in _versions if names is None else names:
        number = 0 if names is None else reference.code[name] + 1
        reference.code[name] = number
        for cell in _versions[name]:
            cell.cell_contents = number


def plain_function(name: str, version: int = 0) -> Any:
    def run(*args: Any) -> Any:
        version
        return drive(_now.body(name)(*args))

    return enact.register(versioned(name, run), name=f"plain/{name}")


def async_function(name: str, version: int = 0) -> Any:
    async def run(*args: Any) -> Any:
        version
        return await _now.body(name)(*args)

    run.__name__ = name
    return versioned(name, run)


def plain_stream(name: str, version: int = 0) -> Any:
    def run(*args: Any) -> Any:
        version
        body = _now.body(name)(*args)
        step = body.asend(None)
        try:
            while type(item := drive(step)) is not Last:
                try:
                    step = body.asend((yield item))
                except Exception as error:
                    step = body.athrow(error)
            return item.value
        except StopAsyncIteration:
            return None
        finally:
            drive(body.aclose())

    return enact.register(versioned(name, run), name=f"plain/{name}")


def async_stream(name: str, version: int = 0, returns: bool = False) -> Any:
    async def run(*args: Any) -> Any:
        version
        async with contextlib.aclosing(_now.body(name)(*args)) as body:
            step = body.asend(None)
            with contextlib.suppress(StopAsyncIteration):
                while type(item := await step) is not Last:
                    try:
                        step = body.asend((yield item))
                    except Exception as error:
                        step = body.athrow(error)
                if returns:
                    yield item

    run.__name__ = name
    return versioned(name, run)


class Items:
    """A stream in the hands of a program.

    Args:
        go_on: has it go on, in one of these ways: "send", "throw" and "close".
    """

    def __init__(self, go_on: Callable[[str, Any], Any]) -> None:
        self.go_on = go_on
        self.over = False

    async def ask(self, how: str, value: Any = None) -> Any:
        """The next item; if there is none, what the stream returned, in a list."""
        if self.over:
            return []
        try:
            return await self.go_on(how, value)
        except StopAsyncIteration as end:
            self.over = True
            return [value for value in end.args if value is not None]
        except BaseException:
            self.over = True
            raise

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        item = await self.ask("send")
        if self.over:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        await self.ask("close")


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


def plain_method(name: str, version: int = 0) -> Any:
    def call(self: Any, value: Any) -> Any:
        version
        return drive(_now.body(name)(self, value))

    return versioned(name, call)


def async_method(name: str, version: int = 0) -> Any:
    async def call(self: Any, value: Any) -> Any:
        version
        return await _now.body(name)(self, value)

    return versioned(name, call)


async def nothing() -> None:
    pass


async def call_plain(target: Any, *args: Any) -> Any:
    return target(*args)


def read_plain(target: Any, *args: Any) -> Items:
    made = target(*args)

    async def go_on(how: str, value: Any) -> Any:
        try:
            if how == "send":
                return made.send(value)
            if how == "throw":
                return made.throw(value)
        except StopIteration as stop:
            raise StopAsyncIteration(stop.value) from None
        made.close()
        raise StopAsyncIteration

    return Items(go_on)


def read_async(target: Any, *args: Any) -> Items:
    made = target(*args)

    async def go_on(how: str, value: Any) -> Any:
        if how == "send":
            return await made.asend(value)
        if how == "throw":
            return await made.athrow(value)
        await made.aclose()
        raise StopAsyncIteration

    return Items(go_on)


def read_reference(target: Any, *args: Any) -> Items:
    reading = Reading(target, *args)
    items = Items(reading.ask)
    items.reading = reading
    return items


def drop(items: Items) -> None:
    """Nobody holds these items any more."""
    if hasattr(items, "reading"):
        items.reading.drop()


async def call_async(target: Any, *args: Any) -> Any:
    return await target(*args)


PLAIN = {name: plain_function(name) for name in NAMES}
PLAIN |= classes(
    enact.Invokable, lambda n: enact.register(name=f"plain/{n}"), plain_method
)
PLAIN |= {name: plain_stream(name) for name in STREAMS}
PLAIN |= {"call": call_plain, "drop": drop, "pause": nothing, "stream": read_plain}

ASYNC = {n: enact.register(async_function(n), name=f"async/{n}") for n in NAMES}
ASYNC |= classes(
    enact.AsyncInvokable, lambda n: enact.register(name=f"async/{n}"), async_method
)
ASYNC |= {n: enact.register(async_stream(n), name=f"async/{n}") for n in STREAMS}
ASYNC |= {"call": call_async, "drop": drop, "stream": read_async}


async def reference_gather(*bodies: Any) -> list[Any]:
    return await loop.join(*[loop.spawn(body()) for body in bodies])


REFERENCE: dict[str, Any] = {name: async_function(name) for name in NAMES}
REFERENCE |= classes(object, lambda n: lambda cls: cls, async_method)
REFERENCE |= {name: async_stream(name) for name in STREAMS}
REFERENCE |= {
    "call": reference.call,
    "gather": reference_gather,
    "drop": drop,
    "pause": loop.pause,
    "settle": loop.join,
    "spawn": loop.spawn,
    "stream": read_reference,
}
# Plain generators can return something, and so do those that stand for them.
REFERENCE_PLAIN = REFERENCE | {
    name: async_stream(name, returns=True) for name in STREAMS
}


def within(world: World) -> World:
    """Make a world the one that programs run in."""
    global _now
    _now = world
    world.begun = 0
    return world


def bounded(check: Callable[..., Any], *args: Any) -> None:
    """Check a program, if it does not take too long."""
    TooLong.happened = False
    set_versions()
    try:
        if inspect.iscoroutinefunction(check):
            asyncio.run(check(*args))
        else:
            check(*args)
    except BaseException:
        assume(not TooLong.happened)
        raise


# --- what is compared ---------------------------------------------------------------


def tree(
    call: reference.Call, verdicts: Sequence[tuple[reference.Call, str]] = ()
) -> dict[str, Any]:
    """A call of the reference, for comparison."""
    is_object = dataclasses.is_dataclass(call.target)
    ended = call.status != "incomplete"
    children = call.children
    lanes = [child.lane for child in children]
    times = [(child.began, 0) for child in children]
    times += [(c.ended, n + 1) for n, c in enumerate(children) if c.ended >= 0]
    return {
        "name": type(call.target).__name__ if is_object else call.target.__name__,
        "input": in_words(list(call.args)),
        "before": in_words(call.target) if is_object else None,
        "status": call.status,
        "after": in_words(call.after) if is_object and ended else None,
        "output": in_words(call.output),
        "raised": in_words(call.raised),
        "here": call.raised_here,
        "edited": call.edited,
        "retry": [n for n, child in enumerate(children) if child.retry],
        "verdict": [verdict for known, verdict in verdicts if known is call],
        "ahead": len(call.ahead),
        "children": [tree(child, verdicts) for child in children],
        "lanes": lanes,
        "events": [event for _, event in sorted(times)] if any(lanes) else None,
    }


def tree_of(
    view: enact.Invocation, verdicts: dict[str, str] | None = None
) -> dict[str, Any]:
    """A call of the package, for comparison."""
    request, response = view.request(), view.response()
    before = request.invokable()
    is_object = dataclasses.is_dataclass(before)
    ended = view.status != "incomplete"
    details = response.details or {}
    lanes = [tuple(lane) for lane in details.get("lanes") or [()] * len(view.children)]
    lanes = lanes[: len(view.children)]
    verdict = (verdicts or {}).get("/".join(map(str, view.path)))
    in_turn = [e for n in range(len(lanes)) for e in (0, n + 1)]
    # What is open has not ended; when an event loop rested is not specified.
    statuses = [child.status for child in view.children]
    still_open = [n + 1 for n, status in enumerate(statuses) if status == "incomplete"]
    events = details.get("events") or in_turn
    events = [e for e in events if e >= 0 and e not in still_open]
    value = view.input
    return {
        "name": view.name.rpartition("/")[2],
        "input": in_words([value] if is_object else value.args),
        "before": in_words(before) if is_object else None,
        "status": view.status,
        "after": in_words(response.invokable()) if is_object and ended else None,
        "output": in_words(view.output),
        "raised": in_words(view.error),
        "here": view.get_raised_here(),
        "edited": details.get("origin") == "edited",
        "retry": details.get("retry") or [],
        "verdict": [] if verdict is None else [verdict],
        "ahead": len(details.get("ahead") or ()),
        "children": [tree_of(child, verdicts) for child in view.children],
        "lanes": lanes,
        "events": events if any(lanes) else None,
    }


NEW = ("new", "rerun: request changed")


def by_lane(found: dict[str, Any]) -> dict[str, Any]:
    """A tree without the order between lanes.

    Which call takes the place of a recorded one that nobody makes any more, and which
    is new, hangs on the order as well.
    """
    lanes = found["lanes"]
    order = sorted(range(len(lanes)), key=lambda n: (lanes[n], n))
    return {
        **found,
        "verdict": ["new" if one in NEW else one for one in found["verdict"]],
        "children": [by_lane(found["children"][n]) for n in order],
        "lanes": [lanes[n] for n in order],
        "retry": sorted(order.index(n) for n in found["retry"]),
        "events": None,
    }


def hangs_on_order(found: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether trees differ as tasks made their first calls in another order.

    A task whose first call is new has the recorded lane of its name, if nobody has
    taken that; what was recorded there may answer what it does.
    """
    if [*dict.fromkeys(found["lanes"])] != [*dict.fromkeys(other["lanes"])]:
        return any(v in NEW for child in found["children"] for v in child["verdict"])
    pairs = zip(found["children"], other["children"], strict=False)
    return any(hangs_on_order(*pair) for pair in pairs if pair[0] != pair[1])


def is_stream(name: Any) -> bool:
    """Whether this is the name of a function that gives items."""
    return isinstance(name, str) and name.rpartition("/")[2] in STREAMS


def check_verdicts(
    old: enact.Invocation, new: enact.Invocation, names: set[str]
) -> None:
    """What ran in the replay of ``old`` had to, since these functions were changed.

    It does not use the reference. ``old`` and ``new`` are completed calls of the same.
    """
    verdicts = new.verdicts()
    is_changed = any(v.name.rpartition("/")[2] in names for v in old.walk())
    assert (verdicts.get("") == "rerun: code changed") == is_changed
    todo = [(old, new)] if is_changed else []
    if not is_changed:
        assert new == old and verdicts == {}
    while todo:
        old, new = todo.pop()
        if not old.children:  # all below is new, and the verdict of the call says so
            continue
        # A stream may run since it is read in another way now.
        recorded, asked = (
            Counter(c.request.cid for c in one.children if not is_stream(c.name))
            for one in (old, new)
        )
        ran: Counter[bytes] = Counter()
        left = list(old.children)
        for child in new.children:
            verdict = verdicts.get("/".join(map(str, child.path)))
            request = child.request.cid
            if verdict in NEW:
                ran[request] += not is_stream(child.name)
            elif verdict is None:
                left.remove(child)
            else:
                alike = [one for one in old.children if one.request.cid == request]
                if verdict in ("retried", "resumed"):  # a stream that was left open
                    assert any(one.status == "incomplete" for one in alike)
                    continue
                assert verdict == "rerun: code changed"
                assert any(
                    v.name.rpartition("/")[2] in names
                    for one in alike for v in one.walk()
                )  # fmt: skip
                if len(alike) == 1:
                    todo.append((alike[0], child))
        assert ran == asked - recorded


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
CHANGES = st.one_of(
    st.tuples(st.just("rewind"), st.integers(0, 4), st.none()),
    st.tuples(st.just("rewind_to"), st.integers(0, 50), st.none()),
    st.tuples(st.just("edit"), st.integers(0, 50), EDITS),
)
STEPS = st.one_of(CHANGES, st.tuples(st.just("replay"), st.just(0), st.none()))


def at(call: reference.Call, path: tuple[int, ...]) -> reference.Call:
    for number in path:
        call = call.children[number]
    return call


def fitting(target: Any, value: Any, stream: Any) -> Any:
    """What is put in the place of an outcome: items, where it is a stream."""
    name = getattr(target, "__name__", target)
    if not is_stream(name) or isinstance(value, Exception):
        return value
    return stream([value, 1, 2][crc(value) % 3 :])


def change_reference(call: reference.Call, step: Step) -> reference.Call:
    """Apply one step to a call of the reference."""
    verb, number, value = step
    known = list(paths(call))
    path = known[number % len(known)]
    value = fitting(at(call, path).target, value, recorded.Stream)
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
    value = fitting(inv[path].name, value, enact.Stream)
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
        self.expected = World(program.source, REFERENCE_PLAIN)
        self.actual = World(program.source, PLAIN)
        within(World(program.source, PLAIN))
        try:
            self.untracked = None, in_words(PLAIN["main"](program.argument))
        except Exception as error:
            self.untracked = in_words(error), None
        self.untracked_log = _now.log

    def record(self) -> tuple[reference.Call, enact.Invocation]:
        within(self.expected)
        call = reference.record(REFERENCE["main"], self.program.argument)
        within(self.actual)
        inv = enact.invoke(
            PLAIN["main"], (self.program.argument,),
            wrap_exceptions=True, raise_on_errors=(),
        )  # fmt: skip
        self.compare(call, inv)
        return call, inv

    def replay(
        self, call: reference.Call, inv: enact.Invocation, **options: Any
    ) -> tuple[reference.Call, enact.Invocation]:
        for world in (self.expected, self.actual):
            world.log.clear()
            world.bodies.clear()
            world.epoch += 1
        left = None
        within(self.expected)
        try:
            call = reference.replay(call, **options)
        except (reference.ReplayError, reference.LiveCallForbidden) as error:
            left = type(error).__name__
        within(self.actual)
        try:
            inv = inv.replay(wrap_exceptions=True, raise_on_errors=(), **options)
        except enact.ReplayError as error:
            assert type(error).__name__ == left  # noqa: PT017  # it goes on
            raise
        assert left is None
        self.compare(call, inv, reference._whole.verdicts)
        return call, inv

    def compare(self, call: Any, inv: enact.Invocation, verdicts: Any = ()) -> None:
        assert tree_of(inv, inv.verdicts()) == tree(call, verdicts)
        assert self.actual.log == self.expected.log

    def change_code(self, changes: Sequence[CodeChange]) -> set[str]:
        """Change the source of the program; the names of functions that are others."""
        source, names = changed(self.program.source, changes)
        for world in (self.expected, self.actual):
            world.load(source)
        set_versions(names)
        return names


def check_record(program: Program) -> None:
    both = Plain(program)
    with enact.InMemoryStore():
        call, _ = both.record()
    if "InputChanged" not in repr(tree(call)):  # an error that others do not make
        assert both.untracked == (in_words(call.raised), in_words(call.output))
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
    bounded(check_record, program)


@given(programs(), st.lists(STEPS, max_size=4))
def test_partial_programs_go_on_as_specified(
    program: Program, steps: list[Step]
) -> None:
    bounded(check_steps, program, steps)


def check_strict(program: Program, count: int, strict: bool) -> None:
    both = Plain(program)
    with enact.InMemoryStore():
        call, inv = both.record()
        call, inv = reference.rewind(call, count), inv.rewind(count)
        both.expected.knob = both.actual.knob = 1
        try:
            both.replay(call, inv, strict=strict)
        except enact.ReplayError:
            assert strict


@given(programs(knob=True), st.integers(0, 4), st.booleans())
def test_a_program_that_left_the_record_is_noticed(
    program: Program, count: int, strict: bool
) -> None:
    bounded(check_strict, program, count, strict)


def check_code(
    program: Program, steps: list[Step], changes: list[CodeChange], options: Any
) -> None:
    both = Plain(program)
    with enact.InMemoryStore():
        call, inv = both.record()
        for step in steps:
            call, inv = change_reference(call, step), change(inv, step)
        names = both.change_code(changes)
        try:
            again, inv_again = both.replay(call, inv, **options)
        except enact.ReplayError:
            return
        if (
            not steps
            and inv.status == "completed"
            and options["on_code_change"] == "rerun"
        ):
            check_verdicts(inv, inv_again, names)
        both.replay(again, inv_again, **options)


OPTIONS = st.fixed_dictionaries(
    {
        "strict": st.booleans(),
        "on_code_change": st.sampled_from(["rerun", "rerun", "reuse"]),
    }
)


@given(programs(calm=True), st.lists(CHANGES, max_size=2), code_changes(), OPTIONS)
def test_changed_programs_go_on_as_specified(
    program: Program, steps: list[Step], changes: list[CodeChange], options: Any
) -> None:
    bounded(check_code, program, steps, changes, options)


def check_forbidden(program: Program, changes: list[CodeChange], strict: bool) -> None:
    both = Plain(program)
    with enact.InMemoryStore():
        call, inv = both.record()
        if inv.status != "completed":
            return
        _, again = both.replay(call, inv, live="forbid")
        assert tree_of(again) == tree_of(inv) and again.verdicts() == {}
        # The text of a traceback may differ below an exception that code raises anew.
        if not any(v.get_raised_here() and v.children for v in inv.walk()):
            assert again == inv
        assert both.actual.log == []
        with_calls = [v.name.rpartition("/")[2] for v in inv.walk() if v.children]
        # Those of streams run in turn with their readers.
        assert sorted(both.actual.bodies) == sorted(with_calls)
        both.change_code(changes)
        forbidden = False
        try:
            both.replay(call, inv, live="forbid", strict=strict)
        except enact.LiveCallForbidden:
            forbidden = True
        try:
            both.replay(call, inv, strict=strict)
        except enact.ReplayError:
            return
        assert forbidden or both.actual.log == []


@given(programs(calm=True), code_changes(), st.booleans())
def test_where_no_call_may_run_the_code_around_calls_does(
    program: Program, changes: list[CodeChange], strict: bool
) -> None:
    bounded(check_forbidden, program, changes, strict)


# --- programs with tasks --------------------------------------------------------------


class Free:
    """Tasks of programs as ``asyncio`` runs them, each pause of some length."""

    def __init__(self, schedule: Sequence[int] = (0,)) -> None:
        self.schedule = schedule
        self.pauses = 0

    def names(self) -> dict[str, Any]:
        return {
            "gather": self.gather,
            "pause": self.pause,
            "settle": self.settle,
            "spawn": self.spawn,
        }

    async def pause(self) -> None:
        length = self.schedule[self.pauses % len(self.schedule)]
        self.pauses += 1
        for _ in range(length):
            await asyncio.sleep(0)

    def spawn(self, body: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.create_task(body)

    async def settle(self, *tasks: asyncio.Task[Any]) -> list[Any]:
        outcomes = []
        for task in tasks:
            try:
                outcomes.append(await task)
            except Exception as error:
                outcomes.append(error)
        return outcomes

    async def gather(self, *bodies: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        made = [body() for body in bodies]
        return await asyncio.gather(*made, return_exceptions=True)


class Gate(Free):
    """Lets one task go on at a time, the same one as in the reference."""

    def __init__(self, schedule: Sequence[int]) -> None:
        super().__init__(schedule)
        self.doors: dict[asyncio.Task[Any], Door] = {}
        self.steps = 0

    async def main(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run a program."""
        task = asyncio.create_task(self.behind(body))
        self.doors[task] = Door()
        self.let_go_on()
        return await task

    async def behind(self, body: Coroutine[Any, Any, Any]) -> Any:
        door = self.doors[asyncio.current_task()]
        try:
            await door.opened
            return await body
        finally:
            door.over = True
            self.let_go_on()

    async def wait(self, ready: Callable[[], bool]) -> None:
        door = self.doors[asyncio.current_task()]
        door.ready, door.opened = ready, asyncio.get_running_loop().create_future()
        self.let_go_on()
        await door.opened

    def let_go_on(self) -> None:
        able = [d for d in self.doors.values() if not d.over and d.ready()]
        if able:
            number = self.schedule[self.steps % len(self.schedule)]
            self.steps += 1
            able[number % len(able)].opened.set_result(None)

    async def pause(self) -> None:
        await self.wait(lambda: True)

    def spawn(self, body: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(self.behind(body))
        self.doors[task] = Door()
        return task

    async def over(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        doors = [self.doors[task] for task in tasks]
        if not all(door.over for door in doors):
            await self.wait(lambda: all(door.over for door in doors))

    async def settle(self, *tasks: asyncio.Task[Any]) -> list[Any]:
        await self.over(tasks)
        return await super().settle(*tasks)

    async def gather(self, *bodies: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return await self.settle(*[self.spawn(body()) for body in bodies])


class Door:
    """What a task waits for."""

    def __init__(self) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self.ready: Callable[[], bool] = lambda: True
        self.over = False


class Tasks:
    """A program with tasks, in the reference and in the package."""

    def __init__(self, program: Program, *, ordered: bool) -> None:
        self.program = program
        self.expected = World(program.source, REFERENCE, ordered=ordered)
        self.actual = World(program.source, ASYNC, ordered=ordered)

    async def untracked(self, tasks: Gate) -> tuple[Any, Any, Any]:
        world = within(World(self.program.source, ASYNC, ordered=self.actual.ordered))
        world.names.update(tasks.names())
        try:
            output = await tasks.main(ASYNC["main"](self.program.argument))
        except Exception as error:
            return in_words(error), None, world.log
        return None, in_words(output), world.log

    async def record(self, tasks: Free) -> enact.Invocation:
        within(self.actual).names.update(tasks.names())
        running = enact.invoke_async(
            ASYNC["main"], (self.program.argument,),
            wrap_exceptions=True, raise_on_errors=(),
        )  # fmt: skip
        return await (tasks.main(running) if isinstance(tasks, Gate) else running)

    async def replay(
        self, inv: enact.Invocation, tasks: Free, **options: Any
    ) -> enact.Invocation:
        within(self.actual).names.update(tasks.names())
        self.actual.log.clear()
        self.actual.epoch += 1
        return await inv.replay_async(
            wrap_exceptions=True, raise_on_errors=(), **options
        )

    def record_reference(self, schedule: Sequence[int]) -> reference.Call:
        within(self.expected)
        return reference.record(
            REFERENCE["main"], self.program.argument, schedule=schedule
        )

    def replay_reference(self, call: reference.Call, **options: Any) -> reference.Call:
        within(self.expected).log.clear()
        self.expected.epoch += 1
        return reference.replay(call, **options)

    change_code = Plain.change_code


SCHEDULES = st.lists(st.integers(0, 5), min_size=1, max_size=12)


async def check_record_tasks(program: Program, schedule: list[int]) -> None:
    both = Tasks(program, ordered=True)
    error, output, log = await both.untracked(Gate(schedule))
    call = both.record_reference(schedule)
    with enact.InMemoryStore():
        inv = await both.record(Gate(schedule))
        assert tree_of(inv) == tree(call)
    assert both.actual.log == both.expected.log
    if "InputChanged" not in repr(tree(call)):
        assert (error, output, log) == (
            in_words(call.raised), in_words(call.output), both.actual.log
        )  # fmt: skip


async def check_exact(program: Program, first: list[int], second: list[int]) -> None:
    both = Tasks(program, ordered=True)
    call = both.record_reference(first)
    if call.status == "completed":
        again = both.replay_reference(reference.rewind(call, 0))
        assert both.expected.log == []
        assert tree(again) == tree(call)
    with enact.InMemoryStore():
        inv = await both.record(Free(first))
        if inv.status == "completed":
            again = await both.replay(inv.rewind(0), Free(second))
            assert both.actual.log == []
            assert in_words(again.output) == in_words(inv.output)
            assert tree_of(again) == tree_of(inv)


@given(programs(tasks=True, shared=True), SCHEDULES)
def test_tasks_are_recorded_as_they_run(program: Program, schedule: list[int]) -> None:
    bounded(check_record_tasks, program, schedule)


@given(programs(tasks=True, shared=True), SCHEDULES, SCHEDULES)
def test_tasks_are_replayed_exactly(
    program: Program, first: list[int], second: list[int]
) -> None:
    bounded(check_exact, program, first, second)


async def check_changes(
    program: Program, schedule: list[int], changes: list[Step]
) -> None:
    both = Tasks(program, ordered=False)
    await both.untracked(Gate(schedule))
    call = both.record_reference(schedule)
    with enact.InMemoryStore():
        inv = await both.record(Gate(schedule))
        assert tree_of(inv) == tree(call)
        for step in changes:
            call, inv = change_reference(call, step), change(inv, step)
            assert by_lane(tree_of(inv)) == by_lane(tree(call))
            if step is changes[0]:
                assert tree_of(inv) == tree(call)
        # The order between lanes may differ from here on: live calls have no turns.
        for _ in range(2):
            try:
                call, inv = await replay_both(both, call, inv)
            except enact.ReplayError:
                return


async def replay_both(
    both: Tasks, call: reference.Call, inv: enact.Invocation, **options: Any
) -> tuple[reference.Call, enact.Invocation]:
    left = False
    try:
        call = both.replay_reference(call, **options)
    except reference.ReplayError:
        left = True  # an output may hold a list that the program went on to change
    try:
        inv = await both.replay(inv, Free(), **options)
    except enact.ReplayError:
        assert left
        raise
    assert not left
    found = tree_of(inv, inv.verdicts())
    expected = tree(call, reference._whole.verdicts)
    if by_lane(found) != by_lane(expected):
        assume(not hangs_on_order(found, expected))
    assert by_lane(found) == by_lane(expected)
    assert sorted(both.actual.log) == sorted(both.expected.log)
    return call, inv


@given(programs(tasks=True, distinct=True), SCHEDULES, st.lists(CHANGES, max_size=3))
def test_partial_programs_with_tasks_go_on_as_specified(
    program: Program, schedule: list[int], changes: list[Step]
) -> None:
    bounded(check_changes, program, schedule, changes)


async def check_code_tasks(
    program: Program, schedule: list[int], steps: list[Step], changes: list[CodeChange]
) -> None:
    both = Tasks(program, ordered=False)
    await both.untracked(Gate(schedule))
    call = both.record_reference(schedule)
    with enact.InMemoryStore():
        inv = await both.record(Gate(schedule))
        for step in steps:
            call, inv = change_reference(call, step), change(inv, step)
        both.change_code(changes)
        for _ in range(2):
            call, inv = await replay_both(both, call, inv, strict=False)


@given(
    programs(tasks=True, distinct=True, calm=True),
    SCHEDULES, st.lists(CHANGES, max_size=1), code_changes("task", "task"),
)  # fmt: skip
def test_changed_programs_with_tasks_go_on_as_specified(
    program: Program, schedule: list[int], steps: list[Step], changes: list[CodeChange]
) -> None:
    bounded(check_code_tasks, program, schedule, steps, changes)


async def check_verdicts_tasks(
    program: Program, schedule: list[int], changes: list[CodeChange], after: list[int]
) -> None:
    both = Tasks(program, ordered=True)
    with enact.InMemoryStore():
        inv = await both.record(Free(schedule))
        names = both.change_code(changes)
        again = await both.replay(inv, Free(after))
        if inv.status == "completed":
            check_verdicts(inv, again, names)


@given(
    programs(tasks=True, shared=True, calm=True),
    SCHEDULES, code_changes("task", "task"), SCHEDULES,
)  # fmt: skip
def test_no_task_runs_what_was_recorded(
    program: Program, schedule: list[int], changes: list[CodeChange], after: list[int]
) -> None:
    bounded(check_verdicts_tasks, program, schedule, changes, after)


# --- many more ------------------------------------------------------------------------

EACH = [
    test_a_recorded_program_does_what_it_does_untracked,
    test_partial_programs_go_on_as_specified,
    test_a_program_that_left_the_record_is_noticed,
    test_changed_programs_go_on_as_specified,
    test_where_no_call_may_run_the_code_around_calls_does,
    test_tasks_are_recorded_as_they_run,
    test_tasks_are_replayed_exactly,
    test_partial_programs_with_tasks_go_on_as_specified,
    test_changed_programs_with_tasks_go_on_as_specified,
    test_no_task_runs_what_was_recorded,
]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("test", EACH)
def test_many_programs(test: Callable[[], None]) -> None:
    settings(max_examples=1000)(test)()
