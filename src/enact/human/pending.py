# SPDX-License-Identifier: Apache-2.0
"""Questions that wait in a store, across processes and restarts.

A run that pauses writes down what it waits for. An answer is written beside the
question, by whoever comes first; ``enact.resume`` takes the run further with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from enact.calls import Invocation, type_in_words
from enact.calls.invocation import from_cid
from enact.calls.resuming import BEFORE_RESUMING
from enact.calls.runs import ON_PAUSE
from enact.errors import AlreadyAnswered, Declined, NotFound
from enact.human.requests import ON_CONTINUED, InputRequest, waiting
from enact.stores import ValueStore
from enact.values import Ref, cid_from_text, cid_text, require_written

KIND = "question"
"""Of entries in the journal: for each run that waits, its questions by path."""


Questions = dict[str, dict[str, Any]]
"""Of one run, by path: ``request`` and ``asked``; then ``answered`` (when), with
``answer`` or ``declined``, or ``branch`` if the program answered by itself; then
``taken``, once the run goes on with it."""


def _questions(store: ValueStore, run: str) -> tuple[str | None, Questions]:
    """What a run asks, as it is written, and read."""
    text = store.backend.entries(KIND, run).get(run)
    questions: Questions = json.loads(text or "{}")
    return text, questions


def _change(store: ValueStore, run: str, change: Callable[[Questions], None]) -> None:
    """Change what is written of the questions of a run, whoever else does so too."""
    while True:
        text, questions = _questions(store, run)
        change(questions)
        new = json.dumps(questions)
        if new == (text or "{}") or store.backend.swap(KIND, run, text, new):
            return


class PendingRequest:
    """A question to a person that waits in a store.

    Attributes:
        run: identifier of the run that waits.
        path: of the call that asks, in the invocation of the run.
        request: the question, an ``InputRequest``.
        asked: when, seconds since the epoch.
    """

    def __init__(
        self, store: ValueStore, run: str, path: str, fields: dict[str, Any]
    ) -> None:
        self._store = store
        self.run = run
        self.path = path
        self.asked: float = fields["asked"]
        self._request = fields["request"]
        self.request: InputRequest = store.checkout(
            Ref(cid_from_text(fields["request"]), store)
        )

    @property
    def for_value(self) -> Any:
        """What the question is about."""
        return self._store.checkout(self.request.for_value)

    @property
    def requested_type(self) -> Any:
        """Type of the answer."""
        return self.request.requested_type

    @property
    def context(self) -> Any:
        """More about the question."""
        return self.request.context

    def answer(self, value: Any, *, branch: bool = False) -> Invocation | None:
        """Answer it: once. ``enact.resume(pending.run)`` goes on with the answer.

        Args:
            value: of the requested type.
            branch: do not answer for the run, but run on from here with this answer,
                as a run of its own; the question still waits, or keeps the answer that
                it has.

        Returns:
            The new invocation for a branch, else None.

        Raises:
            WrongAnswer: it is of the wrong type; the question still waits.
            AlreadyAnswered: somebody has answered or declined.
        """
        self.request.check(value)
        require_written(value)
        if branch:
            return self._branch(value)
        self._write({"answer": cid_text(self._store.commit(value).cid)})
        return None

    def decline(self, why: str = "") -> None:
        """Refuse to answer: the program gets ``enact.Declined`` in place of an answer.

        Raises:
            AlreadyAnswered: somebody has answered or declined.
        """
        self._write({"declined": why})

    def _write(self, outcome: dict[str, Any]) -> None:
        def write(questions: Questions) -> None:
            fields = questions.get(self.path, {})
            if fields.get("request") != self._request or "answered" in fields:
                raise AlreadyAnswered(
                    f"the question {self.path or 'at the top'} of run {self.run} has "
                    "its answer already: nothing was changed. Use "
                    "`answer(..., branch=True)` to run on with another one"
                )
            fields.update(outcome, answered=time.time())

        _change(self._store, self.run, write)

    def _branch(self, value: Any) -> Invocation:
        rows = self._store.backend.runs(run=self.run)
        if not rows or rows[0].invocation is None:
            raise NotFound(f"run {self.run} is not in this store any more")
        invocation = from_cid(rows[0].invocation, self._store)
        with self._store:
            return invocation.answer(self.path, value).replay()

    def __repr__(self) -> str:
        wanted = type_in_words(self.requested_type)
        about = f", {self.context!r}" if self.context is not None else ""
        path = self.path or "the top"
        return f"<question of run {self.run} at {path}: {wanted}{about}>"


def pending_requests(store: ValueStore) -> list[PendingRequest]:
    """The questions of a store that nobody has answered, oldest first."""
    paused = {row.id for row in store.backend.runs(status="paused")}
    found = [
        PendingRequest(store, run, path, fields)
        for run, text in store.backend.entries(KIND).items()
        if run in paused
        for path, fields in json.loads(text).items()
        if "answered" not in fields
    ]
    return sorted(found, key=lambda pending: (pending.asked, pending.run, pending.path))


def with_answers(run: str, invocation: Invocation, store: ValueStore) -> Invocation:
    """Put the answers that a run has got into its paused invocation.

    Args:
        run: its identifier.
        invocation: what it recorded.
        store: where both are.
    """
    if invocation.status != "paused":
        return invocation
    answered: Questions = {}

    def take(questions: Questions) -> None:
        answered.clear()
        for path, fields in questions.items():
            if "answer" in fields or "declined" in fields:
                fields["taken"] = True
                answered[path] = fields

    _change(store, run, take)
    # What its lane did after an answer is dropped, so the last one comes first.
    for path in sorted(answered, key=_indices, reverse=True):
        fields = answered[path]
        if "declined" in fields:
            invocation = invocation.answer(path, raises=Declined(fields["declined"]))
        else:
            answer = Ref[Any](cid_from_text(fields["answer"]), store)
            invocation = invocation.answer(path, store.checkout(answer))
    return invocation


def _indices(path: str) -> list[int]:
    return [int(index) for index in path.split("/") if index]


def _path(view: Invocation) -> str:
    return "/".join(map(str, view.path))


def _remember(store: ValueStore, run: str, cid: bytes) -> None:
    """Write down the questions that a run waits for, in place of those before.

    A question that is asked again keeps its time, and an answer that came too late for
    the try that ends here waits for the next one.
    """
    asked = {
        _path(view): cid_text(raised)
        for view in waiting(from_cid(cid, store))
        if (raised := view._recorded().raised) is not None
    }

    def remember(questions: Questions) -> None:
        before = [fields for fields in questions.values() if "taken" not in fields]
        questions.clear()
        for path, request in asked.items():
            same = (old for old in before if old["request"] == request)
            known = next((old for old in same if "branch" not in old), None)
            if known is not None:
                before.remove(known)
            questions[path] = known or {"request": request, "asked": time.time()}

    _change(store, run, remember)


def _continued(invocation: Invocation, view: Invocation) -> None:
    """A program goes on from a pause with an answer of its own: nobody need answer."""
    run = invocation.__dict__.get("_run")
    store = invocation.ref.origin
    if run is None or not isinstance(store, ValueStore):
        return

    def answered(questions: Questions) -> None:
        fields = questions.get(_path(view))
        if fields is not None and "answered" not in fields:
            fields.update(answered=time.time(), branch=True)

    _change(store, run, answered)


ON_PAUSE.append(_remember)
ON_CONTINUED.append(_continued)
BEFORE_RESUMING.append(with_answers)
