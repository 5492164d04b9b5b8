# SPDX-License-Identifier: Apache-2.0
"""What a task waits for, as the frames of its coroutines tell."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

from enact.calls.drivers import Driver


def frames_of(coro: Any) -> Iterator[types.FrameType]:
    """The frames of a coroutine and of what it awaits, also below a driver."""
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is None:
            return
        yield frame
        if frame.f_code is Driver.__await__.__code__:
            coro = frame.f_locals["self"]
        else:
            coro = getattr(coro, "cr_await", None) or getattr(
                coro, "gi_yieldfrom", None
            )


def awaits(coro: Any, function: Callable[..., Any]) -> bool:
    """Whether a coroutine waits within ``function``."""
    code = inspect.unwrap(function).__code__
    return any(frame.f_code is code for frame in frames_of(coro))
