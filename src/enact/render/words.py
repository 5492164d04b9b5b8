# SPDX-License-Identifier: Apache-2.0
"""Durations, sizes and times in words."""

from __future__ import annotations

import time


def duration_in_words(seconds: float) -> str:
    """How long something took.

    >>> [duration_in_words(s) for s in (0.0000004, 0.00071, 0.34, 1.24, 75, 3720)]
    ['0.4 us', '710 us', '340 ms', '1.2 s', '1 min 15 s', '1 h 2 min']
    """
    if seconds < 0.9995e-3:
        return f"{_two(seconds * 1e6)} us"
    if seconds < 0.9995:
        return f"{_two(seconds * 1e3)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, lower, part in (
        ("d", 86_400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {lower}"
    return f"{whole} s"


def _two(number: float) -> str:
    return f"{number:.1f}" if number < 9.95 else f"{number:.0f}"


def size_in_words(bytes: float) -> str:
    """A number of bytes.

    >>> [size_in_words(n) for n in (12, 4_014_080, 2_500_000_000)]
    ['12 bytes', '4.0 MB', '2.5 GB']
    """
    if bytes < 1000:
        return f"{bytes:.0f} bytes"
    units = iter(("kB", "MB", "GB"))
    bytes /= 1000
    while bytes >= 999.95:
        bytes /= 1000
        next(units)
    return f"{bytes:.1f} {next(units, 'TB')}"


def ago_in_words(then: float, now: float | None = None) -> str:
    """How long ago something was.

    >>> [ago_in_words(100 - s, 100) for s in (3, 90)]
    ['3 s ago', '1 min ago']
    """
    seconds = max(0, int((time.time() if now is None else now) - then))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def time_in_words(when: float, now: float | None = None) -> str:
    """A time of this machine's clock: short for today, and within half a year.

    Args:
        when: seconds since the epoch.
        now: likewise, by default now.
    """
    now = time.time() if now is None else now
    then, today = time.localtime(when), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    if abs(now - when) < 180 * 86_400:
        return time.strftime("%b %d %H:%M", then)
    return time.strftime("%Y-%m-%d", then)


def full_time(when: float) -> str:
    """Date and time of this machine's clock, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def iso_time(when: float) -> str:
    """Date and time in UTC, as ISO 8601 has it.

    >>> iso_time(0.25)
    '1970-01-01T00:00:00.250000Z'
    """
    micro = round(when * 1e6)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micro // 1_000_000))
    return f"{whole}.{micro % 1_000_000:06d}Z"


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number of things.

    >>> counted(1, "call"), counted(2000, "call")
    ('1 call', '2,000 calls')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
