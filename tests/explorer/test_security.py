# SPDX-License-Identifier: Apache-2.0
"""Which requests get through: exactly those of the user's own browser."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from enact.explorer.security import Guard
from tests.explorer.conftest import COOKIE, HOST, TOKEN, Client

METHODS = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
    "get",
)  # fmt: skip
HOSTS = {
    HOST: True,
    "localhost:7000": True,
    "LOCALHOST:7000": True,
    "[::1]:7000": True,
    "127.0.0.1": False,
    "127.0.0.1:7001": False,
    "evil.example:7000": False,
    "127.0.0.1:7000.evil.example": False,
    "evil.example@127.0.0.1:7000": False,
    "127.0.0.1:7000, evil.example": False,
    "": False,
    None: False,
}
# An origin is right for the host that the request names.
ORIGINS = (
    "same",
    None,
    "null",
    "http://evil.example",
    "https://same",
    "other port",
    "",
)
TOKENS = {
    "cookie": True,
    "address": True,
    "none": False,
    "wrong cookie": False,
    "wrong address": False,
    "twice": False,
}
PATHS = {
    "/": True,
    "/static/style.css": True,
    "/static/nothing.css": False,
    "//": False,
    "/../": False,
    "/static/../app.py": False,
    "/static/..%2fapp.py": False,
    "/static/%2e%2e/app.py": False,
    "/static/%2e%2e%2f%2e%2e%2fapp.py": False,
    "/static//etc/passwd": False,
    "/static/..\\app.py": False,
    "/static/style.css%00": False,
    "/static/style.css/": False,
    "/static/style.css;x": False,
    "/%2fetc/passwd": False,
    "http://evil.example/": False,
    "//evil.example/": False,
    "/st\u00e4tic/style.css": False,
    "/openapi.json": False,
    "/docs": False,
}


def origin_for(kind: str | None, host: str | None) -> str | None:
    if kind == "same":
        return f"http://{(host or '').lower()}"
    if kind == "https://same":
        return f"https://{host}"
    return f"http://{host}1" if kind == "other port" else kind


def test_exactly_the_allowed_requests_pass(looking: Client) -> None:
    """Every method with every host, origin and token; every path with some of them."""
    tried = passed = 0
    some = [
        ("GET", HOST, None, "cookie"),
        ("GET", HOST, None, "none"),
        ("POST", HOST, "same", "cookie"),
        ("GET", "evil.example", None, "cookie"),
    ]
    cases = [
        *((*case, "/") for case in itertools.product(METHODS, HOSTS, ORIGINS, TOKENS)),
        *((*case, path) for case in some for path in PATHS),
    ]
    for method, host, origin, token, path in cases:
        headers, query = {}, ""
        if host is not None:
            headers["host"] = host
        if (sent := origin_for(origin, host)) is not None:
            headers["origin"] = sent
        if token in ("cookie", "wrong cookie"):
            headers["cookie"] = COOKIE if token == "cookie" else COOKIE + "x"
        elif token in ("address", "wrong address"):
            query = f"token={TOKEN if token == 'address' else 'x'}"
        elif token == "twice":
            query = f"token={TOKEN}&token={TOKEN}"
        answer = looking.send(method, path, headers, query)
        known = HOSTS.get(host, False)
        fits = origin == "same" or (origin is None and method != "POST")
        may = known and fits and TOKENS[token] and PATHS[path]
        if method in ("GET", "HEAD"):
            expected = {200, 303} if may else {403, 404}
            if may:
                assert answer.status == (303 if token == "address" else 200)
        else:  # nothing takes a POST where nothing can be changed
            expected = {403, 404, 405}
        assert answer.status in expected, (method, host, origin, token, path)
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'none'"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.status not in (200, 303):
            assert TOKEN not in answer.text + str(answer.headers)
        tried += 1
        passed += answer.status in (200, 303)
    assert tried > 5000
    assert passed == 2 * 4 * 2 * 2 + 2  # and the two paths that are there


def test_the_token_in_the_address_becomes_a_cookie(looking: Client) -> None:
    answer = looking.send("GET", "/", {"host": HOST}, f"a=1&token={TOKEN}&b=%0d%0a")
    assert answer.status == 303
    assert answer.headers["location"] == "/?a=1&b=%0D%0A"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(COOKIE)
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie


@pytest.mark.parametrize("name", ["host", "origin"])
def test_a_header_that_is_there_twice_is_refused(looking: Client, name: str) -> None:
    value = HOST if name == "host" else f"http://{HOST}"
    headers = [("host", HOST), ("cookie", COOKIE), (name, value)]
    if name == "origin":
        headers.append((name, value))
    assert looking.send("GET", "/", headers).status == 403


def test_a_script_in_a_parameter_comes_back_as_text(looking: Client) -> None:
    for name in ("text", "name", "status", "tag", "since", "limit", "x"):
        answer = looking.get("/", **{name: "<script>alert(1)</script>"})
        assert "<script>alert" not in answer.text
    for path in ("/run/<script>", "/nothing"):
        assert looking.get(quote(path)).status == 404


def test_a_body_without_end_is_refused(looking: Client) -> None:
    headers = {"host": HOST, "cookie": COOKIE, "origin": f"http://{HOST}"}
    answer = looking.send("POST", "/answer", headers, body=b"x" * 5_000_000)
    assert answer.status in (404, 405, 413)


def test_looking_changes_nothing(recorded: Path, looking: Client) -> None:
    before = recorded.read_bytes()
    files = sorted(recorded.parent.iterdir())
    assert looking.get("/").status == 200
    assert recorded.read_bytes() == before
    assert sorted(recorded.parent.iterdir()) == files


def test_the_core_does_not_import_the_page() -> None:
    code = (
        "import sys, enact, enact.cli\n"
        "print(*{'fastapi', 'starlette', 'jinja2', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, [])


def test_odd_paths_reach_nothing() -> None:
    """Whatever pages there may be: only plain paths get to them."""

    async def anything(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("reached")(scope, receive, send)

    client = Client(Guard(anything, 7000, TOKEN, ("127.0.0.1",)))
    plain = {"/static/nothing.css", "/openapi.json", "/docs"}
    for path, is_there in PATHS.items():
        answer = client.get(path)
        assert (answer.text == "reached") == (is_there or path in plain), path


def test_every_odd_path_with_every_kind_of_request() -> None:
    """Behind the guard answers anything: what gets there is exactly what may."""

    async def anything(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("reached")(scope, receive, send)

    client = Client(Guard(anything, 7000, TOKEN, ("127.0.0.1", "localhost", "[::1]")))
    plain = {"/static/nothing.css", "/openapi.json", "/docs"}
    hosts = (HOST, "[::1]:7000", "127.0.0.1:7001", "evil.example:7000", None)
    tried = reached = 0
    for method, host, origin, token, path in itertools.product(
        ("GET", "HEAD", "POST", "PUT", "OPTIONS"), hosts, ORIGINS, TOKENS, PATHS
    ):
        headers, query = {}, ""
        if host is not None:
            headers["host"] = host
        if (sent := origin_for(origin, host)) is not None:
            headers["origin"] = sent
        if token in ("cookie", "wrong cookie"):
            headers["cookie"] = COOKIE if token == "cookie" else COOKIE + "x"
        elif token in ("address", "wrong address"):
            query = f"token={TOKEN if token == 'address' else 'x'}"
        elif token == "twice":
            query = f"token={TOKEN}&token={TOKEN}"
        answer = client.send(method, path, headers, query)
        may = (
            method in ("GET", "HEAD", "POST")
            and HOSTS.get(host, False)
            and (origin == "same" or (origin is None and method != "POST"))
            and (PATHS[path] or path in plain)
        )
        enters = may and token == "address" and method != "POST"
        passes = may and token == "cookie"
        expected = {200} if passes else {303} if enters else {403, 404, 405}
        assert answer.status in expected, (method, host, origin, token, path)
        if method != "HEAD":
            assert (answer.text == "reached") == passes
        if enters:
            assert answer.headers["location"] == path
        tried += 1
        reached += passes
    assert tried == 5 * 5 * 7 * 6 * len(PATHS) == 21_000
    assert reached == (2 * 2 * 2 + 1 * 2 * 1) * 5
