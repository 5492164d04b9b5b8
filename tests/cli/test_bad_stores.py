# SPDX-License-Identifier: Apache-2.0
"""Every command on stores that are missing, empty, foreign, newer and damaged."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

import enact as library
from enact.cli import main
from enact.cli.errors import Failure
from enact.cli.stores import looking

LOOKING = {
    "log": (),
    "show": (),
    "cat": ("text",),
    "diff": ("handled", "many"),
    "calls": (),
    "samples": ("handled/1",),
    "source": ("handled",),
    "status": (),
    "inbox": (),
    "tag": (),
    "check": (),
    "export": ("handled", "-"),
}
CHANGING = {
    "tag": ("name", "handled"),
    "answer": ("@latest", "yes"),
    "rewind": ("handled",),
    "edit": ("handled/1", "--output", "1"),
    "gc": (),
    "purge": ("text", "--yes"),
    "backup": ("copy.db",),
    "compact": (),
}
RUNNING = {
    "affected": (),
    "preview": ("handled",),
    "replay": ("handled",),
    "resume": (),
    "search": ("show",),
}
ALL = [
    *((name, *rest) for name, rest in LOOKING.items()),
    *((name, *rest) for name, rest in CHANGING.items()),
    *((name, *rest, "--app", "json") for name, rest in RUNNING.items()),
]
BY_NAME = [" ".join(command) for command in ALL]


def run(*arguments: str, store: Path | str = "runs.db") -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [*arguments, "--store", str(store)])
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        raise error
    return result.exit_code, result.stdout, result.stderr


def fails(command: tuple[str, ...], says: str) -> None:
    code, out, err = run(*command)
    assert (code, out) == (1, ""), err
    told = [line for line in err.splitlines() if not line.startswith("loading ")]
    assert len(told) == 1
    assert told[0].startswith("Error: ")
    assert says in told[0]


def test_the_matrix_has_every_command():
    # `ui` goes on until it is stopped: it has tests of its own.
    assert {command[0] for command in ALL} | {"init", "ui"} == set(main.commands)


@pytest.mark.parametrize("command", ALL, ids=BY_NAME)
def test_without_a_store_nothing_is_made(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fails(command, "there is no store at runs.db")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ALL, ids=BY_NAME)
def test_an_empty_file_stays_empty(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs.db").touch()
    fails(command, "runs.db is empty")
    assert os.listdir(tmp_path) == ["runs.db"]
    assert os.path.getsize("runs.db") == 0


@pytest.mark.parametrize("command", ALL, ids=BY_NAME)
def test_a_file_of_something_else_stays_as_it_is(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs.db").write_bytes(b"%PDF-1.7 and so on")
    fails(command, "is no SQLite database")
    Path("runs.db").unlink()
    with sqlite3.connect("runs.db") as other:
        other.execute("CREATE TABLE recipes(name)")
    other.close()
    before = Path("runs.db").read_bytes()
    fails(command, "is a database of another application")
    assert Path("runs.db").read_bytes() == before


@pytest.mark.parametrize("command", ALL, ids=BY_NAME)
def test_a_store_of_a_newer_enact_is_named(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    library.SQLiteStore("runs.db").close()
    with sqlite3.connect("runs.db") as connection:
        connection.execute("UPDATE meta SET value = '0.9' WHERE key = 'needs'")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    fails(command, "it needs enact 0.9 or newer (pip install -U enact)")


@pytest.mark.parametrize("command", ALL, ids=BY_NAME)
def test_a_store_without_runs_is_no_accident(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    library.SQLiteStore("runs.db").close()
    code, _, err = run(*command)
    assert code in (0, 1)
    assert len(err.splitlines()) <= 2
    if command[0] in ("log", "calls", "status", "inbox", "check", "gc", "compact"):
        assert code == 0


@pytest.mark.parametrize("command", ALL, ids=BY_NAME)
def test_a_directory_and_a_store_in_memory_are_no_files(command, tmp_path):
    code, _, err = run(*command, store=tmp_path)
    assert code == 1
    assert "is a directory without a store" in err
    code, _, err = run(*command, store="memory:")
    assert code == 2
    assert "ends with its program" in err
    code, _, err = run(*command, store="ftp://somewhere")
    assert code == 2
    assert "no store is known at" in err


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_told_in_one_line(place, seed):
    """Bytes that are changed anywhere: no command ends in a traceback."""
    rng = random.Random(seed)
    data = bytearray(Path("runs.db").read_bytes())
    for _ in range(rng.choice((1, 20, 300))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if seed % 5 == 0:
        del data[rng.randrange(100, len(data)) :]
    Path("runs.db").write_bytes(data)
    for name, rest in LOOKING.items():
        code, _, err = run(name, *rest)
        assert code in (0, 1), (name, code)
        assert len([line for line in err.splitlines() if "Error" in line]) <= 1
    assert Path("runs.db").read_bytes() == data


def test_a_damaged_block_is_named_and_the_others_are_shown(place):
    store = library.open_store("runs.db")
    ref = store.tags()["text"]
    with store:
        data = store.load_block(ref.cid)
    store.close()
    raw = Path("runs.db").read_bytes()
    with sqlite3.connect("runs.db") as connection:
        import zlib

        for id, pack in connection.execute("SELECT id, data FROM packs").fetchall():
            text = zlib.decompress(pack, -15)
            if data in text:
                compressor = zlib.compressobj(wbits=-15)
                new = text.replace(data, data[:-1] + b"?")
                packed = compressor.compress(new) + compressor.flush()
                connection.execute(
                    "UPDATE packs SET data = ? WHERE id = ?", (packed, id)
                )
    connection.close()
    assert Path("runs.db").read_bytes() != raw
    code, _, err = run("cat", "text")
    assert code == 1
    assert f"block {ref.id}" in err
    assert "is damaged" in err
    assert run("log")[0] == 0
    code, out, _ = run("check")
    assert code == 1
    assert "What to do:" in out
    assert run("tag")[0] == 0


def test_a_store_that_somebody_begins_to_write_is_not_called_damaged(place):
    def look(*, write: bool) -> None:
        with looking("runs.db"):
            if write:
                with library.SQLiteStore("runs.db") as other:
                    library.commit("something new")
                other.close()
            raise library.CorruptBlock("pages of two times do not go together")

    with pytest.raises(Failure, match="somebody began to write"):
        look(write=True)
    with pytest.raises(library.CorruptBlock):
        look(write=False)
