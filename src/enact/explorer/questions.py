# SPDX-License-Identifier: Apache-2.0
"""Questions to people: the list, and with the user's program also the answers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from enact.calls import type_in_words
from enact.errors import EnactError, NotFound, WrongAnswer
from enact.explorer.forms import (
    NOTHING,
    Form,
    field_for,
    filled,
    may_accept,
    value_from,
)
from enact.explorer.jobs import Job
from enact.explorer.multipart import FormData
from enact.explorer.pages import Pages
from enact.explorer.scope import path_in
from enact.explorer.values import parts_of, shown
from enact.human import PendingRequest
from enact.query import Store
from enact.query.lookup import short_runs
from enact.query.running import resume_now
from enact.render import load_value, visible
from enact.render.questions import Question, in_words, waiting_questions

_WIDTH = 80


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/questions")
    def questions(request: Request) -> Response:
        with pages.source.opened() as store:
            found = waiting_questions(store)
            length = short_runs(store, [one.run for one in found])
            rows = [
                (
                    one,
                    one.run[:length],
                    _dotted(one),
                    in_words(store, one, _WIDTH),
                    ".".join(filter(None, (one.run, _dotted(one)))),
                )
                for one in found
            ]
            return pages.show(request, "questions.html", rows=rows)

    if pages.acting:
        _add_answers(app, pages)


def _add_answers(app: FastAPI, pages: Pages) -> None:
    @app.get("/run/{id}/answer")
    def asked(request: Request, id: str, call: str = "") -> Response:
        with pages.source.opened() as store, store:
            question = _find(store, id, call)
            fields = fields_of(store, question)
            return pages.show(request, "answer.html", **fields)

    @app.post("/run/{id}/answer")
    def answered(request: Request, id: str, form: Form, call: str = "") -> Response:
        with pages.source.opened() as store, store:
            question = _find(store, id, call)
            pending = pending_of(store, question)
            try:
                settle(pending, form.get("do", ""), form)
            except (WrongAnswer, EnactError) as error:
                fields = fields_of(store, question)
                fields["field"] = filled(fields["field"], form)
                fields["wrong"] = visible(str(error))
                return pages.show(request, "answer.html", answer=422, **fields)
            left = [one for one in waiting_questions(store) if one.run == id]
        if left:
            return RedirectResponse(f"/run/{id}/answer?call={_dotted(left[0])}", 303)
        if "go_on" not in form:
            return RedirectResponse(f"/run/{id}", 303)
        job = Job(f"going on with run {id}", lambda store: id)
        job.run = id
        number = pages.jobs.start(job, lambda store: resumed(store, id))
        return RedirectResponse(f"/job/{number}", 303)


def resumed(store: Store, run: str) -> Any:
    """Go on with a run."""
    return resume_now(store, run, wrap_exceptions=True)


def _find(store: Store, run: str, call: str) -> Question:
    path = "/".join(map(str, path_in(call)))
    for one in waiting_questions(store):
        if one.run == run and one.path == path:
            return one
    raise NotFound(
        f"run {run} waits for no answer there: somebody has answered, or it goes on"
    )


def pending_of(store: Store, question: Question) -> PendingRequest:
    """A question, to be answered."""
    return PendingRequest(
        store, question.run, question.path,
        {"asked": question.asked, "request": question.request.id},
    )  # fmt: skip


def settle(
    pending: PendingRequest, do: str, form: FormData, name: str = "value"
) -> None:
    """Answer a question, or decline it.

    Args:
        pending: the question.
        do: ``answer``, ``accept`` or ``decline``.
        form: what somebody put into the form.
        name: of the input.

    Raises:
        WrongAnswer: it is no value of the type.
    """
    wanted, value = pending.requested_type, pending.for_value
    if do == "decline":
        pending.decline(
            form.get("why" if name == "value" else f"{name}.why", "").strip()
        )
    elif do == "accept":
        pending.answer(value)
    else:
        old = value if may_accept(value, wanted) else NOTHING
        pending.answer(value_from(form, wanted, name, old))


def fields_of(store: Store, question: Question, name: str = "value") -> dict[str, Any]:
    """What the form of a question needs.

    Args:
        store: with the question.
        question: that waits.
        name: of the input.
    """
    pending = pending_of(store, question)
    value = load_value(store, pending.request.for_value)
    wanted = pending.requested_type
    fits = may_accept(value, wanted)
    context = pending.context
    return {
        "run": question.run,
        "at": _dotted(question),
        "asked": question.asked,
        "kind": visible(type_in_words(wanted)),
        "context": [] if context is None else [shown(context)],
        "about": [] if value is None else parts_of(value),
        "field": field_for(wanted, value if fits else NOTHING, name),
        "fits": fits,
        "left": len([q for q in waiting_questions(store) if q.run == question.run]),
        "wrong": None,
    }


def _dotted(question: Question) -> str:
    return question.path.replace("/", ".")
