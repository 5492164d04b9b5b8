# SPDX-License-Identifier: Apache-2.0
"""When what was recorded is forced to the disk.

What returned survives the death of the process at any rate. A loss of power is
another matter: forcing data to the disk costs as much as many cheap calls.
"""

from __future__ import annotations

MODES = ("adaptive", "call", "end")

WINDOW_SECONDS = 0.05
"""``adaptive``: cheap calls are forced to the disk together, this often."""

_FIRST_GUESS = 0.0003
_LONGEST = 0.010


class Policy:
    """Decides whether a record is worth a flush of its own.

    Args:
        mode: ``call``: each record is. ``end``: none is before its run ends.
            ``adaptive``: a record is when its call took longer than a flush does;
            others are flushed together within `WINDOW_SECONDS`.

    Attributes:
        mode: the same.
    """

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"durability is one of {', '.join(MODES)}, not {mode!r}")
        self.mode = mode
        # Capped: a disk that once took a second must not make dear calls cheap.
        self._cost = _FIRST_GUESS
        self.threshold = {"adaptive": self._cost, "call": -1.0, "end": float("inf")}[
            mode
        ]

    def measured(self, seconds: float) -> None:
        """Learns what a flush costs on this disk."""
        self._cost += (min(seconds, _LONGEST) - self._cost) / 5
        if self.mode == "adaptive":
            self.threshold = self._cost
