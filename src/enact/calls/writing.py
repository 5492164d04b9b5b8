# SPDX-License-Identifier: Apache-2.0
"""How a call that has ended, or is under way, gets into the store."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.errors import UnstorableValue
from enact.stores import CallRow
from enact.values import cid_of, encode_form
from enact.values.cids import CID_PREFIX

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.inputs import Input
    from enact.calls.replayer import Plan

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
    if frame.lanes is not None or frame.unwound or frame.origin:
        details = _add_order(frame, details or layout.Details())
    if frame.plan is not None and status != "completed":
        details = _add_ahead(frame, frame.plan, details)
    after = call_input.invokable
    if call_input.receiver is not None:
        after, details = _state_after(frame, call_input, details)
    subtree = None if frame.below is None else run.subtree(frame.below, blocks)
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
    parent.ran(target.version, frame.below or ())
    slot = frame.slot
    if not parent.announced and parent.target is not None:
        announce(parent)
    order = parent.ending(slot) if slot >= 0 else None
    run.record(
        blocks,
        CallRow(
            run.id, frame.number, parent.number, caller.path, frame.position_there,
            slot, target.name, request, cid, target.code_bytes, status,
            run.epoch + frame.begun, duration, frame.verdict, frame.replaces,
            order, frame.usage_text(),
        ),
    )  # fmt: skip
    if slot >= 0:
        parent.ended_as(slot, cid, order)
    else:
        parent.plain = False
        parent.unwound = [*(parent.unwound or ()), cid]
    if frame.plan is not None:
        frame.plan.ended()
    # Let go of what would keep this frame alive until the garbage collector runs.
    frame.frame = frame.ended
    frame.failures = frame.pending = frame.started_work = frame.plan = None


def write_leaf(frame: Frame, value: Any, output: bytes, duration: float) -> None:
    """``write`` for most calls by far: scalars in, a scalar out, no calls.

    It does the same in fewer steps; ``tests/golden`` holds both to the same bytes.
    """
    call_input = frame.call_input
    target = frame.target
    caller = frame.caller
    run = frame.run
    parent = caller.frame
    invokable = call_input.invokable
    input_cid = call_input.cid
    code = target.code
    slot = frame.slot
    output_cid = CID_PREFIX + sha256(output).digest()
    request_data = encode_form(
        {"$": layout.REQUEST, "input": input_cid, "invokable": invokable}
    )
    request = CID_PREFIX + sha256(request_data).digest()
    data = encode_form(
        {
            "$": layout.RESPONSE,
            "children": _NONE,
            "code": code,
            "details": None,
            "invokable": invokable,
            "output": output_cid,
            "raised": None,
            "raised_here": False,
            "subtree": None,
        }
    )
    response = CID_PREFIX + sha256(data).digest()
    invocation = encode_form(
        {"$": layout.INVOCATION, "request": request, "response": response}
    )
    cid = CID_PREFIX + sha256(invocation).digest()
    frame.closed = True
    if not parent.announced and parent.target is not None:
        announce(parent)
    order = None if parent.events is None else parent.ending(slot)
    run.record(
        [
            *call_input.blocks,
            (input_cid, call_input.data),
            (request, request_data),
            (output_cid, output),
            (response, data),
            (cid, invocation),
        ],
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
    if len(ready) > layout.READY:
        ready.clear()
    if parent.below is None:
        parent.below = {target.version}
    else:
        parent.below.add(target.version)
    ready[cid] = (request, response, invokable, input_cid, output_cid, code, value)
    if parent.lanes is None and not parent.spawned:
        parent.children[slot] = cid
    else:
        parent.ended_as(slot, cid, order)
    frame.frame = frame.ended


_NONE: list[bytes] = []


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
    while not frame.announced and frame.target is not None:
        frames.append(frame)
        frame = frame.caller.frame
    for frame in reversed(frames):
        _announce(frame)


def _announce(frame: Frame) -> None:
    caller = frame.caller
    target = frame.target
    call_input = frame.call_input
    assert caller is not None and target is not None and call_input is not None
    frame.announced = True
    parent = caller.frame
    request = call_input.request()
    blocks, call_input.blocks = call_input.blocks, []
    run = frame.run
    run.record(
        blocks,
        CallRow(
            run.id, frame.number, parent.number, caller.path, frame.position_there,
            frame.slot, target.name, request, None, target.code_bytes, "running",
            run.epoch + frame.begun, 0.0, frame.verdict, frame.replaces,
        ),
    )  # fmt: skip


def _add_order(frame: Frame, details: layout.Details) -> layout.Details:
    lanes = frame.lanes
    if lanes is not None and any(lanes):
        details.lanes = [list(path) for path in lanes]
        events = frame.events
        assert events is not None
        while events and events[-1] == layout.REST:
            events.pop()
        if not _sequential(events):
            details.events = events
    details.unwinding = frame.unwound
    details.origin = frame.origin
    return details


def _add_ahead(
    frame: Frame, plan: Plan, details: layout.Details | None
) -> layout.Details | None:
    ahead, lanes = plan.ahead(frame)
    if not ahead:
        return details
    details = details or layout.Details()
    details.ahead = ahead
    if details.lanes is not None or any(lanes):
        own = details.lanes or [[]] * len(frame.children)
        details.lanes = [*own, *([*path] for path in lanes)]
    return details


def _sequential(events: list[int]) -> bool:
    return len(events) % 2 == 0 and all(
        event == (0 if place % 2 == 0 else place // 2 + 1)
        for place, event in enumerate(events)
    )
