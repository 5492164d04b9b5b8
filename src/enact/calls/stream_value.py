# SPDX-License-Identifier: Apache-2.0
"""``Stream``: what a call gave that gives one item after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from enact.values import ImmutableResource, register_type

EXHAUSTED, CLOSED, BROKEN = "exhausted", "closed", "broken"


@dataclasses.dataclass(frozen=True)
class Stream(ImmutableResource):
    """What a registered generator, or async generator, gave: its output in a record.

    The program that reads the generator gets the items one by one, as ever. In the
    record they stand together.

    Args:
        items: in the order in which they were handed out.
        returned: what the generator returned.
        ended: ``"exhausted"``, it was read to its end; ``"closed"``, it was not, or
            ``"broken"``, it raised something or was cut off.
        sent: what came in by ``send`` and ``throw``: the number of items that were
            handed out before, ``"send"``, ``"throw"`` or ``"close"``, and the value
            that was sent, or the exception in words. ``"open"``, ``"await"`` or
            ``"enter"``, with the exception, for the stream of a client that could not
            be had.

    Example:
        >>> import enact
        >>> @enact.register
        ... def words(text):
        ...     yield from text.split()
        >>> @enact.register
        ... def shout(text):
        ...     return [word.upper() for word in words(text)]
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(shout, ("a fine day",))
        ...     inv.get_output(), inv.children[0].output
        (['A', 'FINE', 'DAY'], Stream(items=['a', 'fine', 'day']))
    """

    items: list[Any]
    returned: Any = None
    ended: str = EXHAUSTED
    sent: list[tuple[int, str, Any]] = dataclasses.field(default_factory=list)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        parts = [f"items={self.items!r}"]
        if self.returned is not None:
            parts.append(f"returned={self.returned!r}")
        if self.ended != EXHAUSTED:
            parts.append(f"ended={self.ended!r}")
        if self.sent:
            parts.append(f"sent={self.sent!r}")
        return f"Stream({', '.join(parts)})"

    def step(self, number: int) -> tuple[str, Any] | None:
        """What made the generator go on after so many items, and with which value.

        ``("send", None)`` is ``next``. None where it was left alone.
        """
        for place, how, value in self.sent:
            if place == number:
                return how, value
        if number == len(self.items) and self.ended == CLOSED:
            return None
        return ("send", None) if number <= len(self.items) else None


register_type(Stream, name="enact/Stream")

__all__ = ["BROKEN", "CLOSED", "EXHAUSTED", "Stream"]
