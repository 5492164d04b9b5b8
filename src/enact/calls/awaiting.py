# SPDX-License-Identifier: Apache-2.0
"""What a task waits for, as the frames of its coroutines tell."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

# How the frame of a driver that is awaited is called (``drivers.py``).
_DRIVER = ("enact.calls.drivers", "Driver.__await__")


def frames_of(coro: Any) -> Iterator[types.FrameType]:
    """The frames of a coroutine and of what it awaits, also below a driver."""
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is None:
            return
        yield frame
        if (frame.f_globals.get("__name__"), frame.f_code.co_qualname) == _DRIVER:
            coro = frame.f_locals["self"]
        else:
            coro = getattr(coro, "cr_await", None) or getattr(
                coro, "gi_yieldfrom", None
            )


def awaits(coro: Any, function: Callable[..., Any]) -> bool:
    """Whether a coroutine waits within ``function``."""
    code = inspect.unwrap(function).__code__
    return any(frame.f_code is code for frame in frames_of(coro))
