# SPDX-License-Identifier: Apache-2.0
"""What the executable specification needs to know of Python objects."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator
from typing import Any


def name_of(target: Any) -> str:
    """The name of a function, or of the class of an object."""
    return str(getattr(target, "__name__", type(target).__name__))


class InputChanged(Exception):
    """A call changed one of its arguments in place."""


@contextlib.contextmanager
def unchanged(args: tuple[Any, ...], recorded: tuple[Any, ...]) -> Iterator[None]:
    """Arguments must look afterwards as they did when they were recorded."""
    try:
        yield
    except GeneratorExit:  # it is left for good
        raise
    except Exception as error:
        if repr(args) != repr(recorded):
            raise InputChanged(recorded) from error
        raise
    if repr(args) != repr(recorded):
        raise InputChanged(recorded)


def answer(call: Any, came_in: list[Any]) -> Any:
    """Hand out a recorded outcome; ``came_in`` is what was called, and arguments."""
    restore(came_in[0], call.after)
    call.raised = copy.deepcopy(call.raised)
    if call.raised is not None:
        raise call.raised
    if call.returned is not None:
        return came_in[call.returned]
    return copy.deepcopy(call.output)


def come_out(error: Exception) -> None:
    """Raise it as it comes out of a generator: what is being handled is no matter."""
    before = error.__context__
    try:
        raise error
    finally:
        error.__context__ = before


def reachable(error: BaseException | None) -> Iterator[BaseException]:
    """What led to an exception: groups, causes and contexts, and itself."""
    if error is not None:
        yield error
        parts = getattr(error, "exceptions", ())
        for part in (error.__cause__, error.__context__, *parts):
            yield from reachable(part)


def restore(target: Any, after: Any) -> Any:
    """Make an object equal to another; its parts stay the same objects."""
    if isinstance(target, list):
        target[:] = copy.deepcopy(after)
    elif dataclasses.is_dataclass(target):
        for name, value in vars(after).items():
            setattr(target, name, restore(getattr(target, name), value))
    else:
        return copy.deepcopy(after)
    return target
