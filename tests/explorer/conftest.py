# SPDX-License-Identifier: Apache-2.0
"""A recorded store, its page, and a way to send it requests, byte by byte."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from enact.explorer import Server, Source, listen, make_app
from tests.explorer.browsing import CHROMIUM, WIDE

APP = Path(__file__).parents[1] / "shop_app.py"
PORT = 7000
TOKEN = "t" * 32
HOST = f"127.0.0.1:{PORT}"
COOKIE = f"enact-{PORT}={TOKEN}"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that another process made: its types are not known here."""
    directory = tmp_path_factory.mktemp("recorded")
    shutil.copy(APP, directory)
    command = [sys.executable, APP.name, "all", "runs.db"]
    subprocess.run(command, cwd=directory, check=True, timeout=60)
    return directory / "runs.db"


@dataclasses.dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


class Client:
    """Sends requests to an application, as they come from the network."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | list[tuple[str, str]],
        query: str = "",
        body: bytes = b"",
    ) -> Answer:
        sent: list[dict[str, Any]] = []
        pairs = headers.items() if isinstance(headers, dict) else headers
        raw = path.encode("latin-1", "replace")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": _unquoted(path),
            "raw_path": raw,
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in pairs],
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", PORT),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        begin = sent[0]
        content = b"".join(one.get("body", b"") for one in sent[1:])
        return Answer(
            begin["status"],
            {k.decode(): v.decode() for k, v in begin["headers"]},
            content.decode("utf-8"),
        )

    def get(self, path: str, **query: Any) -> Answer:
        headers = {"host": HOST, "cookie": COOKIE}
        return self.send("GET", path, headers, urlencode(query))

    def page(self, path: str, **query: Any) -> str:
        answer = self.get(path, **query)
        assert answer.status == 200, answer.text
        return answer.text

    def post(self, path: str, **form: Any) -> Answer:
        headers = {
            "host": HOST,
            "cookie": COOKIE,
            "origin": f"http://{HOST}",
            "content-type": "application/x-www-form-urlencoded",
        }
        return self.send("POST", path, headers, body=urlencode(form, True).encode())


def _unquoted(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path, errors="replace")


@pytest.fixture
def looking(recorded: Path) -> Iterator[Client]:
    """The page of a store that is only read."""
    source = Source(str(recorded))
    yield Client(make_app(source, port=PORT, token=TOKEN))
    source.close()


@pytest.fixture
def page_of() -> Iterator[Callable[..., Client]]:
    """The page of any store."""
    sources: list[Source] = []

    def page(path: Path, **options: Any) -> Client:
        source = Source(str(path), writable="apps" in options)
        sources.append(source)
        return Client(make_app(source, port=PORT, token=TOKEN, **options))

    yield page
    for source in sources:
        source.close()


@pytest.fixture(scope="module")  # its event loop would be in the way of others
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-dev-shm-usage"]  # fmt: skip
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves a store to be looked at; gives the address of its list."""
    running: list[Any] = []

    def start(path: Path) -> str:
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        source = Source(str(path))
        server = Server(make_app(source, port=port, token=TOKEN), listener)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread, source))
        return f"http://127.0.0.1:{port}/?token={TOKEN}"

    yield start
    for server, thread, source in running:
        server.stop()
        thread.join(20)
        source.close()


@pytest.fixture
def opened(chromium: Any, serve: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; what it complains about fails the test."""
    contexts, told = [], []

    def open_page(url: str, quiet: bool = True, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        if quiet:
            page.on("console", lambda one: told.append(f"{one.text} {one.location}"))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.goto(url)
        return page

    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    sync_api.expect.set_options(timeout=20_000)
    yield open_page
    for context in contexts:
        context.close()
    assert told == []


@pytest.fixture
def acting(recorded: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a page with the program, served by the command."""
    shutil.copy(recorded, tmp_path / "runs.db")
    shutil.copy(APP, tmp_path)
    command = [sys.executable, "-m", "enact", "ui", "runs.db", "--app", APP.name,
               "--port", "0", "--no-open", "--json"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        told = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
        yield told["url"]
        server.terminate()
        server.wait(20)
