# SPDX-License-Identifier: Apache-2.0
"""Commands that load the program and run it, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def said(done) -> str:
    """The last line on standard error."""
    return done.stderr.splitlines()[-1]


def test_a_replay_reuses_what_is_recorded(program):
    done = program("replay", "handled", "--app", "shop_app", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "loading shop_app (from --app)\n"
    found = json.loads(done.stdout)
    assert found["status"] == "completed"
    assert found["verdicts"] == {}
    assert found["output"] == "done\x1b[31m for 6"


def test_the_program_is_found_through_pyproject(program, place):
    (place / "pyproject.toml").write_text('[tool.enact]\napp = "shop_app"\n')
    below = place / "below"
    below.mkdir()
    done = program("replay", "handled", "--store", "../runs.db", cwd=below)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "loading shop_app (from pyproject.toml)\n"
    assert "completed" in done.stdout
    assert "all reused" in done.stdout


def test_without_a_program_nothing_can_run(enact):
    for command in ("replay", "preview", "resume", "affected"):
        done = enact(command)
        assert done.exit_code == 2
        assert "say with --app which module to load" in done.stderr


@pytest.mark.parametrize(
    ("app", "told"),
    [
        ("nothing_here", "there is no module nothing_here"),
        ("nothing.py", "there is no file"),
        ("exits", "ended with sys.exit(3)"),
        ("raises", "loading raises failed: ZeroDivisionError: division by zero"),
        ("needs.py", "No module named 'no_such_thing'"),
    ],
)
def test_a_program_that_cannot_be_loaded(enact, monkeypatch, app, told):
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("exits.py").write_text("import sys; sys.exit(3)")
    Path("raises.py").write_text("1 / 0")
    Path("needs.py").write_text("import no_such_thing")
    done = enact("replay", "handled", "--app", app)
    assert done.exit_code == 1
    assert told in done.stderr


def test_a_project_file_that_cannot_be_read(enact):
    for text, told in (
        ("[tool.enact", "cannot be read"),
        ("[tool.enact]\napp = 3", "must be the name of a module"),
        ("[tool.other]\napp = 3", "say with --app"),
    ):
        Path("pyproject.toml").write_text(text)
        assert told in enact("replay", "handled").stderr


def test_a_run_of_another_program_names_what_is_missing(program):
    done = program("replay", "handled", "--app", "json")
    assert done.returncode == 1
    assert "shop_app:handle" in said(done)
    assert "Traceback" not in done.stderr


def test_preview_then_rewind_then_replay(program, data):
    data("rewind", "handled/1", "--tag", "less")
    done = program("preview", "less", "--app", "shop_app.py")
    assert done.returncode == 0, done.stderr
    assert "1 call would run" in done.stdout
    assert done.stdout.splitlines()[-1].split()[0] == "1"
    runs = len(data("log", "-n", "0"))
    done = program("replay", "less", "--app", "shop_app", "--json")
    assert json.loads(done.stdout)["verdicts"] == {"1": "new"}
    assert len(data("log", "-n", "0")) == runs + 1


def test_an_edit_is_replayed_at_once(program, data):
    done = program(
        "edit", "handled/1", "--output", "70", "--replay", "--app", "shop_app"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\ndone\\x1b[31m for 70\n")


def test_a_program_that_fails_is_told_in_one_line(program, data):
    failed = data("log", "--name", "broken")[0]["run"]
    done = program("replay", failed, "--app", "shop_app")
    assert done.returncode == 1
    assert "ValueError: no" in done.stdout
    assert "Traceback" not in done.stderr
    done = program("replay", failed, "--app", "shop_app", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["raised"]["type"] == "ValueError"


def test_code_that_changed(program, place):
    text = Path("shop_app.py").read_text("utf-8")
    Path("shop_app.py").write_text(text.replace("2 * amount", "3 * amount"))
    done = program("affected", "--app", "shop_app", "--json")
    (found,) = json.loads(done.stdout)
    assert found["name"] == "shop_app:price"
    assert found["calls"] == 304
    assert len(found["runs"]) >= 5
    assert "price" in program("affected", "--app", "shop_app").stdout
    preview = program("preview", "handled", "--app", "shop_app", "--json")
    calls = json.loads(preview.stdout)["calls"]
    assert ["1", "rerun: code changed"] in [[c["path"], c["verdict"]] for c in calls]
    done = program("replay", "handled", "--app", "shop_app", "--forbid-live")
    assert done.returncode == 1
    assert "price" in said(done)
    reuse = ("--on-code-change", "reuse", "--json")
    done = program("replay", "handled", "--app", "shop_app", *reuse)
    assert json.loads(done.stdout)["output"] == "done\x1b[31m for 6"
    done = program("replay", "handled", "--app", "shop_app", "--json")
    assert json.loads(done.stdout)["output"] == "done\x1b[31m for 9"


def test_resuming_what_was_cut_off(program, data, place):
    run = data("log", "--name", "cut")[0]["run"]
    done = program("resume", run, "--app", "shop_app")
    assert done.returncode == 1
    assert "interrupted" in said(done)
    Path("go-on").touch()
    done = program("resume", run, "--app", "shop_app")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "20"
    assert data("show", run)["status"] == "completed"
    done = program("resume", run, "--app", "shop_app")
    assert done.returncode == 1
    assert "came to its end" in said(done)


def test_async_programs_run_too(program, data):
    run = data("log", "--name", "tasks")[0]["run"]
    done = program("rewind", f"{run}/1", "--replay", "--app", "shop_app", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == 3
    done = program("preview", run, "--app", "shop_app", "--json")
    assert json.loads(done.stdout)["calls"] == []


def test_answers_lead_a_run_to_its_end(program, data):
    run = data("inbox")[0]["run"]
    resume = ("--resume", "--app", "shop_app")
    done = program("answer", run, "A title", *resume)
    assert done.returncode == 0, done.stderr
    assert "1 question waits" in done.stdout
    (question,) = data("inbox")
    assert question["context"] == "Which tone?"
    assert question["type"] == "Tone"
    wrong = program("answer", run, "LOUD", *resume)
    assert wrong.returncode == 1
    assert "is no Tone" in said(wrong)
    unknown = program("answer", run, "WARM")
    assert unknown.returncode == 1
    assert "--app" in said(unknown)
    done = program("answer", run, "WARM", *resume)
    assert done.stdout.splitlines()[-1] == "A title, warm"


def test_what_the_program_prints_does_not_get_into_the_json(program, data):
    text = Path("shop_app.py").read_text("utf-8")
    loud = text.replace("    try:\n", "    print('hi')\n    try:\n", 1)
    Path("shop_app.py").write_text(loud)
    done = program("replay", "handled", "--app", "shop_app", "--json")
    assert "hi" in done.stderr
    assert json.loads(done.stdout)["status"] == "completed"


SEARCH = """
import enact

@enact.register
def throw() -> int:
    return enact.current_call().draw

@enact.register
def high(number: int) -> float:
    return float(number)

if __name__ == "__main__":
    with enact.SQLiteStore("searched.db") as store:
        enact.search.run(throw, score=high, strategy="best_of(n=4)")
"""


def test_what_a_search_found(program, place):
    (place / "dice.py").write_text(SEARCH)
    subprocess.run([sys.executable, "dice.py"], check=True, timeout=60)
    before = (place / "searched.db").read_bytes()
    search = ("search", "show", "--app", "dice", "--store", "searched.db")
    found = json.loads(program(*search, "--json").stdout)
    assert found["score"] == 3
    assert found["best"]["output"] == 3
    assert {node["kind"] for node in found["nodes"]} == {"open", "complete"}
    assert "best  3" in program(*search).stdout
    assert (place / "searched.db").read_bytes() == before
    other = program("search", "show", "handled", "--app", "dice")
    assert other.returncode == 1
    assert "not a search" in said(other)
