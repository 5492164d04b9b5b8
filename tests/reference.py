# SPDX-License-Identifier: Apache-2.0
"""The executable specification: what it means to record, rewind, edit and replay.

It is written to be read, not to be fast, and shares no code with the package. A program
is a coroutine function, or an object whose ``call`` is one. It makes a tracked call
with ``await call(fn, *args)``, starts a task with ``spawn``, waits for tasks with
``join``, and lets other tasks go on with ``pause``. ``record`` runs a program and gives
the ``Call`` at the top; ``rewind``, ``rewind_to`` and ``edit`` give partial ones, and
``replay`` goes on from there:

>>> async def roll(): return 4
>>> async def game(): return [await call(roll), await call(roll)]
>>> first, _ = record(game)
>>> again, _ = replay(edit(first, (1,), output=6))
>>> first.output, again.output
([4, 4], [4, 6])
"""

from __future__ import annotations

import copy
import dataclasses
import types
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

Path = tuple[int, ...]
Event = tuple[int, bool]  # of a frame: the index of a child, and whether it ended


class ReplayError(Exception):
    """The program left the record, and nothing explains it."""


class InputChanged(Exception):
    """A call changed one of its arguments in place."""


@dataclasses.dataclass
class Call:
    """A recorded call: what was asked, what came of it, and the calls made on the way.

    ``target`` and ``after`` are the invokable before and after. ``returned`` says which
    of the target and the arguments the output is, if it is one of these very objects.
    ``retry`` has the children whose exceptions ended the call. A child is named by its
    lane and its place among the children of that lane: ``()`` is the body of the call,
    ``(*lane, n)`` the n-th task that a lane starts.
    """

    target: Any
    args: tuple[Any, ...]
    after: Any = None
    status: str = "incomplete"  # then "completed" or "failed"
    output: Any = None
    returned: int | None = None
    raised: Exception | None = None
    raised_here: bool = False
    edited: bool = False
    retry: list[int] = dataclasses.field(default_factory=list)
    children: list[Call] = dataclasses.field(default_factory=list)
    lanes: list[Path] = dataclasses.field(default_factory=list)
    events: list[Event] = dataclasses.field(default_factory=list)

    def asks(self, other: Call) -> bool:
        """Whether both are calls of the same, as it was, with the same input."""
        return same((self.target, self.args), (other.target, other.args))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same; 1 and True are not."""
    return repr(one) == repr(other)


# --- changing what was recorded ---------------------------------------------------


def reopened(old: Call, keep: Iterable[int]) -> Call:
    """``old`` before it ended, with the first children only: ``keep`` is 0, 1, ..."""
    kept = [index for index in keep if 0 <= index < len(old.children)]
    return Call(
        old.target,
        old.args,
        after=old.target,
        retry=[index for index in old.retry if index in kept],
        children=[old.children[index] for index in kept],
        lanes=[old.lanes[index] for index in kept],
        events=[event for event in old.events if event[0] in kept],
    )


def rewind(old: Call, count: int = 1) -> Call:
    """Drop the outcome and the last ``count`` calls."""
    return reopened(old, range(len(old.children) - count))


def rewind_to(old: Call, path: Path) -> Call:
    """Cut the call at ``path``, and what began after it at every level above."""
    if len(path) <= 1:
        return reopened(old, range(*path or (0,)))
    new = reopened(old, range(path[0] + 1))
    new.children[path[0]] = rewind_to(old.children[path[0]], path[1:])
    new.events = [event for event in new.events if event != (path[0], True)]
    return new


def edit(
    old: Call, path: Path, output: Any = None, raises: Exception | None = None
) -> Call:
    """Replace the outcome at ``path``; the calls above have not ended yet."""
    if not path:
        return dataclasses.replace(
            reopened(old, range(len(old.children))),
            edited=True,
            status="completed" if raises is None else "failed",
            output=copy.deepcopy(output),
            raised=raises,
            raised_here=raises is not None,
            retry=[],
        )
    first, *rest = path
    new = reopened(old, range(len(old.children)))
    new.children[first] = edit(old.children[first], tuple(rest), output, raises)
    new.retry = [index for index in new.retry if index != first]
    if rest:
        new.events = [event for event in new.events if event != (first, True)]
    return new


# --- running ----------------------------------------------------------------------


class Frame:
    """A call that runs: ``call`` is written, ``recorded`` is what it is to repeat."""

    def __init__(self, call: Call, recorded: Call | None) -> None:
        self.call = call
        self.recorded = recorded or Call(None, ())
        self.expected = list(self.recorded.events)
        self.used = [False] * len(self.recorded.children)
        self.lanes: dict[Path, Path] = {(): ()}  # what runs -> what was recorded
        self.spawned: dict[Path, int] = {}
        self.failures: list[tuple[int, Exception]] = []

    def begin(self, path: Path, child: Call) -> int:
        """Write down that a call starts in the lane ``path``; gives its index."""
        slot = len(self.call.children)
        self.call.children.append(child)
        self.call.lanes.append(path)
        self.call.events.append((slot, False))
        return slot

    def left(self, path: Path) -> list[int]:
        """The recorded calls of a lane that come next."""
        lane = self.lanes.get(path)
        children = range(len(self.recorded.children))
        indices = [i for i in children if self.recorded.lanes[i] == lane]
        last_used = max((i for i in indices if self.used[i]), default=-1)
        return [i for i in indices if i > last_used]

    def find(self, path: Path, asked: Call) -> int | None:
        """The recorded call that the lane ``path`` makes now; None for a new one."""
        children = self.recorded.children
        if path not in self.lanes:
            self.lanes[path] = self.choose_lane(path, asked)
        left = self.left(path)
        equal = [index for index in left if children[index].asks(asked)]
        if left[:1] != equal[:1] and _run.strict and not _run.explained:
            raise ReplayError(f"recorded {children[left[0]]}, now {asked}")
        if left and not equal and children[left[0]].children:
            if same(children[left[0]].target, asked.target):
                equal = left  # runs again; what was recorded below it may serve
        if equal:
            self.used[equal[0]] = True
        return equal[0] if equal else None

    def choose_lane(self, path: Path, asked: Call) -> Path:
        """The recorded lane for a new one: of its name, else one that begins alike.

        Tasks that make no tracked call may be missing or extra, so names may shift.
        """
        lanes = self.recorded.lanes
        free = [lane for lane in lanes if lane not in self.lanes.values()]
        firsts = {lane: self.recorded.children[lanes.index(lane)] for lane in free}
        fitting = [lane for lane, first in firsts.items() if first.asks(asked)]
        if path in free and (path in fitting or not fitting):
            return path
        return fitting[0] if fitting else (-1,)  # which names no recorded lane

    def check_used_up(self) -> None:
        """The program made all the calls that were recorded."""
        if _run.strict and not _run.explained and not all(self.used):
            raise ReplayError("a recorded call was not made")

    # Turns: answers take no time, so the tasks of a replay would overtake each other.

    def is_turn(self, path: Path) -> bool:
        """Whether the next event is that of a lane, or of one that it starts."""
        if not self.expected:
            return True
        wanted = self.recorded.lanes[self.expected[0][0]]
        own = self.lanes.get(path, path)
        return wanted == own or (self.begins(own, wanted))

    def begins(self, own: Path, wanted: Path) -> bool:
        """Whether a lane may be about to start another one."""
        return wanted[: len(own)] == own and wanted not in self.lanes.values()

    def is_free(self, path: Path) -> bool:
        """Whether nothing was recorded of what a lane does from here on."""
        lanes = {self.recorded.lanes[index] for index, _ in self.expected}
        own = self.lanes.get(path, path)
        return own not in lanes and not any(self.begins(own, lane) for lane in lanes)

    async def turn(self, event: Event) -> None:
        """Wait until all that was recorded before ``event`` has happened."""
        await until(lambda: event not in self.expected[1:])
        self.expected = [other for other in self.expected if other != event]

    def never(self, index: int) -> None:
        """Nobody need wait for the recorded call ``index``."""
        self.expected = [event for event in self.expected if event[0] != index]


class Task:
    """A coroutine in a lane; it is over when it has a result or an error."""

    def __init__(
        self, body: Coroutine[Any, Any, Any], frame: Frame, path: Path
    ) -> None:
        self.body = body
        self.frame, self.path = frame, path
        self.ready: Callable[[], bool] = lambda: True
        self.over = False
        self.result: Any = None
        self.error: Exception | None = None

    def step(self) -> None:
        """Go on until the next wait, or the end."""
        try:
            self.ready = self.body.send(None)
        except StopIteration as stop:
            self.over, self.result = True, stop.value
        except Exception as error:
            self.over, self.error = True, error


class Run:
    """An execution. ``schedule`` says which of the tasks that can go on goes on."""

    def __init__(self, strict: bool, schedule: Sequence[int]) -> None:
        self.strict = strict
        self.schedule = schedule
        self.explained = False  # a call was not answered: the program may differ now
        self.steps = 0
        self.frames: list[Frame] = []
        self.tasks: list[Task] = []
        self.current: Task

    def step(self) -> None:
        """Let one task go on."""
        able = [t for t in self.tasks if not t.over and t.ready()]
        turn = [t for t in able if t.frame.is_turn(t.path)]
        able = turn or [t for t in able if t.frame.is_free(t.path)]
        if not able:  # what was recorded to come next will not happen
            waiting = [frame for frame in self.frames if frame.expected]
            del waiting[-1].expected[0]
            return
        number = self.schedule[self.steps % len(self.schedule)] if self.schedule else 0
        self.steps += 1
        self.current = able[number % len(able)]
        self.current.step()


_run: Run


def execute(
    target: Any, args: Sequence[Any], recorded: Call | None, run: Run
) -> tuple[Call, Exception | None]:
    """Make the call at the top; gives its record, and what came out of it."""
    global _run
    _run = run
    program = None
    if recorded is not None:
        program = Call(None, (), children=[recorded], lanes=[()])
        program.retry = (
            [0] if recorded.status == "failed" and not recorded.edited else []
        )
    top = Frame(Call(None, ()), program)
    main = Task(call(target, *args), top, ())
    run.tasks.append(main)
    while not main.over:
        run.step()
    if isinstance(main.error, ReplayError):
        raise main.error
    return top.call.children[0], main.error


def record(
    target: Any, *args: Any, schedule: Sequence[int] = ()
) -> tuple[Call, Exception | None]:
    """Run a program and record it."""
    return execute(target, args, None, Run(True, schedule))


def replay(
    old: Call, *, strict: bool = True, schedule: Sequence[int] = ()
) -> tuple[Call, Exception | None]:
    """Run a program again: recorded calls are answered, the rest runs live."""
    target, args = copy.deepcopy((old.target, old.args))
    return execute(target, args, old, Run(strict, schedule))


# --- what programs do -------------------------------------------------------------


async def call(target: Any, *args: Any) -> Any:
    """Make a tracked call: the one way in."""
    task = _run.current
    frame, path = task.frame, task.path
    asked = Call(copy.deepcopy(target), copy.deepcopy(args))
    index = frame.find(path, asked)
    old = None if index is None else frame.recorded.children[index]
    retried = index in frame.recorded.retry and not old.edited
    same_request = old is not None and old.asks(asked)
    if same_request and old.status != "incomplete" and not retried:
        return await answer(frame, path, index, (target, *args))
    if index is not None:
        frame.never(index)
    if retried or not (same_request and old.children):
        _run.explained = True
    slot = frame.begin(path, asked)
    inner = task.frame = Frame(asked, old)
    task.path = ()
    _run.frames.append(inner)
    try:
        try:
            output = await getattr(target, "call", target)(*args)
            inner.check_used_up()
        finally:
            if not same(args, asked.args):
                raise InputChanged(f"of {asked.target}")
    except Exception as error:
        asked.status, asked.raised = "failed", error
        causes = list(reachable(error))
        asked.raised_here = all(error is not known for _, known in inner.failures)
        asked.retry = sorted(s for s, e in inner.failures if e in causes)
        frame.failures.append((slot, error))
        raise
    else:
        asked.status, asked.output = "completed", copy.deepcopy(output)
        objects = enumerate((target, *args))
        asked.returned = next((n for n, value in objects if value is output), None)
        return output
    finally:
        asked.after = copy.deepcopy(target)
        task.frame, task.path = frame, path
        inner.expected.clear()
        frame.call.events.append((slot, True))


async def answer(frame: Frame, path: Path, index: int, objects: tuple[Any, ...]) -> Any:
    """Hand out a recorded outcome, when its turn has come."""
    old = frame.recorded.children[index]
    _run.explained = _run.explained or old.edited
    await frame.turn((index, False))
    slot = frame.begin(path, old)
    await frame.turn((index, True))
    frame.call.events.append((slot, True))
    restore(objects[0], old.after)
    if old.raised is not None:
        error = copy.deepcopy(old.raised)
        frame.failures.append((slot, error))
        raise error
    return copy.deepcopy(old.output) if old.returned is None else objects[old.returned]


def reachable(error: BaseException | None) -> Iterator[BaseException]:
    """What led to an exception: groups, causes and contexts, and itself."""
    if error is not None:
        yield error
        yield from reachable(error.__cause__)
        yield from reachable(error.__context__)
        for part in getattr(error, "exceptions", ()):
            yield from reachable(part)


def restore(target: Any, after: Any) -> None:
    """Make an object equal to another; its parts stay the same objects."""
    if isinstance(target, list):
        target[:] = copy.deepcopy(after)
    elif dataclasses.is_dataclass(target):
        for name, value in vars(after).items():
            part = getattr(target, name)
            if isinstance(part, list) or dataclasses.is_dataclass(part):
                restore(part, value)
            else:
                setattr(target, name, copy.deepcopy(value))


@types.coroutine
def until(condition: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Let other tasks go on until the condition holds."""
    while not condition():
        yield condition


@types.coroutine
def pause() -> Iterator[Callable[[], bool]]:
    """Let other tasks go on."""
    yield lambda: True


def spawn(body: Coroutine[Any, Any, Any]) -> Task:
    """Start a task, in a lane of its own."""
    frame, path = _run.current.frame, _run.current.path
    number = frame.spawned[path] = frame.spawned.get(path, -1) + 1
    task = Task(body, frame, (*path, number))
    _run.tasks.append(task)
    return task


async def join(*tasks: Task) -> list[Any]:
    """Wait for tasks; gives the result of each, or the exception that ended it."""
    await until(lambda: all(task.over for task in tasks))
    return [task.result if task.error is None else task.error for task in tasks]
