# SPDX-License-Identifier: Apache-2.0
"""The end where the frame is: what child processes ask about the calls they make."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from enact.calls.answers import Answer
from enact.calls.arrival import begin, warn_late
from enact.calls.edits import read
from enact.calls.frames import Frame
from enact.calls.inputs import CallArgs, Input
from enact.calls.lanes import Lane
from enact.calls.partial import below
from enact.calls.processes.messages import (
    CHILDS,
    FIRST,
    Answered,
    Called,
    Order,
)
from enact.calls.replayer import Given
from enact.calls.targets import Target, live
from enact.calls.writing import announce, let_go
from enact.errors import CallError, Signal
from enact.stores import CallRow
from enact.values import decode

if TYPE_CHECKING:
    from enact.calls.lanes import Path
    from enact.calls.layout import Blocks


class Work:
    """Something that runs in a child process: a lane of a frame.

    Args:
        lane: of the work.

    Attributes:
        lane: the same.
        frame: whose lane it is.
    """

    def __init__(self, lane: Lane) -> None:
        lane.is_away = True
        self.lane = lane
        self.frame = lane.frame
        self._lanes: dict[Path, Lane] = {lane.path: lane}
        self._answers: dict[int, Answer] = {}
        self._keys = itertools.count()
        # Calls that run in the child, by slot; numbers of those below them.
        self._open: dict[int, Frame] = {}
        self._numbers: dict[int, int] = {}

    # --- the conversation about one call ----------------------------------------------

    def early(self, path: Path, called: Called, waited: int | None) -> int | None:
        """See ``Plan.early``."""
        lane = self._lane(path)
        plan = lane.frame.plan
        return None if plan is None else plan.early(lane, self._input(called), waited)

    def begin(self, path: Path, called: Called) -> Order | Answered | Given | None:
        """A call comes; None if it cannot be placed."""
        lane = self._lane(path)
        frame = lane.frame
        call_input = self._input(called)
        target = call_input.target
        if frame.closed:
            warn_late(lane, target)
            return None
        arrival = begin(lane, target, call_input, frame.plan)
        if isinstance(arrival, Answer):
            key = next(self._keys)
            self._answers[key] = arrival
            in_turn = arrival.turns is not None
            return Answered(key, arrival.recorded.cid, arrival.index, in_turn)
        if isinstance(arrival, Given):
            return arrival
        assert isinstance(arrival, Frame)
        stands = None if arrival.plan is None else arrival.plan.stands
        arrival.plan = None
        arrival.elsewhere = self
        self._open[arrival.slot] = arrival
        session = frame.run.session
        return Order(
            arrival.slot, arrival.number, arrival.position_there, arrival.turn,
            arrival.verdict, arrival.replaces, stands, arrival.draw,
            session.explained, session.changed, lane.in_flight,
        )  # fmt: skip

    def begin_answer(self, key: int) -> int:
        """The start of a call that a record answers has come; its slot."""
        answer = self._answers[key]
        answer.begin()
        return answer.slot

    def end_answer(self, key: int) -> None:
        """Its end has come."""
        self._answers.pop(key).end()

    def wait(self, index: int, what: int) -> bool:
        """See ``Turns.wait_in_thread``."""
        turns = self._turns()
        return turns is None or turns.wait_in_thread(index, what)

    def wait_before_lock(self, path: Path, guards_data: bool) -> None:
        """See ``Plan.wait_before_lock``."""
        plan = self.frame.plan
        if plan is not None:
            plan.wait_before_lock(self._lane(path), guards_data)

    def note_mark(self, kind: int, path: Path) -> None:
        """See ``Frame.note_mark``."""
        self.frame.note_mark(kind, path)

    def tell_marks(self) -> None:
        """See ``Frame.tell_marks``."""
        self.frame.tell_marks()

    def marks(self, what: str, *args: Any) -> Any:
        """See ``MarkTurns``."""
        turns = self._turns()
        return turns is not None and getattr(turns.marks, what)(*args)

    def wait_for_rest(self, child: int) -> None:
        """See ``Turns.wait_for_rest_of_order_in_thread``."""
        turns = self._turns()
        if turns is not None:
            turns.wait_for_rest_of_order_in_thread(child)

    def is_last(self, child: int) -> bool:
        """See ``Turns.is_last``."""
        turns = self._turns()
        return turns is not None and turns.is_last(child)

    def happened(self, index: int, what: int) -> None:
        """See ``Turns.happened``."""
        turns = self._turns()
        if turns is not None:
            turns.happened(index, what)

    def items_of(self, index: int) -> int:
        """See ``Turns.items_of``."""
        turns = self._turns()
        return 0 if turns is None else turns.items_of(index)

    def awaits_cancellation(self, index: int) -> None:
        """See ``Turns.awaits_cancellation``."""
        turns = self._turns()
        if turns is not None:
            turns.awaits_cancellation(index)

    def handed_out(self, slot: int) -> None:
        """See ``Frame.handed_out``."""
        self.frame.handed_out(slot)

    def _turns(self) -> Any:
        plan = self.frame.plan
        return None if plan is None else plan.turns

    # --- what comes of it -------------------------------------------------------------

    def record(
        self, blocks: Blocks, row: CallRow, told: dict[str, Any] | None = None
    ) -> None:
        """A call in the child is to be written.

        Args:
            blocks: of it.
            row: of it; its number and that of its parent are the child's own.
            told: of the session there, where the call was made by the work itself.
        """
        run = self.frame.run
        if self.frame.closed:
            return  # the call has outlived the one that started it
        if row.parent is not None and row.parent != FIRST:
            number, parent = self._numbered(row.number), self._numbered(row.parent)
            run.record(blocks, row._replace(number=number, parent=parent))
            return
        if row.index < 0:
            self._unwound(blocks, row)
            return
        if row.status == "running":
            begun = self._open.get(row.index)
            if begun is not None:
                announce(begun)  # with the same blocks
            return
        frame = self._open.pop(row.index, None)
        if frame is None:
            return
        self._learn(told or {})
        self._end(frame, blocks, row)

    def _numbered(self, number: int) -> int:
        if number < CHILDS:
            return number
        known = self._numbers.get(number)
        if known is None:
            known = self._numbers[number] = self.frame.run.next_number()
        return known

    def _end(self, frame: Frame, blocks: Blocks, row: CallRow) -> None:
        caller = frame.caller
        parent = caller.frame
        run = frame.run
        frame.closed = True
        parent.ran(frame.target.version, ())
        if not parent.announced:
            announce(parent)
        slot = frame.slot
        order = parent.ending(slot, blocks)
        run.record(
            blocks,
            row._replace(
                number=frame.number, parent=parent.number, lane=caller.path,
                position=frame.position_there, order=order,
            ),
        )  # fmt: skip
        assert row.invocation is not None
        if row.status == "paused":
            self._paused(caller, slot, row.invocation)
        parent.ended_as(slot, row.invocation, order)
        if run.sampler is not None:
            run.sampler.ended(frame, row.status)
        let_go(frame)

    def _paused(self, lane: Lane, slot: int, cid: bytes) -> None:
        """Note in the frame which question is open."""
        frame = lane.frame
        store = frame.run.store
        raised = read(cid, store).raised
        assert raised is not None
        signal = decode(store.load_block(raised), store)
        assert isinstance(signal, Signal)
        lane.unwinding = True
        frame.plain = False
        frame.pending = [*(frame.pending or ()), (lane.path, slot, raised, signal)]

    def _unwound(self, blocks: Blocks, row: CallRow) -> None:
        """A call was made after a pause had gone through the lane."""
        frame = self.frame
        run = frame.run
        number = self._numbered(row.number)
        run.record(blocks, row._replace(number=number, parent=frame.number))
        assert row.invocation is not None
        frame.unwound = [*(frame.unwound or ()), row.invocation]
        frame.plain = False

    def _learn(self, told: dict[str, Any]) -> None:
        """What the session of the child has come to know."""
        session = self.frame.run.session
        session.explained = session.explained or told.get("explained", False)
        session.changed = session.changed or told.get("changed", False)
        session.verdicts.update(told.get("verdicts", {}))
        error = told.get("error")
        if error is not None:
            session.failed(error)
        self.frame.ran(None, told.get("below", ()))

    def over(
        self, path: Path | None = None, told: dict[str, Any] | None = None
    ) -> None:
        """A lane of the work makes no more calls; by default, the work itself."""
        self._learn(told or {})
        plan = self.frame.plan
        if plan is not None:
            plan.finished(self.lane if path is None else self._lane(path))

    def lost(self, slots: set[int]) -> None:
        """Nobody waits for these calls, or their process is gone: they are cut off."""
        for slot in sorted(slots):
            frame = self._open.pop(slot, None)
            if frame is None or frame.closed:
                continue
            if not frame.announced:
                announce(frame)
            run = frame.run
            row, cid = below(run.store, run.id, frame.number)
            blocks: Blocks = []
            status = row._replace(
                status="incomplete", invocation=cid, parent=FIRST, index=slot
            )
            self._end(frame, blocks, status)

    # --- what is asked about ----------------------------------------------------------

    def _lane(self, path: Path) -> Lane:
        """The lane of this path, which the child may have begun."""
        known = self._lanes.get(path)
        if known is None:
            above = self._lane(path[:-1])
            with self.frame.lock:
                while above.spawned <= path[-1]:
                    lane = above.spawn()
                    lane.is_away = True
                    self._lanes[lane.path] = lane
            known = self._lanes[path]
        return known

    def _input(self, called: Called) -> _Told:
        return _Told(_target(called.target), called, self.frame.run.store)


class _Told(Input):
    """The input of a call in another process."""

    fixed = True
    receiver = None

    def __init__(self, target: Target, called: Called, store: Any) -> None:
        self.target = target
        self.invokable = called.invokable
        self.cid = called.input
        self.blocks = list(called.blocks)
        self.data = dict(called.blocks)[called.input]
        self.opaque = called.opaque
        self._store = store

    @property
    def args(self) -> tuple[Any, ...]:  # type: ignore[override]  # read when asked for
        value = self._value()
        return tuple(value.args) if isinstance(value, CallArgs) else (value,)

    @property
    def kwargs(self) -> dict[str, Any]:  # type: ignore[override]  # likewise
        value = self._value()
        return value.kwargs if isinstance(value, CallArgs) else {}

    def _value(self) -> Any:
        self._store.backend.put(self.blocks)
        return decode(self.data, self._store)


def _target(told: dict[str, Any]) -> Target:
    """What is called, as known here; else all that a record needs to know of it."""
    for known in live(told["name"]):
        if known.refresh_code() == told["code"]:
            return known
    target = Target.__new__(Target)
    target.fn = target.wrapper = _elsewhere
    for name, value in told.items():
        setattr(target, name, value)
    target.fixed = target.method = target.check_output = None
    target.ordered_kwargs = False
    return target


def _elsewhere() -> None:
    """Stands for a function that only the child process has."""


# --- all the work of this process -----------------------------------------------------

_numbers = itertools.count()
_works: weakref.WeakValueDictionary[int, Work] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def take_in(work: Work) -> int:
    """Make work known to child processes, as long as somebody holds it; its number."""
    with _lock:
        number = next(_numbers)
        _works[number] = work
    return number


def find_work(number: int) -> Work | None:
    """The work of this number, if it is still going on."""
    return _works.get(number)


class Answerer:
    """Answers what comes through one connection."""

    def __init__(self) -> None:
        # Calls that run at the other end, and what they are work of.
        self._open: dict[Work, set[int]] = {}

    def __call__(self, number: int | None, what: str = "", *args: Any) -> Any:
        if number is None:
            for one, slots in self._open.items():
                one.lost(slots)
                one.over()
            self._open.clear()
            return None
        work = find_work(number)
        if work is None:
            if what == "begin":
                return None  # it cannot be placed any more
            raise CallError("the call that sent this work to a process has ended")
        if what == "store":
            return _asked(work.frame.run.store.backend, *args)
        answer = getattr(work, what)(*args)
        if isinstance(answer, Order):
            self._open.setdefault(work, set()).add(answer.slot)
        return answer


_ALLOWED = frozenset(
    (
        "get", "has", "keep", "between", "put", "begin_run", "end_run", "runs",
        "calls", "codes", "entries", "swap", "write_entries", "flush", "record",
        "find_owner",
    )
)  # fmt: skip


def _asked(backend: Any, what: str, args: tuple[Any, ...], options: Any) -> Any:
    if what == "owner":
        return backend.owner
    if what not in _ALLOWED:
        raise AttributeError(what)
    if what == "keep" and not hasattr(backend, what):
        what = "has"  # it collects no garbage
    method: Callable[..., Any] = getattr(backend, what)
    found = method(*args, **options)
    return list(found) if isinstance(found, Iterator) else found
