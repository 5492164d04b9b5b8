# SPDX-License-Identifier: Apache-2.0
"""A recorded store, its page, and a way to send it requests, byte by byte."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from enact.explorer import Source, make_app

APP = Path(__file__).with_name("page_app.py")
PORT = 7000
TOKEN = "t" * 32
HOST = f"127.0.0.1:{PORT}"
COOKIE = f"enact-{PORT}={TOKEN}"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that another process made: its types are not known here."""
    directory = tmp_path_factory.mktemp("recorded")
    shutil.copy(APP, directory)
    command = [sys.executable, APP.name, "runs.db"]
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
