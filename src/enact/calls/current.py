# SPDX-License-Identifier: Apache-2.0
"""The call that is running: what it may know and tell about itself."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from enact.calls.frames import Frame
from enact.calls.lanes import CURRENT
from enact.errors import CallError, NoActiveContext


class CurrentCall:
    """A call that is running.

    Attributes:
        name: of the invokable.
        run: identifier of the run.
        path: in the call tree, as in ``1/0``; empty for the call at the top.
        idempotency_key: 32 hexadecimal characters, the same in every try of this call:
            after a crash and ``resume``, or when it failed and is retried. Give it to
            services that take one, so that they do the work once.
        draw: in a search, which sample of its request this call draws, from 0 on; else
            None.
    """

    def __init__(self, frame: Frame) -> None:
        self.name = str(frame.target.name)
        self.run = frame.run.id
        self.path = frame.path_in_tree()
        self.draw = frame.draw
        key = f"{frame.run.branch}/{frame.key()}"
        self.idempotency_key = hashlib.sha256(key.encode()).hexdigest()[:32]

    def __repr__(self) -> str:
        return f"<call {self.path or 'at the top'} of {self.name}>"


def current_call() -> CurrentCall:
    """The call that is running here.

    Raises:
        NoActiveContext: nothing is recorded here.

    Example:
        >>> import enact
        >>> @enact.register
        ... def pay(amount: int) -> int:
        ...     return len(enact.current_call().idempotency_key)
        >>> with enact.InMemoryStore():
        ...     enact.invoke(pay, (3,)).output
        32
    """
    frame = _frame()
    if frame is None:
        raise NoActiveContext(
            "no call is being recorded here: `current_call()` is for the code of "
            "registered functions, inside of `enact.invoke`"
        )
    return CurrentCall(frame)


def annotate(**facts: Any) -> None:
    """Tell something about the call that is running, for the journal.

    It is no part of the call's value: the same call with other annotations is the same
    call. Outside of a recorded call it does nothing. Searches and reports know the
    names ``input_tokens``, ``output_tokens``, ``usd`` and ``model``; any others are up
    to you. A name told twice has the later value.

    Args:
        facts: plain data: text, numbers, lists, dicts.

    Raises:
        CallError: something that is no plain data.

    Example:
        >>> import enact
        >>> @enact.register
        ... def ask(text: str) -> str:
        ...     enact.annotate(model="tiny", output_tokens=3)
        ...     return text.upper()
        >>> with enact.InMemoryStore() as store:
        ...     inv = enact.invoke(ask, ("sea",))
        ...     [call.usage for call in store.calls(invokable=ask)]
        [{'model': 'tiny', 'output_tokens': 3}]
    """
    frame = _frame()
    if frame is None:
        return
    try:
        json.dumps(facts, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CallError(
            f"annotate takes plain data: text, numbers, lists and dicts ({error})"
        ) from None
    frame.plain = False
    frame.usage = {**(frame.usage or {}), **facts}


def _frame() -> Frame | None:
    lane = CURRENT.get()
    if lane is None or lane.frame.caller is None:
        return None
    return lane.frame
