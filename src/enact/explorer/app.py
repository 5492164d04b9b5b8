# SPDX-License-Identifier: Apache-2.0
"""All pages, behind the guard."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources

from fastapi import FastAPI, HTTPException, Request
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from enact.errors import CorruptBlock, EnactError, MissingBlock, NoSuchCall, NotFound
from enact.explorer import (
    batch,
    branching,
    comparing,
    flat,
    forking,
    listing,
    questions,
    runs,
    searching,
    steps,
    timeline,
)
from enact.explorer.pages import Pages
from enact.explorer.security import Guard, TooLarge
from enact.explorer.source import Source

PARTS = (
    listing,
    questions,
    batch,
    forking,
    comparing,
    flat,
    timeline,
    branching,
    searching,
    steps,
    runs,
)
FILES = {
    "style.css": "text/css",
    "htmx.min.js": "text/javascript",  # htmx 4.0.1, Zero-Clause BSD
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def make_app(
    source: Source,
    *,
    port: int,
    token: str,
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]"),
    apps: Sequence[str] = (),
) -> ASGIApp:
    """The page as an ASGI application.

    Args:
        source: of what it shows.
        port: that the server listens on.
        token: that the user's browser has to know.
        hosts: names of this machine under which it may be addressed.
        apps: modules of the user's program that are loaded; without any there are no
            pages that run or change something.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    pages = Pages(source, apps)
    for part in PARTS:
        part.add(app, pages)
    app.get("/static/{name}")(_file)
    app.get("/favicon.ico")(functools.partial(_file, "icon.svg"))
    app.exception_handler(EnactError)(functools.partial(_failed, pages))
    app.exception_handler(RecursionError)(functools.partial(_failed, pages))
    app.exception_handler(AnyHTTPException)(functools.partial(_failed, pages))
    app.exception_handler(TooLarge)(functools.partial(_failed, pages))
    app.exception_handler(Exception)(functools.partial(_failed, pages))
    return Guard(app, port, token, hosts)


@functools.cache
def _content(name: str) -> bytes:
    return resources.files("enact.explorer").joinpath("static", name).read_bytes()


def _file(name: str) -> Response:
    kind = FILES.get(name)  # no path is made of what somebody asks for
    if kind is None:
        raise HTTPException(404)
    return Response(_content(name), media_type=kind)


async def _failed(pages: Pages, request: Request, error: Exception) -> Response:
    """One sentence that says what happened, on a page with the way back."""
    if isinstance(error, AnyHTTPException):
        status = error.status_code
        told = {404: "there is no such page", 405: "this page is only read"}
        why = told.get(status, str(error.detail))
    elif isinstance(error, TooLarge):
        status, why = 413, "this is more than a form takes"
    elif isinstance(error, RecursionError):
        status, why = 500, "a value or a tree is nested too deep to be shown"
    elif not isinstance(error, EnactError):
        status, why = 500, f"a mistake of enact: {type(error).__name__}: {error}"
    else:
        missing = (NotFound, NoSuchCall, MissingBlock)
        status = 404 if isinstance(error, missing) else 409
        status = 500 if isinstance(error, CorruptBlock) else status
        why = str(error) or type(error).__name__
    return pages.show(request, "error.html", answer=status, why=why)
