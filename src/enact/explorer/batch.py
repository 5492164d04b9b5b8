# SPDX-License-Identifier: Apache-2.0
"""Several questions answered at once: one page, one form, one button."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from enact.errors import EnactError, WrongAnswer
from enact.explorer.forms import Field, Form, filled
from enact.explorer.jobs import Job
from enact.explorer.multipart import FormData
from enact.explorer.pages import Pages
from enact.explorer.questions import (
    fields_of,
    pending_of,
    resumed,
    settle,
)
from enact.query import Store
from enact.query.lookup import short_runs
from enact.render import visible
from enact.render.questions import Question, waiting_questions

MOST = 50
WAIT, ANSWER, ACCEPT, DECLINE = "wait", "answer", "accept", "decline"


class Asked(NamedTuple):
    """A question on the page of several.

    Attributes:
        key: that names it in addresses and in the form.
        short: beginning of its run.
        fields: what its part of the page needs.
        chosen: what is to be done with it.
        why: reason of a refusal.
        wrong: what was wrong with its answer; None if nothing was.
    """

    key: str
    short: str
    fields: dict[str, Any]
    chosen: str
    why: str
    wrong: str | None


def key_of(question: Question) -> str:
    """What names a question in addresses."""
    return ".".join([question.run, *filter(None, question.path.split("/"))])


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""
    if not pages.acting:
        return

    @app.get("/questions/answer")
    def several(request: Request) -> Response:
        with pages.source.opened() as store, store:
            found = _chosen(store, request)
            asked = [_asked(store, one, found) for one in found]
            return pages.show(request, "answers.html", asked=asked, go_on=True)

    @app.post("/questions/answer")
    def answered(request: Request, form: Form) -> Response:
        with pages.source.opened() as store, store:
            found = _chosen(store, request)
            asked, runs = _settled(store, found, form)
            waiting = {one.run for one in waiting_questions(store)}
        if "go_on" in form:
            for run in sorted(runs - waiting):
                _go_on(pages, run)
        if any(one.wrong for one in asked):
            return pages.show(
                request, "answers.html", answer=422, asked=asked,
                go_on="go_on" in form,
            )  # fmt: skip
        return RedirectResponse("/questions" if asked or not runs else "/", 303)


def _go_on(pages: Pages, run: str) -> None:
    job = Job(f"going on with run {run}", lambda store: run)
    job.run = run
    pages.jobs.start(job, lambda store: resumed(store, run))


def _chosen(store: Store, request: Request) -> list[Question]:
    """The questions that an address names, those that wait; all if it names none."""
    wanted = set(request.query_params.getlist("q"))
    found = waiting_questions(store)
    return [one for one in found if not wanted or key_of(one) in wanted][:MOST]


def _settled(
    store: Store, found: list[Question], form: FormData
) -> tuple[list[Asked], set[str]]:
    """Answer what is answered; gives what is left on the page, and the other runs."""
    left: list[Asked] = []
    runs: set[str] = set()
    for question in found:
        key = key_of(question)
        do = form.get(f"{key}.do", WAIT)
        wrong = None
        if do != WAIT:
            try:
                if do == ANSWER and not _is_typed(store, question, form):
                    raise WrongAnswer("nothing was typed: leave it waiting, or decline")
                settle(pending_of(store, question), do, form, key)
                runs.add(question.run)
                continue
            except EnactError as error:
                wrong = visible(str(error))
        left.append(_asked(store, question, found, form)._replace(wrong=wrong))
    return left, runs


def _is_typed(store: Store, question: Question, form: FormData) -> bool:
    """Whether there is a text, of which an empty one may just be left out here."""
    field: Field = fields_of(store, question, key_of(question))["field"]
    return field.kind != "text" or bool(form.get(field.name, "").strip())


def _asked(
    store: Store,
    question: Question,
    beside: list[Question],
    form: FormData | None = None,
) -> Asked:
    key = key_of(question)
    fields = fields_of(store, question, key)
    field: Field = fields["field"]
    chosen, why = ANSWER, ""
    if form is not None:
        fields["field"] = filled(field, form)
        chosen, why = form.get(f"{key}.do", WAIT), form.get(f"{key}.why", "")
    length = short_runs(store, [one.run for one in beside])
    return Asked(key, question.run[:length], fields, chosen, why, None)
