# SPDX-License-Identifier: Apache-2.0
"""How a call ends: it returns, it raises, it asks a person, or it is cut off."""

from __future__ import annotations

import threading
import time
from typing import Any

from enact.calls import layout, rest
from enact.calls.credentials import look_for_live
from enact.calls.divergence import not_awaited
from enact.calls.edits import cancelled
from enact.calls.exceptions import Failure, capture, reachable
from enact.calls.frames import Frame, clock
from enact.calls.layout import plain_scalar
from enact.calls.writing import leave, write, write_leaf
from enact.errors import IncompleteSubinvocationError, InputChanged, Signal
from enact.values import ATOMIC, LIVE, cid_of, decode

# Raised through a call, these say nothing about it: it just did not finish.
INTERRUPTS = (KeyboardInterrupt, SystemExit, GeneratorExit)


def complete(frame: Frame, output: Any) -> Any:
    """The call returned ``output``; gives what its caller gets."""
    if frame.closed:
        return output
    duration = clock() - frame.begun
    given = frame.given
    if type(given) is tuple and frame.plain and not frame.children:
        data = plain_scalar(output)
        if data is not None:
            if LIVE:
                look_for_live(frame.target, data, [], "output")
            write_leaf(frame, given[2], output, data, duration)
            return output
    call_input = frame.call_input
    target = frame.target
    wrong = end_streams(frame) if frame.streams else None
    if frame.pending:
        raise pause(frame, duration)
    wrong = wrong or _running_children(frame) or _changed_input(frame)
    wrong = wrong or _cut_short(frame)
    if wrong is None and frame.plan is not None:
        wrong = frame.plan.left_over(frame)
    if wrong is not None:
        raise fail(frame, wrong)
    if target.check_output is not None:
        try:
            target.check_output(output)
        except Exception as error:
            raise fail(frame, error) from None
    details = None
    kind = type(output)
    if kind not in ATOMIC:
        returned = call_input.alias(output)
        if returned is not None:
            details = layout.Details()
            details.returned = returned
    blocks = call_input.blocks
    # What is returned because it came in is not taken from the record.
    withheld: list[object] | None = None if details is None else []
    chunks: layout.Blocks = []
    data, opaque = frame.run.encode(output, chunks, frame, "output", withheld)
    if LIVE:
        look_for_live(target, data, chunks, "output")
    blocks += chunks
    output_cid = cid_of(data)
    blocks.append((output_cid, data))
    if opaque or call_input.opaque:
        details = details or layout.Details()
        details.opaque = True
    write(frame, details, duration, output_cid, None, False, "completed")
    return output


def end_streams(frame: Frame, only_dropped: bool = False) -> BaseException | None:
    """Note that the streams of a frame are not read on; gives the first error.

    Args:
        frame: that began them.
        only_dropped: those that nobody can read on.
    """
    first: BaseException | None = None
    for player in sorted(frame.streams or (), key=lambda player: player.slot):
        error = player.left(only_dropped)
        first = first or error
    return first


def end_as(frame: Frame, output: bytes, origin: str) -> Any:
    """End with an outcome that somebody gave; its value."""
    frame.origin = origin
    write(frame, None, clock() - frame.begun, output, None, False, "completed")
    store = frame.run.store
    return decode(store.load_block(output), store)


def fail(frame: Frame, error: BaseException) -> BaseException:
    """The call raised ``error``; gives what its caller is to see."""
    if frame.closed:
        return error
    duration = clock() - frame.begun
    call_input = frame.call_input
    if isinstance(error, INTERRUPTS):
        interrupt(frame, "incomplete", duration)
        return error
    if isinstance(error, Signal) and not frame.pending:
        # Raised by this very call: it is the one that asks.
        return _ask(frame, error, duration)
    if frame.pending:
        return pause(frame, duration)
    if rest.is_cancellation(error) and (rest.is_cancelled() or _pausing(frame)):
        interrupt(frame, "cancelled", duration)
        return error
    if not isinstance(error, (InputChanged, IncompleteSubinvocationError)):
        changed = _changed_input(frame)
        if changed is not None:
            changed.__cause__ = error
            error = changed
    _abandon_children(frame)
    _cut_short(frame)
    details = None
    raised_cid, here, opaque = _raised(frame, error)
    retry = reachable(error, frame.failures)
    if retry or opaque or call_input.opaque:
        details = layout.Details()
        details.retry = retry or None
        details.opaque = True if opaque or call_input.opaque else None
    write(frame, details, duration, None, raised_cid, here, "failed")
    _tell_caller(frame, error, raised_cid)
    return error


def pause(frame: Frame, duration: float) -> BaseException:
    """End paused: below this call a person's answer is missing."""
    pending = frame.pending
    assert pending is not None
    if frame.stuck_task is not None:  # nobody else has cancelled it
        frame.stuck_task.uncancel()
    for work in frame.started_work or ():
        if hasattr(work, "exception") and work.done() and not work.cancelled():
            work.exception()  # that it asked is known: asyncio need not log it
    _abandon_children(frame)
    pending.sort(key=lambda entry: (entry[0], entry[1]))
    _, _, raised_cid, signal = pending[0]
    details = layout.Details()
    details.status = "paused"
    write(frame, details, duration, None, raised_cid, False, "paused")
    tell_caller_pending(frame, raised_cid, signal)
    return signal


