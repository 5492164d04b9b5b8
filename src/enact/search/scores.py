# SPDX-License-Identifier: Apache-2.0
"""Scores: finite numbers, more is better."""

from __future__ import annotations

import inspect
import math
import numbers
import typing
from collections.abc import Callable
from typing import Any

from enact.calls import Invocation
from enact.errors import InvalidScore
from enact.values import redact, shown


def checked(value: Any, what: str) -> float:
    """A score as a float.

    Raises:
        InvalidScore: it is not a finite number.
    """
    if type(value) is float and math.isfinite(value):
        return value
    try:
        if isinstance(value, numbers.Real) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an int beyond all floats
        pass
    raise InvalidScore(
        f"{what} gave {shown(value)}: a score must be a finite number, more is better. "
        "Next: let it return a number for every output, a low one for bad outputs"
    )


def wants_invocation(fn: Callable[..., Any]) -> bool:
    """Whether a score function is annotated to take an invocation, not an output."""
    fn = getattr(fn, "__wrapped__", fn)
    try:
        hints = typing.get_type_hints(fn)
        first = next(iter(inspect.signature(fn).parameters), None)
    except (NameError, TypeError, ValueError, AttributeError):
        return False
    return first is not None and hints.get(first) is Invocation


def score_of(fn: Callable[..., Any] | None, invocation: Invocation) -> float | None:
    """The score of an execution that is no part of a search; None without a function.

    Raises:
        InvalidScore: the function raised, or gave no finite number.
    """
    if fn is None:
        return None
    given = invocation if wants_invocation(fn) else invocation.output
    try:
        value = fn(given)
        if inspect.iscoroutine(value):
            import asyncio

            value = asyncio.run(value)
    except Exception as error:
        raised = redact(f"{type(error).__name__}: {error}")
        raise InvalidScore(f"the score of {shown(given)} raised {raised}") from error
    return checked(value, "the score")
