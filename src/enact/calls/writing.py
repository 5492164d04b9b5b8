# SPDX-License-Identifier: Apache-2.0
"""How a call that has ended, or is under way, gets into the store."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.calls.fixed_blocks import INVOCATION_HEAD, INVOCATION_MIDDLE
from enact.calls.layout import READY
from enact.calls.marks import worth_telling
from enact.calls.verdicts import BANKED
from enact.errors import UnstorableValue
from enact.stores import CallRow
from enact.values import cid_of
from enact.values.cids import CID_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from enact.calls.frames import Frame
    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane
    from enact.calls.layout import Recorded
    from enact.calls.replayer import Plan
    from enact.calls.runs import Run
    from enact.calls.sampling import Known
    from enact.calls.targets import Target

# Skips the argument handling of the named tuple's own constructor.
_row = tuple.__new__


def write(
    frame: Frame,
    details: layout.Details | None,
    duration: float,
    output: bytes | None,
    raised: bytes | None,
    raised_here: bool,
    status: str,
) -> None:
    call_input = frame.call_input
    target = frame.target
    caller = frame.caller
    run = frame.run
    blocks = call_input.blocks
    children = frame.children
    # What is parked is recorded as it stood: what it does when it unwinds, if it does,
    # is no part of it.
    is_sampled = run.session.policy.sampler is not None
    is_parked = is_sampled and status == "paused"
    if is_parked:
        frame.unwound = None
    if frame.lanes is not None or frame.unwound or frame.origin:
        details = _add_order(frame, details or layout.Details())
    if frame.plan is not None and status != "completed":
        details = _add_ahead(frame, frame.plan, details)
    if frame.player is not None and output is None:
        details = frame.player.add_items(details, blocks)
    after = call_input.invokable
    if call_input.receiver is not None and not is_parked:
        after, details = _state_after(frame, call_input, details)
    subtree = None if frame.below is None else run.subtree(frame.below)
    if children or details is not None or subtree is not None:
        data = layout.response(
            after, output, raised, raised_here, children, target.code, subtree,
            details, blocks,
        )  # fmt: skip
    else:
        data = layout.leaf_response(after, output, raised, raised_here, target.code)
    response = cid_of(data)
    if 0 < len(children) <= layout.READY_CHILDREN:
        run.store.ready[response] = children
    request = call_input.request()
    invocation_data = layout.invocation(request, response)
    cid = cid_of(invocation_data)
    blocks.append((response, data))
    blocks.append((cid, invocation_data))
    frame.closed = True
    parent = caller.frame
    slot = frame.slot
    if slot >= 0 or not is_sampled:
        parent.ran(target.version, frame.below or ())
    if not parent.announced:
        announce(parent)
    waits = frame.may_wait and slot >= 0 and _is_due(run, duration)
    order = parent.ending(slot, blocks, not waits) if slot >= 0 else None
    record = run.flusher.record_unflushed if waits else run.record  # type: ignore[union-attr]  # what waits has one
    record(
        blocks,
        CallRow(
            run.id, frame.number, parent.number, caller.path, frame.position_there,
            slot, target.name, request, cid, target.code_bytes, status,
            run.epoch + frame.begun, duration, frame.verdict, frame.replaces,
            order, frame.usage_text(),
        ),
    )  # fmt: skip
    if waits:
        frame.unended = cid
        return
    if slot >= 0:
        parent.ended_as(slot, cid, order)
    else:
        parent.plain = False
        parent.unwound = [*(parent.unwound or ()), cid]
    if frame.plan is not None:
        frame.plan.ended()
    if run.sampler is not None:
        run.sampler.ended(frame, status)
    let_go(frame)


def _is_due(run: Run, duration: float) -> bool:
    return run.flusher is not None and run.flusher.flush_is_due(duration)


def leave(frame: Frame) -> None:
    """End a call that was written, and has waited for a flush since."""
    cid, frame.unended = frame.unended, None
    assert cid is not None
    frame.caller.frame.ended_as(frame.slot, cid, None)
    let_go(frame)


def let_go(frame: Frame) -> None:
    """Drop what would keep a frame alive until the garbage collector runs."""
    frame.frame = frame.ended
    frame.failures = frame.pending = frame.started_work = frame.plan = None


def write_leaf(
    frame: Frame, input_data: bytes, output: Any, output_data: bytes, duration: float
) -> None:
    """``write`` for most calls by far: scalars in, a scalar out, no calls.

    It does the same in fewer steps; ``tests/golden`` holds both to the same bytes.
    """
    target = frame.target
    caller = frame.caller
    run = frame.run
    parent = caller.frame
    slot = frame.slot
    fixed = target.fixed
    asked = frame.asked
    if asked is None:  # as ``ask`` does, for most calls by far
        input_hash = sha256(input_data).digest()
        input_cid = CID_PREFIX + input_hash
        request_data = fixed.request_head + input_hash + fixed.request_tail
        request_hash = sha256(request_data).digest()
        request = CID_PREFIX + request_hash
    else:
        (input_cid, _), (request, request_data) = asked
        request_hash = request[len(CID_PREFIX) :]
    output_hash = sha256(output_data).digest()
    output_cid = CID_PREFIX + output_hash
    data = fixed.response_head + output_hash + fixed.response_tail
    response_hash = sha256(data).digest()
    response = CID_PREFIX + response_hash
    invocation = INVOCATION_HEAD + request_hash + INVOCATION_MIDDLE + response_hash
    cid = CID_PREFIX + sha256(invocation).digest()
    frame.closed = True
    if not parent.announced:
        announce(parent)
    blocks = [
        (input_cid, input_data),
        (request, request_data),
        (output_cid, output_data),
        (response, data),
        (cid, invocation),
    ]
    waits = frame.may_wait and _is_due(run, duration)
    order = None
    if parent.events is not None and run.tells_order:
        order = parent.ending(slot, blocks, not waits)
    record = run.flusher.record_unflushed if waits else run.record  # type: ignore[union-attr]  # what waits has one
    record(
        blocks,
        _row(
            CallRow,
            (
                run.id, frame.number, parent.number, caller.path,
                frame.position_there, slot, target.name, request, cid,
                target.code_bytes, "completed", run.epoch + frame.begun, duration,
                frame.verdict, frame.replaces, order, None,
            ),
        ),
    )  # fmt: skip
    ready = run.store.ready
    if len(ready) > READY:
        ready.clear()
    if parent.below is None:
        parent.below = {target.version}
    else:
        parent.below.add(target.version)
    ready[cid] = (
        request, response, target.cid, input_cid, output_cid, target.code, output,
    )  # fmt: skip
    if waits:
        frame.unended = cid
        return
    if order is not None or (parent.lanes is None and not parent.spawned):
        parent.children[slot] = cid
    else:
        parent.ended_as(slot, cid, order)
    if run.sampler is not None:
        run.sampler.ended(frame, "completed")
    frame.frame = frame.ended


def ask(target: Target, input_data: bytes) -> tuple[layout.Block, layout.Block]:
    """Blocks of the input and of the request of a call with scalars alone."""
    fixed = target.fixed
    input_hash = sha256(input_data).digest()
    data = fixed.request_head + input_hash + fixed.request_tail
    return (
        (CID_PREFIX + input_hash, input_data),
        (CID_PREFIX + sha256(data).digest(), data),
    )


def _state_after(
    frame: Frame, call_input: Input, details: layout.Details | None
) -> tuple[bytes, layout.Details | None]:
    try:
        after, opaque = call_input.state_after(frame.run, frame)
    except UnstorableValue:
        after, opaque = call_input.invokable, True
    rebound = call_input.rebound() if after != call_input.invokable else None
    if opaque or rebound:
        details = details or layout.Details()
        details.opaque = True if opaque else details.opaque
        details.rebound = rebound
    return after, details


def announce(frame: Frame) -> None:
    """Write rows of calls that have begun and have ended children already."""
    frames: list[Frame] = []
    while not frame.announced:
        frames.append(frame)
        frame = frame.caller.frame
    for frame in reversed(frames):
        _announce(frame)


def _announce(frame: Frame) -> None:
    caller = frame.caller
    target = frame.target
    call_input = frame.call_input
    assert caller is not None and target is not None and call_input is not None
    parent = caller.frame
    request = call_input.request()
    blocks = call_input.blocks
    run = frame.run
    run.record(
        blocks,
        CallRow(
            run.id, frame.number, parent.number, caller.path, frame.position_there,
            frame.slot, target.name, request, None, target.code_bytes, "running",
            run.epoch + frame.begun, 0.0, frame.verdict, frame.replaces, None,
            frame.usage_text(),
        ),
    )  # fmt: skip
    # From here on other threads rely on it that the row is there.
    frame.announced = True
    if call_input.blocks is blocks:
        call_input.blocks = []


def note_banked(
    lane: Lane, call_input: Input, known: Known, instead_of: Recorded | None
) -> None:
    """Write the row of a call that gets a known sample.

    No recording that the run goes on from tells of it, should the run be cut off.

    Args:
        lane: that makes the call.
        call_input: what it asks.
        known: the sample.
        instead_of: the recorded call whose place it takes.
    """
    frame = lane.frame
    run = frame.run
    if not frame.announced:
        announce(frame)
    recorded = known.recorded
    target = call_input.target
    run.record(
        [],
        CallRow(
            run.id, run.next_number(), frame.number, lane.path, lane.position,
            len(frame.children), target.name, recorded.request, recorded.cid,
            target.code_bytes, recorded.status, time.time(), 0.0, BANKED,
            None if instead_of is None else instead_of.cid, None,
            json.dumps({"draw": known.number}),
        ),
    )  # fmt: skip


def _add_order(frame: Frame, details: layout.Details) -> layout.Details:
    lanes = frame.lanes
    alarms = frame.alarms if frame.children else None  # else they had no effect on any
    if lanes is not None and (any(lanes) or frame.tells_marks or alarms):
        details.lanes = lanes
        events = frame.events
        assert events is not None
        while events and events[-1] == layout.REST:
            events.pop()
        if not _sequential(events):
            details.events = events
        if frame.tells_marks:
            details.marks = worth_telling(frame.marks or ())
        details.alarms = alarms
        details.laps = frame.laps
        if frame.plan is not None:
            _keep_order(frame.children, details, frame.plan.recorded)
    details.unwinding = frame.unwound
    details.origin = frame.origin
    return details


def _keep_order(
    children: Sequence[bytes], details: layout.Details, recorded: layout.Recorded
) -> None:
    """Where a replay has repeated all calls, its order is the one that was recorded.

    That the event loop came to rest, or an item ended, may have come a little later.
    """
    known = recorded.details
    if known is None or [*children] != [*recorded.children]:
        return
    if details.has_order_of(known):
        details.events, details.marks = known.events, known.marks
        details.alarms, details.laps = known.alarms, known.laps


def _add_ahead(
    frame: Frame, plan: Plan, details: layout.Details | None
) -> layout.Details | None:
    ahead, lanes = plan.ahead(frame)
    if not ahead:
        return details
    details = details or layout.Details()
    details.ahead = ahead
    if details.lanes is not None or any(lanes):
        own = details.lanes or [()] * len(frame.children)
        details.lanes = [*own, *lanes]
    return details


def _sequential(events: list[int]) -> bool:
    """Whether each call ended before the next one started: 0, 1, 0, 2, 0, 3, ..."""
    starts, ends = events[::2], events[1::2]
    return (
        len(starts) == len(ends)
        and not any(starts)
        and ends == list(range(1, len(ends) + 1))
    )
