# SPDX-License-Identifier: Apache-2.0
"""Judging: complete executions get their scores, equal outputs once."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from enact.calls import edits
from enact.calls.invocation import from_cid
from enact.errors import EnactError, InvalidScore, Signal
from enact.search.pool import aside
from enact.search.scores import checked, wants_invocation
from enact.values import redact, shown

if TYPE_CHECKING:
    from enact.search.steps import Step
    from enact.stores import ValueStore


class Judge:
    """Scores executions by the function of a search.

    Args:
        fn: of an output, or of an invocation; async or not; None for no score.
        store: where the executions are.
        run: to go on with, for messages.
    """

    def __init__(self, fn: Any, store: ValueStore, run: str) -> None:
        self._fn = fn
        self._store = store
        self._run = run
        self._of_invocation = fn is not None and wants_invocation(fn)
        self._known: dict[bytes, float] = {}
        self._waiting: dict[bytes, Signal] = {}

    def score(self, step: Step) -> float | None:
        """The score of a complete execution; None where the program tells it.

        Raises:
            InvalidScore: the function raised, or gave no finite number.
            Signal: a person is asked.
        """
        if self._fn is None:
            return step.score
        cid = step.invocation.cid
        invocation = from_cid(cid, self._store)
        output = edits.read(cid, self._store).output
        assert output is not None
        key = cid if self._of_invocation else output
        known = self._known.get(key)
        if key in self._waiting:
            raise self._waiting[key]
        if known is None:
            value = invocation if self._of_invocation else invocation.output
            try:
                score = checked(self._call(value), "the score")
            except Signal as question:
                self._waiting[key] = question
                raise
            known = self._known[key] = score
        return known

    def _call(self, value: Any) -> Any:
        """Call the function in a lane of its own, so that a pause stops nothing else.

        Raises:
            InvalidScore: it raised.
        """
        try:
            return aside(self._apply, value)
        except EnactError:
            raise
        except Exception as error:
            raise InvalidScore(
                f"the score of {shown(value)} raised "
                f"{redact(f'{type(error).__name__}: {error}')}. Nothing is lost: mend "
                f"it, then go on with `enact.search.resume({self._run!r})`"
            ) from error

    def _apply(self, value: Any) -> Any:
        result = self._fn(value)
        if inspect.iscoroutine(result):
            import asyncio

            return asyncio.run(result)
        return result
