# SPDX-License-Identifier: Apache-2.0
"""Divergence: how the difference between a record and its replay is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from enact.calls.causes import causes
from enact.errors import InDoubt, LiveCallForbidden, ReplayError
from enact.values import cid_text, decode, shown

if TYPE_CHECKING:
    from enact.calls.inputs import Input
    from enact.calls.layout import Recorded
    from enact.calls.targets import Target


def where(path: str) -> str:
    """A path in words."""
    return path or "at the top"


def left(
    path: str,
    call: Input,
    recorded: Recorded | None,
    source: Any,
    caller: Target | None,
) -> ReplayError:
    """The program makes another call than the recorded one.

    Args:
        path: of the call.
        call: that is made now.
        recorded: what the record has in its place.
        source: the store.
        caller: whose code makes it.
    """
    live = f"{call.target.name} {describe_input(call)}"
    then = "no further call" if recorded is None else describe(recorded, source)
    cause = (
        "which call comes next depends on something that is not recorded "
        f"{_found(caller)}, or the code that leads to it has changed"
    )
    if recorded is not None and recorded.invokable == call.invokable:
        cause = (
            f"its arguments depend on something that is not recorded {_found(caller)}, "
            "or the code before it changed"
        )
    elif recorded is not None and (was := _object_before(recorded, call, source)):
        cause = (
            f"the object was {was}, and is {shown(call.receiver)} now: another task "
            "or thread that shares it came earlier or later than recorded (on an event "
            "loop, calls that are not async cannot wait for their turn), or the code "
            "before it changed"
        )
    return ReplayError(
        f"replay left the record at call {where(path)}: recorded {then}, "
        f"now {live}. Likely cause: {cause}. Next: record that dependency as a "
        "call of its own, or replay with `strict=False` to run what differs",
        path,
    )


def _object_before(recorded: Recorded, call: Input, source: Any) -> str | None:
    """The recorded state of the object, if all but that is as recorded."""
    if call.receiver is None or recorded.input != call.cid:
        return None
    before = decode(source.load_block(recorded.invokable), source, unknown=True)
    before = getattr(before, "__self__", before)
    return shown(before) if type(before) is type(call.receiver) else None


def _found(caller: Target | None) -> str:
    """What a call may depend on: as its code says, else in general."""
    found = [] if caller is None else causes(caller.fn)
    return (
        f"({'; '.join(found) or 'time, chance, set order, environment, global state'})"
    )


def missing(
    path: str, recorded: Recorded, source: Any, caller: Target | None
) -> ReplayError:
    """The program ends without a call that was recorded."""
    return ReplayError(
        f"replay of call {where(path)}: the recorded call "
        f"{describe(recorded, source)} was not made this time. Code before it has "
        f"changed, or depends on something that is not recorded {_found(caller)}. "
        "Replay with `strict=False` to go on",
        path,
    )


def another_reader(path: str, name: str, count: int) -> ReplayError:
    """What is asked of a stream is not what was recorded.

    Args:
        path: of the call.
        name: of what it calls.
        count: how many items it has handed out.
    """
    return ReplayError(
        f"replay left the record at call {where(path)} of {name!r}: after {count} "
        "items of this stream its reader did something else than recorded (it reads "
        "on, stops, or sends another value). Code before it has changed, or depends on "
        "something that is not recorded. Next: replay with `strict=False` to run the "
        "stream again where more is asked of it than was recorded",
        path,
    )


def not_awaited(path: str, name: str) -> ReplayError:
    """A call was cancelled that had returned, or raised, when it was recorded.

    Args:
        path: of the call.
        name: of what it calls.
    """
    return ReplayError(
        f"replay left the record at call {where(path)} of {name!r}: it is cancelled "
        "now, and was not so before. A timeout may be too short for a replay, or code "
        "before it has changed. Replay with `strict=False` to go on",
        path,
    )


def gave_others(path: str, name: str, number: int) -> ReplayError:
    """A stream that is to go on gives other items than before.

    Args:
        path: of the call.
        name: of what it calls.
        number: of the item that differs.
    """
    return ReplayError(
        f"call {where(path)} of {name!r} was asked for more items than were recorded, "
        f"so it ran again, and gave another item {number} than the one that its reader "
        "has got. Next: rewind the invocation to before this call and replay that, so "
        "that all items are new",
        path,
    )


def forbidden(path: str, call: Input, verdict: str) -> LiveCallForbidden:
    """A call would have to run, and must not."""
    return LiveCallForbidden(
        f"call {where(path)} of {call.target.name!r} would run live ({verdict}): "
        f"{describe_input(call)}, and live calls are forbidden. Next: see "
        "`preview()` for all that would run, or replay without live='forbid'",
        path,
    )


def in_doubt(path: str, call: str) -> InDoubt:
    """A call that must not be tried twice was in flight; it is given in words."""
    return InDoubt(
        f"call {where(path)} of {call} was in "
        "flight when its run was cut off, and it is registered with retry='never': "
        "nobody knows whether it took effect. Find out, then put its outcome in with "
        f"`run.invocation.edit({path!r}, output=...)` (or raises=...) and replay that, "
        "or run it again with `enact.resume(run, in_doubt='retry')`",
        path,
    )


def describe(recorded: Recorded, source: Any) -> str:
    """A recorded call in words: its name and its input, shortened."""
    try:
        invokable = decode(source.load_block(recorded.invokable), source, unknown=True)
        value = decode(source.load_block(recorded.input), source, unknown=True)
    except Exception:  # a description must never hide the error that it is for
        return cid_text(recorded.cid)
    return f"{name_of(invokable)} {_shorten(value)}"


def out_of_turn(path: str, name: str) -> ReplayError:
    """A recorded call came before its turn, made by code that cannot wait for it."""
    return ReplayError(
        f"replay took another order than the record: a call of {name!r} "
        f"({where(path)}) came before its turn, from code that no event loop can hold "
        "back, such as a callback (`call_later`). What depends on that order may be "
        "another thing now. Next: await such calls in tasks, or replay with "
        "`strict=False` to let it go on",
        path,
    )


def describe_input(call: Input) -> str:
    """The input of a live call, shortened."""
    if call.target.takes_value:
        return _shorten(call.args[0] if call.args else None)
    return _shorten((call.args, call.kwargs))


def name_of(invokable: Any) -> str:
    """The name of an invokable for messages and summaries."""
    inner = getattr(invokable, "__func__", invokable)
    target = getattr(inner, "__enact_target__", None)
    if target is not None:
        return str(target.name)
    return str(getattr(invokable, "name", None) or type(invokable).__qualname__)


def _shorten(value: Any, limit: int = 200) -> str:
    return shown(value, limit)
