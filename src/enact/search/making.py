# SPDX-License-Identifier: Apache-2.0
"""Making what a strategy asks for: steps, with their questions and scores."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls.invocation import from_cid
from enact.errors import Signal
from enact.human import RequestInput
from enact.human.requests import waiting
from enact.search.budget import Spent
from enact.search.claims import Claims, Turn
from enact.search.judging import Judge
from enact.search.outcome import Step
from enact.search.pool import aside
from enact.search.scores import wants_invocation
from enact.search.steps import Job, Stepper
from enact.search.strategy import Vary
from enact.values import ACTIVE

if TYPE_CHECKING:
    from enact.stores import ValueStore


class Made(NamedTuple):
    """What came of one thing that was asked for.

    Attributes:
        step: None while a person's answer is missing.
        score: of a complete execution; None if there is none, or it waits for a person.
        signal: the question that is missing an answer.
        program: that was made, where one was asked for.
        spent: by all steps that it took.
    """

    step: Step | None
    score: float | None = None
    signal: Signal | None = None
    program: Any = None
    spent: Spent = Spent()


Program = tuple[Any, Sequence[Any], dict[str, Any]]
"""An invokable, with its arguments."""


class Maker:
    """Makes steps and scores, in any thread.

    Args:
        store: that is recorded into.
        stepper: makes steps.
        judge: scores.
    """

    def __init__(self, store: ValueStore, stepper: Stepper, judge: Judge) -> None:
        self._store = store
        self._stepper = stepper
        self._judge = judge
        self._claims = Claims()

    def work(self, fn: Callable[..., Made], *args: Any, turn: Turn | None) -> Made:
        """Do some work in a thread of the pool, which knows of no active store.

        Args:
            fn, args: the work.
            turn: of it; None where work is done piece by piece.
        """
        token = ACTIVE.set(self._store)
        try:
            return fn(*args, turn=turn)
        finally:
            ACTIVE.reset(token)
            if turn is not None:
                turn.end()

    def make(self, job: Job, scored: bool = True, turn: Turn | None = None) -> Made:
        """Make a step and score it."""
        spent = Spent()
        step = self._stepper.step(job)
        spent.add(step.spent)
        while step.ending == "waiting":
            paused = from_cid(step.invocation.cid, self._store)
            asking = waiting(paused)[0]
            signal: Any = asking.get_raised()
            try:
                answer = self._ask(signal, turn)
            except Signal as missing:
                return Made(None, signal=missing, spent=spent)
            going_on = paused.answer(asking, answer)
            step = self._stepper.step(job._replace(start=going_on.ref.cid))
            spent.add(step.spent)
        if step.ending != "completed" or not scored:
            return Made(step, spent=spent)
        try:
            score, took = self._judge.score(step, turn)
        except Signal as missing:
            return Made(step, signal=missing, spent=spent)
        spent.add(took)
        return Made(step, score, spent=spent)

    def _ask(self, signal: Any, turn: Turn | None) -> Any:
        """The answer to a question of the program, which is asked once per tree.

        Raises:
            Signal: it is missing.
        """
        if turn is not None:
            turn.wait()
        claim, mine = self._claims.take(signal)
        if turn is not None:
            turn.end()
        if not mine:
            return claim.result()
        question = RequestInput(signal.requested_type, signal.context)
        return claim.settle(aside, question, self._store.checkout(signal.for_value))

    def make_variant(
        self,
        vary: Vary,
        parents: list[tuple[bytes, Program]],
        place: int,
        turn: Turn | None = None,
    ) -> Made:
        """Make another program, and park it at its first branch point.

        Args:
            vary: what gives it.
            parents: executions that it is made from, with their programs.
            place: in the order in which steps are asked for.
            turn: of it.
        """
        if wants_invocation(vary.fn):
            given: list[Any] = [from_cid(cid, self._store) for cid, _ in parents]
        else:
            given = [copy.deepcopy(program[0]) for _, program in parents]
        job = Job((vary.fn, [*given, *vary.args], {}), None, draws=None, place=place)
        made = self.make(job, False, turn)
        step = made.step
        if step is None or step.ending != "completed":
            return made
        program = from_cid(step.invocation.cid, self._store).output
        _, args, kwargs = parents[0][1]
        start = self._stepper.step(Job((program, args, kwargs), None, draws=0))
        made.spent.add(start.spent)
        return Made(start, program=program, spent=made.spent)
