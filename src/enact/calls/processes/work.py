# SPDX-License-Identifier: Apache-2.0
"""What a child process does with the work that it is sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from enact.calls.children import CHILD_OF
from enact.calls.exceptions import reachable
from enact.calls.lanes import run_in_lane
from enact.calls.processes.arriving import arrived
from enact.calls.processes.away import Away
from enact.calls.processes.channel import Address, Channel
from enact.calls.processes.messages import Place
from enact.errors import Signal

_channels: dict[Address, Channel] = {}


def channel_to(address: Address) -> Channel:
    """The channel to a process; one for all the work that it sends here."""
    channel = _channels.get(address)
    if channel is None or channel.process != os.getpid():
        channel = _channels[address] = Channel(address)
    return channel


def run_there(
    address: Address,
    place: Place,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Run something in this process as a lane of a frame in another one."""
    CHILD_OF.clear()
    away = Away(place, channel_to(address))
    try:
        with away.run.store:
            return run_in_lane(away.lane, fn, args, kwargs)
    except Signal:
        raise Paused() from None
    except Exception as error:
        carried = _carried(away, error)
        if carried is error:
            raise
        raise carried.with_traceback(error.__traceback__) from error.__cause__
    finally:
        away.over()


class Paused(Signal):
    """A question is open in another process."""


def _carried(away: Away, error: Exception) -> Exception:
    """An exception that finds, when it arrives, the calls that it came out of."""
    failures = away.failures
    led = reachable(error, failures)
    if not failures or not led:
        return error
    known = {failure.slot: failure for failure in failures}
    own = next((f for f in failures if f.error is error), None)
    others = [(slot, known[slot].cid) for slot in led if known[slot] is not own]
    place = None if own is None else (own.slot, own.cid)
    # Its name and text are what is shown of it, should it not be unpickled.
    kind = type(error)
    name = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    shown_as: type[Carried] = type(kind.__name__, (Carried,), name)
    return shown_as(error, away.work, place, others)


class Carried(Exception):
    """Is pickled as the exception that it holds, with the calls that led to it."""

    def __init__(self, error: Exception, *where: Any) -> None:
        super().__init__(str(error))
        self._held = (error, *where)

    def __reduce__(self) -> tuple[Any, ...]:
        return arrived, self._held
