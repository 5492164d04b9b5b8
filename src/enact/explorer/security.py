# SPDX-License-Identifier: Apache-2.0
"""Who may see a page, and what a page may do in the browser.

The server listens on this machine alone, but every page that is open in the browser can
send it requests. So each request must name this server as its host, which a name that
was made to point here (DNS rebinding) does not; each must have the token, which other
pages do not know; and what may change something must come from a page of this server.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD")
TOKEN = "token"
MOST_BODY = 12_000_000  # a form with the largest file that it takes

# Nothing of what we link to needs more: no way up, no other server, no encoding.
_PATH = re.compile(rb"/(?:[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*)?")

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With "no-referrer" browsers would not say either where a form comes from.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets through what may pass, and refuses all else before anything looks at it.

    Args:
        app: what answers.
        port: that the server listens on.
        token: that the user's browser knows.
        hosts: names of this machine under which it may be addressed.
    """

    def __init__(
        self, app: ASGIApp, port: int, token: str, hosts: tuple[str, ...]
    ) -> None:
        self._app = app
        self._token = token
        self._cookie = f"enact-{port}"
        self._hosts = {f"{name}:{port}" for name in hosts}
        if port == 80:
            self._hosts |= set(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # a web socket: the server closes it
        answer = self._refused(scope) or self._entered(scope)
        if answer is None:
            head = scope["method"] == "HEAD"
            asked = {**scope, "method": "GET"} if head else scope
            await self._app(asked, _limited(receive), _with_headers(send, head))
        else:
            await answer(scope, receive, _with_headers(send))

    def _refused(self, scope: Scope) -> Response | None:
        """What is wrong with a request; None if nothing is, but maybe its token."""
        headers = _headers(scope)
        if headers is None or headers.get("host", "").lower() not in self._hosts:
            return _no(403, "this server is addressed under another name")
        method = scope["method"]
        if method not in (*READING, "POST"):
            return _no(405, "only GET, HEAD and POST are known here")
        raw = scope.get("raw_path", b"").partition(b"?")[0]
        if not _PATH.fullmatch(raw) or raw != scope["path"].encode():
            return _no(404, "there is no such page")
        origin = headers.get("origin")
        if method not in READING and origin is None:
            return _no(403, "this must come from a page of this server")
        if origin is not None and origin.lower() != f"http://{headers['host'].lower()}":
            return _no(403, "this must come from a page of this server")
        return None

    def _entered(self, scope: Scope) -> Response | None:
        """None for who has the token; who brings it in the address gets a cookie."""
        headers = _headers(scope)
        assert headers is not None
        if self._fits(_cookie(headers.get("cookie", ""), self._cookie)):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), True)
        given = [value for key, value in query if key == TOKEN]
        if scope["method"] == "POST" or len(given) != 1 or not self._fits(given[0]):
            return _no(
                403,
                "the token is missing: open the address that `enact ui` printed, in"
                " this browser",
            )
        rest = urlencode([pair for pair in query if pair[0] != TOKEN])
        # A path of ours, see above: it leads to no other server.
        answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(
            self._cookie, self._token, path="/", httponly=True, samesite="strict"
        )
        return answer

    def _fits(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _headers(scope: Scope) -> Mapping[str, str] | None:
    """What we look at; None if one of it is there twice, so that nobody knows."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in ("host", "origin", "cookie"):
            if key in found and key != "cookie":
                return None
            found[key] = f"{found.get(key, '')};{value.decode('latin-1')}".lstrip(";")
    return found


def _cookie(text: str, name: str) -> str:
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _no(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status)


def _limited(receive: Receive) -> Receive:
    """Takes no more of a body than any form of ours has."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY:
            raise TooLarge
        return message

    return limited


class TooLarge(Exception):
    """A request is larger than any form of ours."""


def _with_headers(send: Send, head: bool = False) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *(
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.encode() not in names
                ),
            ]
        elif head:
            message = {**message, "body": b""}
        await send(message)

    return sending
