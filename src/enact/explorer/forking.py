# SPDX-License-Identifier: Apache-2.0
"""Going on from a call with another outcome, and trying runs again.

Only with the user's program: these pages are not there without it.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from enact.calls import Invocation
from enact.errors import EnactError, NotFound, WrongAnswer
from enact.explorer.details import details
from enact.explorer.forms import NOTHING, Form, field_for, filled, value_from
from enact.explorer.jobs import Job
from enact.explorer.multipart import FormData
from enact.explorer.pages import Pages
from enact.explorer.scope import Scope, path_in, scope_at, scope_of_run
from enact.query import Store, find
from enact.query.reading import exception_in
from enact.query.running import preview_now, replay_now, resume_now
from enact.render import load, short_name, visible
from enact.values import Ref, Unknown, cid_from_text, redact


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""
    if not pages.acting:
        return

    @app.get("/{kind}/{id}/fork")
    def fork(request: Request, kind: str, id: str, call: str = "") -> Response:
        with pages.source.opened() as store:
            scope = scope_at(store, kind, id)
            return pages.show(request, "fork.html", **_fields(scope, call))

    @app.post("/{kind}/{id}/fork")
    def forked(
        request: Request, kind: str, id: str, form: Form, call: str = ""
    ) -> Response:
        with pages.source.opened() as store, store:
            scope = scope_at(store, kind, id)
            fields = _fields(scope, call)
            try:
                partial = _partial(scope, call, form)
                fields["preview"] = _preview(partial)
                fields["partial"] = partial.ref.id
            except EnactError as error:
                fields["wrong"] = visible(redact(str(error)))
            except Exception as error:  # of the user's program
                told = f"the program ended with {type(error).__name__}: {error}"
                fields["wrong"] = visible(redact(told))
            fields["field"] = filled(fields["field"], form)
            fields["raises"] = form.get("raises", "")
            answer = 200 if fields["wrong"] is None else 422
            return pages.show(request, "fork.html", answer=answer, **fields)

    @app.post("/replay")
    def replay(form: Form) -> Response:
        ref = form.get("ref", "")
        with pages.source.opened() as store:
            if find(store, ref).invocation is None:
                raise HTTPException(404)
        job = Job("running from there", lambda store: _run_of(store, ref))
        number = pages.jobs.start(job, lambda store: _replayed(store, ref))
        return RedirectResponse(f"/job/{number}", 303)

    @app.post("/run/{id}/retry")
    def retry(id: str, form: Form) -> Response:
        with pages.source.opened() as store:
            scope_of_run(store, id)
        job = Job(f"going on with run {id}", lambda store: id)
        job.run = id
        number = pages.jobs.start(
            job, lambda store: resume_now(store, id, wrap_exceptions=True)
        )
        return RedirectResponse(f"/job/{number}", 303)

    @app.get("/job/{number}")
    def job(request: Request, number: int) -> Response:
        found = pages.jobs.find(number)
        if found is None:
            raise HTTPException(404)
        done = found.done  # before the run is looked at, which may end meanwhile
        with pages.source.opened() as store:
            run = found.look(store)
            begun = run is not None and found.error is None
            status = scope_of_run(store, run).run if begun and run else None
        live = status is not None and status.status == "running"
        if status is not None and (done or live):
            return RedirectResponse(f"/run/{status.id}", 303)
        return pages.show(request, "job.html", job=found, done=done)


def _fields(scope: Scope, call: str) -> dict[str, Any]:
    """The form: of the type of what was returned."""
    path = path_in(call)
    view = scope.place(path).view
    old = _old(view)
    found = details(scope, path)
    wanted: Any = Any if old is NOTHING or old is None else type(old)
    unknown = isinstance(old, Unknown)
    return {
        "scope": scope,
        "it": found,
        "at": found["path"],
        "field": field_for(Any if unknown else wanted, NOTHING if unknown else old),
        "unknown": visible(old.type) if isinstance(old, Unknown) else None,
        "raises": "",
        "preview": None,
        "partial": None,
        "wrong": None,
    }


def _old(view: Invocation) -> Any:
    cid = view._recorded().output
    return NOTHING if cid is None else load(view, cid)


def _partial(scope: Scope, call: str, form: FormData) -> Invocation:
    """The recording to go on from."""
    if scope.root is None:
        raise NotFound("the run goes on, and is large: fork it when it has ended")
    view = scope.place(path_in(call)).view
    if form.get("do") == "anew":
        return scope.root.rewind(to=view) if view.path else scope.root.rewind(0)
    if form.get("do") == "raise":
        return scope.root.edit(view, raises=exception_in(form.get("raises", "")))
    old = _old(view)
    if isinstance(old, Unknown):
        raise WrongAnswer(f"the call returned a {old.type}, which is not known here")
    wanted: Any = Any if old is NOTHING or old is None else type(old)
    return scope.root.edit(view, output=value_from(form, wanted, old=old))


def _preview(partial: Invocation) -> dict[str, Any]:
    found = preview_now(partial)
    error = found.error
    return {
        "calls": [
            (call.path or ".", visible(short_name(call.name)), call.verdict,
             call.certain, call.seconds, visible(str(call.usage or "")))
            for call in found.calls[:500]
        ],
        "count": len(found.calls),
        "seconds": found.seconds,
        "usage": {visible(name): value for name, value in found.usage.items()},
        "stopped": [path or "." for path in found.stopped[:20]],
        "error": error and visible(redact(f"{type(error).__name__}: {error}")),
    }  # fmt: skip


def _replayed(store: Store, ref: str) -> Invocation:
    invocation = find(store, ref).invocation
    assert invocation is not None
    return replay_now(invocation, wrap_exceptions=True)


def _run_of(store: Store, ref: str) -> str | None:
    """The run that goes on from a recording, if it has begun."""
    cid = Ref[Any](cid_from_text(ref)).cid
    for row in store.backend.runs(limit=50):
        if row.derived_from == cid:
            return row.id
    return None
