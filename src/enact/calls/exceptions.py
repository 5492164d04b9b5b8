# SPDX-License-Identifier: Apache-2.0
"""Exceptions as part of a record: captured, rebuilt, and traced to their calls."""

from __future__ import annotations

import dataclasses
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.errors import Signal, UnstorableValue, WrappedException
from enact.values import ImmutableResource, Opaque, Redacted, register_type, shown

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.layout import Blocks
    from enact.calls.runs import Run


class ExceptionResource(Exception):
    """Base of exceptions that an invocation carries as they are.

    ``invoke`` does not raise them on: the invocation has them as its outcome.

    >>> @register_type
    ... class OutOfIdeas(ExceptionResource):
    ...     pass
    """


@dataclasses.dataclass(frozen=True)
class NativeException(ExceptionResource, ImmutableResource):
    """A Python exception in a record.

    Attributes:
        type_name: of its class, as in ``ValueError``.
        str_representation: what ``str`` gave.
        traceback: the calls that it went through: module, line and function, without
            source lines or folders; None if it was not kept.
        exception: the exception itself, to be raised again; ``Opaque`` if some part
            of it could not be stored.
        cause: the exception that it was raised ``from``, if any.
    """

    type_name: str
    str_representation: str
    traceback: str | None = None
    exception: Any = None
    cause: NativeException | None = None

    def __new__(cls, *_: Any, **__: Any) -> NativeException:
        # The fields say it all: `args` would only repeat them.
        return ExceptionResource.__new__(cls)

    def __str__(self) -> str:
        name = self.type_name
        text = self.str_representation
        return f"{name}: {text}" if text else name


register_type(NativeException, name="enact/NativeException")


def capture(
    error: BaseException, run: Run, blocks: Blocks, frame: Frame
) -> tuple[bytes, bool]:
    """The block of a raised exception, and whether a part of it is not stored.

    Its texts are written without credentials. What a signal holds is no text about the
    program, but for it.
    """
    if isinstance(error, Signal):
        return run.encode(error, blocks, frame, "raised")
    if isinstance(error, ExceptionResource):
        return run.encode(Redacted(error), blocks, frame, "raised")
    native = _native(error)
    try:
        return run.encode(Redacted(native), blocks, None, "raised")
    except UnstorableValue:
        bare = Opaque.of(error)
        native = dataclasses.replace(native, exception=bare, cause=None)
        data, _ = run.encode(Redacted(native), blocks, None, "raised")
        return data, True


def _native(error: BaseException, depth: int = 8) -> NativeException:
    cause = error.__cause__
    return NativeException(
        type(error).__qualname__,
        _text(error),
        _traceback(error.__traceback__),
        error,
        None if cause is None or depth == 0 else _native(cause, depth - 1),
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # a broken __str__ must not hide the error itself
        return f"<str() failed: {type(broken).__name__}>"


def _traceback(tb: TracebackType | None) -> str | None:
    lines = []
    for frame, line in traceback.walk_tb(tb):
        module = frame.f_globals.get("__name__", "?")
        if module.startswith("enact.calls."):
            continue
        lines.append(f"{module}:{line} in {frame.f_code.co_name}")
    return "\n".join(lines) or None


def rebuild(raised: Any) -> BaseException:
    """The exception to raise again for what a record holds.

    Raises:
        WrappedException: it cannot be rebuilt here; never a different type.
    """
    if isinstance(raised, NativeException):
        error = raised.exception
        if isinstance(error, BaseException):
            if raised.cause is not None:
                error.__cause__ = rebuild(raised.cause)
            return error
        raise WrappedException(
            f"the recorded exception {raised} cannot be raised again: its type is not "
            "known here or a part of it could not be stored"
        )
    if isinstance(raised, BaseException):
        return raised
    raise WrappedException(f"what was raised is no exception here: {shown(raised)}")


class Failure(NamedTuple):
    """An exception that came out of a call.

    Attributes:
        error: the exception.
        slot: of the call among the children of the frame that made it.
        cid: identifier of the exception as it is stored.
        given: somebody put it in as the outcome of the call, so it is not retried.
    """

    error: BaseException
    slot: int
    cid: bytes
    given: bool = False


def reachable(error: BaseException, failures: list[Failure] | None) -> list[int]:
    """Slots of the children whose own exceptions led to ``error``.

    Follows exception groups, ``__cause__`` and ``__context__``.
    """
    if not failures:
        return []
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        todo += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions
    led = (failure for failure in failures if id(failure.error) in seen)
    return sorted({failure.slot for failure in led if not failure.given})


__all__ = [
    "ExceptionResource",
    "Failure",
    "NativeException",
    "capture",
    "reachable",
    "rebuild",
]
