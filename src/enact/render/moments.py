# SPDX-License-Identifier: Apache-2.0
"""Times as people type them."""

from __future__ import annotations

import datetime
import re
import time

_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S", "%H:%M", "%H:%M:%S")  # fmt: skip


def seconds_in(text: str) -> float | None:
    """The seconds that a text such as ``2h`` says; None if it says none.

    >>> seconds_in("90"), seconds_in("1.5 h"), seconds_in("soon")
    (90.0, 5400.0, None)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", text.strip())
    if match is None or (match[2] or "s") not in _UNITS:
        return None
    return float(match[1]) * _UNITS[match[2] or "s"]


def moment_in(text: str) -> float:
    """The time that a text such as ``2h`` (ago) or ``2026-11-20 14:30`` says.

    Returns:
        Seconds since the epoch.

    Raises:
        ValueError: it says none.
    """
    seconds = seconds_in(text)
    if seconds is not None:
        return time.time() - seconds
    for form in _FORMATS:
        try:
            moment = datetime.datetime.strptime(text, form)
        except ValueError:
            continue
        if form.startswith("%H"):
            moment = datetime.datetime.combine(datetime.date.today(), moment.time())
        return moment.timestamp()
    raise ValueError(
        f"{text!r} is no time: give 30min, 2h, 3d, 2026-11-20 or '2026-11-20 14:30'"
    )
