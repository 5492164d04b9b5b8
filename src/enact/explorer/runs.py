# SPDX-License-Identifier: Apache-2.0
"""A run, or a recorded call, on a page: tree, details, source, raw values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.calls import source as source_of
from enact.errors import EnactError
from enact.explorer import tree
from enact.explorer.details import details
from enact.explorer.growing import Path
from enact.explorer.growing_tree import (
    growing_children,
    growing_details,
    growing_lines,
)
from enact.explorer.listing import took
from enact.explorer.pages import Pages
from enact.explorer.scope import (
    Scope,
    path_in,
    path_text,
    scope_at,
    scope_of_ref,
)
from enact.explorer.values import MOST_ON_A_PAGE, parts_of, parts_of_input
from enact.query import find
from enact.query.lookup import tags_by_ref
from enact.query.sums import sums_of
from enact.render import as_json, load_value, visible
from enact.render.lines import run_parts
from enact.values import redact


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @contextmanager
    def opened(kind: str, id: str) -> Iterator[Scope]:
        with pages.source.opened() as store:
            yield scope_at(store, kind, id)

    @app.get("/ref/{id}/raw")
    def raw(id: str) -> Response:
        with pages.source.opened() as store:
            data = as_json(load_value(store, find(store, id).ref))
        return Response(json.dumps(data, indent=2), media_type="application/json")

    @app.get("/ref/{id}")
    def value(request: Request, id: str) -> Response:
        with pages.source.opened() as store:
            found = find(store, id)
            if found.invocation is None:
                whole = load_value(store, found.ref)
                parts = parts_of_input(whole, MOST_ON_A_PAGE)
                if len(parts) < 2:
                    parts = parts_of(whole, MOST_ON_A_PAGE)
                return pages.show(
                    request, "value.html", id=found.ref.id, parts=parts,
                    tags=store.tags_of(found.ref),
                )  # fmt: skip
            fields = page_fields(scope_of_ref(store, id), request)
            return pages.show(request, "run.html", **fields)

    @app.get("/run/{id}")
    def run(request: Request, id: str) -> Response:
        with opened("run", id) as scope:
            return pages.show(request, "run.html", **page_fields(scope, request))

    @app.get("/{kind}/{id}/live")
    def live(request: Request, kind: str, id: str) -> Response:
        with opened(kind, id) as scope:
            return pages.show(request, "live.html", **page_fields(scope, request))

    @app.get("/{kind}/{id}/lines")
    def lines(
        request: Request, kind: str, id: str, at: str = "", start: int = 0
    ) -> Response:
        with opened(kind, id) as scope:
            path, start = path_in(at), max(0, start)
            if scope.growing is not None:
                found = growing_children(scope.growing, path, start)
            else:
                found = tree.children(scope, path, start)
            return pages.show(
                request, "lines.html", lines=found, current=None, scope=scope
            )

    @app.get("/{kind}/{id}/details")
    def one(request: Request, kind: str, id: str, call: str = "") -> Response:
        with opened(kind, id) as scope:
            found = _details(scope, path_in(call))
            return pages.show(request, "details.html", it=found, scope=scope)

    @app.get("/{kind}/{id}/source")
    def source(request: Request, kind: str, id: str, call: str = "") -> Response:
        with opened(kind, id) as scope:
            path = path_in(call)
            found = source_of(scope.place(path).view)
            text = visible(redact(str(found)))
            return pages.show(
                request, "source.html", text=text, at=path_text(path),
                scope=scope, name=visible(found.name),
            )  # fmt: skip


def _details(scope: Scope, path: Path) -> dict[str, Any]:
    whole = details if scope.growing is None else growing_details
    return whole(scope, path)


def head_fields(scope: Scope) -> dict[str, Any]:
    """What stands above every view of a run."""
    fields: dict[str, Any] = {"scope": scope, "run": scope.run, "tags": []}
    if scope.run is None:
        return fields
    run = scope.run
    sums = sums_of(scope.store, run)
    derived = run.derived_from
    fields.update(
        took=took(run),
        tags=tags_by_ref(scope.store).get(run._row.invocation, []),
        sums=sums,
        derived=None if derived is None else derived.id,
        call="".join(run_parts(run, 60)[:1]),
    )
    return fields


def page_fields(scope: Scope, request: Request) -> dict[str, Any]:
    """What the page of a tree needs."""
    fold = tree.fold_in(request.query_params)
    fields = head_fields(scope)
    fields.update(lines=[], it=None, current=path_text(fold.current), wrong=None)
    if scope.root is None and scope.growing is None:
        return fields
    if scope.growing is not None:
        fields["lines"] = growing_lines(scope.growing, fold)
    else:
        fields["lines"] = tree.lines(scope, fold)
    fields["toggled"] = tree.toggled(scope, fields["lines"], request.query_params)
    try:
        fields["it"] = _details(scope, fold.current)
    except EnactError as error:
        fields["wrong"] = str(error)
    return fields