def interrupt(frame: Frame, status: str, duration: float | None = None) -> None:
    """End without an outcome: interrupted, cancelled, or cut off."""
    if frame.closed:
        return
    if duration is None:
        duration = clock() - frame.begun
    _abandon_children(frame)
    caller = frame.caller
    if status == "cancelled" and _pausing(frame):
        # Not the program's own decision: a pause takes the tasks down.
        status = "incomplete"
    details = layout.Details()
    details.status = status
    _set_aside_cleanup(frame)
    write(frame, details, duration, None, None, False, status)
    if status == "incomplete" and caller.frame.cleanup_from is None:
        caller.frame.cleanup_from = len(caller.frame.children)


def _set_aside_cleanup(frame: Frame) -> None:
    """Calls made after an interrupt went through are no part of what is replayed.

    Had the program gone on from the interrupt, they would be.
    """
    start = frame.cleanup_from
    if start is None or frame.lanes is not None or start >= len(frame.children):
        return
    frame.unwound = [*(frame.unwound or ()), *frame.children[start:]] or None
    del frame.children[start:]


def _pausing(frame: Frame) -> bool:
    above: Frame | None = frame
    while above is not None:
        if above.pending:
            return True
        above = above.caller.frame if above.caller is not None else None
    return False


def _ask(frame: Frame, signal: Signal, duration: float) -> BaseException:
    raised_cid, _, _ = _raised(frame, signal)
    details = layout.Details()
    details.status = "paused"
    write(frame, details, duration, None, raised_cid, True, "paused")
    tell_caller_pending(frame, raised_cid, signal)
    return signal


def _tell_caller(frame: Frame, error: BaseException, raised_cid: bytes) -> None:
    caller = frame.caller
    if caller is not None and frame.slot >= 0:
        above = caller.frame
        if above.failures is None:
            above.failures = []
        above.failures.append(Failure(error, frame.slot, raised_cid))


def tell_caller_pending(frame: Frame, raised_cid: bytes, signal: Signal) -> None:
    """Note above ``frame`` that an answer, or somebody to go on, is missing here."""
    caller = frame.caller
    caller.unwinding = True
    above = caller.frame
    above.plain = False
    if frame.slot >= 0:
        if above.pending is None:
            above.pending = []
        above.pending.append((caller.path, frame.slot, raised_cid, signal))
        if caller is not above and above.in_loop and rest.running_loop() is not None:
            from enact.calls.settling import end_if_stuck  # it needs what ends frames

            end_if_stuck(above)


def _raised(frame: Frame, error: BaseException) -> tuple[bytes, bool, bool]:
    """Identifier of what was raised, whether here, whether it lacks a part."""
    withheld = frame.run.withheld
    for known, _, cid, _ in frame.failures or ():
        if known is error:
            return cid, False, cid in withheld
    blocks = frame.call_input.blocks
    data, opaque = capture(error, frame.run, blocks, frame)
    cid = cid_of(data)
    blocks.append((cid, data))
    if opaque:
        withheld.add(cid)
    return cid, True, opaque


def _name(frame: Frame) -> str:
    return f"{frame.path_in_tree() or 'at the top'} of {frame.target.name!r}"


def _cut_short(frame: Frame) -> BaseException | None:
    """Note which calls the program cancelled before a record gave their outcomes.

    Had the frame itself been cut off, these would stand for a later try.

    Returns:
        What is wrong with that, if nothing explains it.
    """
    session = frame.run.session
    for answer in frame.cut_short or ():
        if session.is_exact:
            path, name = answer.path(), answer.target.name
            return session.failed(not_awaited(path, name))
        frame.children[answer.slot] = cancelled(answer.recorded, frame.run.store)
    return None


def _running_children(frame: Frame) -> IncompleteSubinvocationError | None:
    if frame.lanes is None:
        return None
    running = [c for c in frame.children if type(c) is not bytes]
    if not running:
        return None
    names = ", ".join(sorted({c.target.name for c in running}))
    return IncompleteSubinvocationError(
        f"call {_name(frame)} returned while calls of {names} still run: await "
        "or join what it starts before it returns"
    )


def _abandon_children(frame: Frame) -> None:
    """Write down, as incomplete, the children that still run.

    A stream that was dropped since the last call may have been so by what ends the
    frame, so what comes of it is open.
    """
    for slot, child in enumerate(list(frame.children)):
        if type(child) is not bytes and child.unended is not None:
            leave(child)
        elif type(child) is Frame:
            if child.elsewhere is not None:
                child.elsewhere.lost({slot})
            else:
                interrupt(child, "incomplete")
            _await_written(frame, slot, child)
        elif type(child) is not bytes:
            child.end()  # an answer that waits for its turn


def _await_written(frame: Frame, slot: int, child: Frame) -> None:
    """See that a child is written whose end another thread, or an error, broke."""
    patience = time.monotonic() + 1.0
    while frame.children[slot] is child:
        if child.thread == threading.get_ident() or time.monotonic() > patience:
            # It was being written when Python ran out of stack or memory.
            child.closed = False
            interrupt(child, "incomplete")
            return
        time.sleep(0.0001)


def _changed_input(frame: Frame) -> InputChanged | None:
    call_input = frame.call_input
    if call_input.receiver is not None:
        try:
            call_input.require_restorable(frame.run)
        except InputChanged as error:
            return error
    path = None if call_input.fixed else call_input.changed(frame.run)
    if path is None:
        return None
    return InputChanged(
        f"call {_name(frame)} changed its argument in place at {path}: work on a "
        "copy (`enact.deepcopy`), or return what is new"
    )


__all__ = [
    "INTERRUPTS",
    "complete",
    "end_as",
    "fail",
    "interrupt",
    "tell_caller_pending",
]
