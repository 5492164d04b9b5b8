# SPDX-License-Identifier: Apache-2.0
"""``enact ui``: what it says where it cannot serve, and that it serves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from enact.cli import main


def run(*arguments: str):
    return CliRunner().invoke(main, ["ui", "--no-open", *arguments])


def test_a_port_that_is_taken(recorded: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run(str(recorded), "--port", str(port))
    assert done.exit_code == 2
    assert f"port {port} is taken: give another one" in done.output


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_an_address_that_others_can_reach(recorded: Path, host: str) -> None:
    done = run(str(recorded), "--host", host)
    assert done.exit_code == 2
    assert "can be reached by others" in done.output


def test_stores_that_cannot_be_shown(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"something else" * 100)
    empty = tmp_path / "empty.db"
    empty.touch()
    for path in (tmp_path / "nothing.db", foreign, empty):
        done = run(str(path), "--port", "0")
        assert done.exit_code == 1
        assert done.output.count("\n") == 1 and str(path) in done.output
    assert run(str(empty), "--store", str(empty)).exit_code == 2


def test_without_the_extra_it_says_how_to_get_it(recorded: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\nfrom enact.cli import main; main()"
    )
    for arguments in (["ui", str(recorded), "--no-open"], ["log", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True
        )
        assert done.returncode == (1 if arguments[0] == "ui" else 0)
        if done.returncode:
            assert "pip install 'enact[explorer]'" in done.stderr
            assert done.stderr.count("\n") == 1


def test_it_serves_until_it_is_interrupted(recorded: Path) -> None:
    command = [sys.executable, "-m", "enact", "ui", str(recorded), "--port", "0"]
    with subprocess.Popen(
        [*command, "--no-open", "--json"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        text = "".join(iter(server.stdout.readline, "}\n")) + "}"
        told = json.loads(text)
        assert told["store"] == str(recorded)
        bare = told["url"].partition("?")[0]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(bare, timeout=20)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(told["url"], timeout=20) as answer:
            assert answer.url == bare
            assert b"handle(Order" in answer.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=20) == 0
