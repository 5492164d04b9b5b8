# SPDX-License-Identifier: Apache-2.0
"""Stores that somebody sent: nothing in them does anything to a terminal."""

from __future__ import annotations

import sqlite3
from zlib import crc32

import pytest
from click.testing import CliRunner

import enact as library
from enact.cli import main
from enact.stores import CallRow, RunRow

EVIL = "\x1b]0;owned\x07\x9b31m\u202egnp\r\x08"


def hostile(path) -> None:
    store = library.SQLiteStore(path)
    value = {EVIL: [EVIL, EVIL.encode()], "name": EVIL}
    with store:
        program = library.Program(f"def solve(x):\n    {EVIL!r}\n    return x")
        inv = library.invoke(program.load(allow=True), (value,))
        store.tag(f"tag{EVIL}", inv)
        store.tag("value", value)
        store.tag("deep", nested(100))
    request, cid = inv.request.cid, inv.ref.cid
    backend = store.backend
    run = "0" * 23 + EVIL
    backend.begin_run(
        RunRow(run, EVIL, EVIL, cid, 9e9, 1.0, cid, EVIL, {"argv": [EVIL]})
    )
    backend.record(
        (),
        CallRow(
            run, 0, None, (), 0, 0, EVIL, request, cid, None, EVIL, 9e9, 1.0, EVIL,
            None, None, '{"\\u001b[31m": "\\u009b31m"}',
        ),
    )  # fmt: skip
    store.close()


def nested(depth: int) -> list:
    return [nested(depth - 1)] if depth else []


COMMANDS = (
    ("log",), ("show",), ("show", "value"), ("cat", "value"), ("cat", "deep"),
    ("diff", "value", "deep"), ("calls",), ("samples", "@latest"), ("tag",),
    ("source", "@latest"), ("status",), ("inbox",), ("check",),
    ("export", "@latest", "-"), ("diff", "@latest", "value"), ("show", f"x{EVIL}"),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_no_control_character_comes_out(command, tmp_path):
    path = tmp_path / "runs.db"
    hostile(path)
    for extra in ((), ("--json",)):
        result = CliRunner().invoke(main, [*command, *extra, "--store", str(path)])
        assert isinstance(result.exception, (SystemExit, type(None))), command
        told = set(result.output) - {"\n"}
        assert not told & set(EVIL.replace("gnp", "")[:1] + "\x07\x9b\u202e\r\x08")


@pytest.mark.parametrize(
    ("kind", "value", "command"),
    [
        ("tag", "[]", "tag"),
        ("tag", "{", "log"),
        ("tag", '{"ref": "bafy"}', "show"),
        ("question", '{"0": 1}', "inbox"),
        ("question", '{"0": {"asked": "x", "request": "y"}}', "status"),
    ],
)
def test_an_entry_of_another_shape_is_told(kind, value, command, tmp_path):
    path = tmp_path / "runs.db"
    with library.SQLiteStore(path) as store:
        library.invoke(library.RequestInput())
        key = store.runs()[0].id
    store.close()
    connection = sqlite3.connect(path)
    with connection:
        check = crc32("\0".join((kind, key, value)).encode())
        connection.execute(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
            (kind, key, value, check),
        )
    connection.close()
    result = CliRunner().invoke(main, [command, "--store", str(path)])
    assert result.exit_code == 1
    assert "as enact writes" in result.stderr
