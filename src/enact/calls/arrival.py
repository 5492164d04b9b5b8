# SPDX-License-Identifier: Apache-2.0
"""How a call begins: its input is encoded, and the replayer is asked.

Either the record has an answer, or a frame begins in which the code is to run.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import rest
from enact.calls.answers import Answer
from enact.calls.callers import stacklevel
from enact.calls.credentials import look_at, look_for_live
from enact.calls.divergence import describe_input, forbidden, in_doubt
from enact.calls.endings import (
    end_as,
    end_streams,
    fail,
    interrupt,
)
from enact.calls.frames import Frame
from enact.calls.inputs import Input, PlainInput
from enact.calls.lane_matching import same
from enact.calls.lanes import (
    Lane,
    lane_of_stranger,
    lane_of_thread,
)
from enact.calls.layout import Recorded, plain_call_args
from enact.calls.memo import find_answer
from enact.calls.replayer import LAST, Given, Plan, path_of_next
from enact.calls.sampling import Known, Parked
from enact.calls.standing import Standing, can_stand
from enact.calls.typecheck import fits
from enact.calls.typecheck import name as type_in_words
from enact.calls.verdicts import (
    BANKED,
    CODE_CHANGED,
    EDITED,
    MEMOIZED,
    NEW,
    REQUEST_CHANGED,
    RESUMED,
    RETRIED,
    REUSED,
    decide,
)
from enact.calls.writing import announce, note_banked
from enact.errors import InvokableTypeError, RefError, Signal, Suspension
from enact.values import LIVE, Ref, decode, require_written, shown

if TYPE_CHECKING:
    from enact.calls.targets import Target
    from enact.calls.turns import Turns
    from enact.stores import ValueStore

_get_ident = threading.get_ident


class LateCallWarning(UserWarning):
    """A call was made after the call that started its task or thread had ended."""


class Early(NamedTuple):
    """A call whose turn has not come yet.

    What it calls, and with what, may be objects that calls before it change.
    """

    lane: Lane
    index: int  # type: ignore[assignment]  # of no use as a method of this tuple
    turns: Turns

    async def wait(self) -> None:
        """Wait for the turn."""
        if self.index == LAST:
            await self.turns.wait_for_rest_of_order(self.lane)
        else:
            await self.turns.wait(self.index, False)

    def wait_in_thread(self) -> None:
        """Block this thread until the turn has come."""
        if self.index == LAST:
            self.turns.wait_for_rest_of_order_in_thread()
        else:
            self.turns.wait_in_thread(self.index, False)


def arrive(
    lane: Lane,
    target: Target,
    receiver: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    waited: int | None = None,
) -> Frame | Answer | Given | Early | Standing | None:
    """Begin a call: gives the frame that is to run, or the recorded answer.

    None means that the call cannot be placed, since the frame of its lane has ended;
    ``Early``, that it is to come again when its turn has come; ``Standing``, when
    somebody goes on with the execution.
    """
    thread = _get_ident()
    if lane.thread != thread:
        lane = lane_of_thread(lane, thread)
    elif lane.in_loop and lane.task != id(rest.current_task()):
        lane = lane_of_stranger(lane)
    parent = lane.frame
    if parent.closed:
        warn_late(lane, target)
        return None
    if target.method is not None and receiver is None and args:
        if target.owns(type(args[0])):
            receiver, args = args[0], args[1:]
    if parent.streams:  # the program goes on, so those that it dropped have ended
        wrong = end_streams(parent, only_dropped=True)
        if wrong is not None:
            raise wrong
    plan = parent.plan
    if plan is None or target.is_stream:
        pass
    elif receiver is None:
        answer: Given | Answer | None = None
        if plan.turns is not None:
            answer = plan.quick_turn(lane, target, args, kwargs)
        elif lane is parent:
            answer = plan.quick_answer(parent, target, args, kwargs)
        if answer is not None:
            return answer
    run = parent.run
    if target.takes_value:
        args = target.fit(args)
    # Closures share a name, and so the identifier; each has code of its own.
    if target.cid not in run.known or target.fixed is None:
        run.introduce(target)
        look_at(target, receiver, args, kwargs)
    data = None
    if receiver is None and not target.takes_value:
        data = plain_call_args(args, kwargs)
    given: Input | PlainInput
    if data is not None:
        given = args, kwargs or None, data
        if LIVE:
            look_for_live(target, data, [], "input")
    else:
        given = Input(run, parent, target, receiver, args, kwargs)
    if plan is not None and not lane.unwinding:
        if plan.turns is not None:
            index = plan.early(lane, Input.of(target, given), waited)
            if index is not None:
                return Early(lane, index, plan.turns)
    elif not (target.memoize or run.cautious):
        return Frame(lane, target, given)
    return begin(lane, target, given, plan)


def begin(
    lane: Lane, target: Target, given: Input | PlainInput, plan: Plan | None
) -> Frame | Answer | Given | Standing | None:
    """Begin a call whose place and input are known; see ``arrive``."""
    if plan is not None and not lane.unwinding:
        if plan.elsewhere is not None:
            return plan.elsewhere.begin(lane, Input.of(target, given))
        return _replayed(lane, target, given, plan)
    if target.memoize or lane.frame.run.cautious:
        return _live(lane, target, given, None)
    return Frame(lane, target, given)


def _replayed(
    lane: Lane, target: Target, given: Input | PlainInput, plan: Plan
) -> Frame | Answer | Given | Standing:
    """Begin a call in a frame that has a recording."""
    session = plan.session
    if session.error is not None:
        raise session.error
    call_input = Input.of(target, given)
    found = plan.match(lane, call_input)
    if found is None:
        if plan.has_turns() and not session.changed:
            lane.in_flight = True
        return _live(lane, target, given, NEW)
    index, recorded = found
    path = path_of_next(lane)
    if same(recorded, call_input):
        verdict = decide(plan, index, recorded, target, path)
    else:
        verdict = REQUEST_CHANGED
    ref = None
    if recorded.raised_here and session.policy.override is not None:
        ref = _overriding(
            session.policy.override, recorded, target, lane.frame.run.store
        )
        verdict = EDITED if ref is not None else verdict
    if verdict is None:
        return Answer(lane, target, call_input, recorded, index, plan.turns)
    in_turn = verdict == REUSED and plan.turns is not None
    if not in_turn:
        plan.drop(index)
    if verdict in (RETRIED, RESUMED, CODE_CHANGED) and not target.is_stream:
        if plan.in_flight(index):
            lane.in_flight = True
        elif plan.retried(index):
            plan.cut(lane.frame, index)
    if ref is not None:
        frame = Frame(lane, target, given, verdict, recorded)
        session.tell(frame)
        return Given(end_as(frame, ref.cid, EDITED))
    if target.retry is not None and recorded.status == "incomplete":
        if same(recorded, call_input) and session.policy.in_doubt == "raise":
            said = f"{target.name!r}, {describe_input(call_input)},"
            # It stays in the record, so that the next replay stops here as well.
            interrupt(Frame(lane, target, given, verdict, recorded), "incomplete")
            raise session.failed(in_doubt(path, said))
    if not recorded.has_calls:
        return _live(lane, target, given, verdict, recorded)
    frame = Frame(lane, target, given, verdict, recorded)
    if in_turn:
        assert plan.turns is not None
        frame.turn = index
        plan.turns.happened(index, False)
    if verdict not in (RESUMED, REUSED):
        session.tell(frame)
    stands = recorded.status == "failed" and not plan.retried(index)
    Plan(recorded, session, frame.run.store, stands).start(frame)
    return frame


def _live(
    lane: Lane,
    target: Target,
    given: Input | PlainInput,
    verdict: str | None,
    recorded: Recorded | None = None,
) -> Frame | Answer | Standing:
    """Begin a call that the recording does not answer.

    Args:
        verdict: why it runs; None where there is no recording.
        recorded: whose place it takes.
    """
    run = lane.frame.run
    session = run.session
    policy = session.policy
    path = path_of_next(lane)
    call_input = Input.of(target, given)
    if (policy.memoize or target.memoize) and verdict != RETRIED:
        known = find_answer(run.store, call_input, session.versions)
        if known is not None:
            session.explain(path, MEMOIZED)
            return Answer(lane, target, call_input, known)
    if policy.live == "forbid" and target.draws:
        raise session.failed(forbidden(path, call_input, verdict or NEW))
    forecast = policy.forecast
    if forecast is not None and not target.builtin:
        if recorded is not None or forecast.is_leaf(target.name):
            if forecast.expect(path, call_input, verdict or NEW, recorded):
                assert recorded is not None
                session.explain(path, verdict or NEW)
                return Answer(lane, target, call_input, recorded)
            frame = Frame(lane, target, given, verdict or NEW, recorded)
            session.tell(frame)
            raise fail(frame, forecast.stop())
    draw = None
    if policy.sampler is not None and target.draws:
        decided = policy.sampler.arrive(lane, call_input)
        if isinstance(decided, Known):
            session.explain(path, BANKED)
            if run.tells_order:
                note_banked(lane, call_input, decided, recorded)
            return Answer(lane, target, call_input, decided.recorded)
        if isinstance(decided, Suspension):
            frame = Frame(lane, target, given, verdict, recorded)
            place = policy.sampler.place
            if place is not None and type(decided) is Parked:
                if can_stand(frame, place):
                    return Standing(frame, decided, place)
            raise fail(frame, decided)
        draw = decided
    frame = Frame(lane, target, given, verdict, recorded)
    if draw is not None:
        frame.draw = draw
        if policy.sampler is not None and policy.sampler.tells_draws:
            frame.usage, frame.plain = {"draw": draw}, False
            announce(frame)
    if verdict is not None:
        session.tell(frame)
    return frame


def _overriding(
    override: Callable[[Ref[Any]], Ref[Any] | None],
    recorded: Recorded,
    target: Target,
    store: ValueStore,
) -> Ref[Any] | None:
    assert recorded.raised is not None
    ref = override(Ref(recorded.raised, store))
    if ref is None:
        return None
    if not isinstance(ref, Ref):
        raise RefError(
            f"exception_override for {target.name!r} gave {type(ref).__name__}: "
            "it must give a ref to the value that takes the place (`enact.commit`), "
            "or None"
        )
    store.adopt(ref)
    value = decode(store.load_block(ref.cid), store)
    require_written(value)
    raised = decode(store.load_block(recorded.raised), store)
    if isinstance(raised, Signal):
        raised.check(value)
    elif target.check_output is not None:
        target.check_output(value)
    else:
        annotation = target.returns()
        if not fits(value, annotation):
            raise InvokableTypeError(
                f"exception_override for {target.name!r} must give "
                f"{type_in_words(annotation)}, gave {type(value).__qualname__}: "
                f"{shown(value)}"
            )
    return ref


def warn_late(lane: Lane, target: Target) -> None:
    """Warn of a call that is made when the call that started its lane has ended."""
    frame = lane if isinstance(lane, Frame) else lane.frame
    name = frame.target.name if frame.target is not None else "the invocation"
    warnings.warn(
        f"{target.name!r} was called by a task or thread that outlived {name!r}, "
        "which started it: the call runs, but is in no record. Await or join it "
        "before that call returns",
        LateCallWarning,
        stacklevel=stacklevel(),
    )
