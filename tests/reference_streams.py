# SPDX-License-Identifier: Apache-2.0
"""The executable specification of streams: calls that give one item after another."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator
from typing import Any

from tests import loop, reference
from tests.objects import answer
from tests.recorded import Call, Stream
from tests.reference import Frame, ReplayError, arrive, explain, inside, leave


async def stream(target: Any, *args: Any) -> AsyncIterator[Any]:
    """Make a tracked call that gives items: one call, from the first to the last."""
    frame, path = loop.here.get()
    old, asked, answered = await arrive(frame, path, target, args)
    count = 0
    try:
        if not answered:
            async with contextlib.aclosing(
                produced(frame.below(asked, old), target, args)
            ) as items:
                async for item in items:
                    yield item
            return
        known = asked.output.items if asked.output else asked.items
        is_left = asked.output is not None and asked.output.ended == "closed"
        try:
            for item in known:
                count += 1
                yield copy.deepcopy(item)
        except GeneratorExit:
            if not is_left or count < len(known):
                asked = instead(frame, asked, "completed")
                asked.output = Stream(copy.deepcopy(known[:count]), ended="closed")
            raise
        if not is_left:
            answer(asked, [target, *args])
            return
        asked = instead(frame, asked, "incomplete")
        async with contextlib.aclosing(
            produced(frame.below(asked, old), target, args, count)
        ) as items:
            async for item in items:
                yield item
    finally:
        leave(frame, old, asked)


def instead(frame: Frame, answered: Call, status: str) -> Call:
    """The call in the place of one that is read in another way than recorded."""
    if not reference._whole.explained:
        raise ReplayError(f"another reader: {answered}")
    new = Call(answered.target, answered.args, answered.lane, answered.version)
    new.began, new.status, new.after = answered.began, status, answered.target
    calls = frame.call.children
    calls[next(n for n, c in enumerate(calls) if c is answered)] = new
    explain(frame, new, "rerun: request changed")
    return new


async def produced(
    frame: Frame, target: Any, args: Any, skip: int = 0
) -> AsyncIterator[Any]:
    """Run what gives items, each part of it within its call; the first are known."""
    body, ended = target(*args), "exhausted"
    with frame.outcome():
        try:
            while True:
                with inside(frame):
                    item = await anext(body)
                frame.call.items.append(copy.deepcopy(item))
                if len(frame.call.items) > skip:
                    yield item
        except StopAsyncIteration:
            pass
        except GeneratorExit:
            ended = "closed"
            with inside(frame):
                await body.aclose()
        frame.call.output = Stream(list(frame.call.items), ended=ended)
        frame.call.after = target
