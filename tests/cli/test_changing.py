# SPDX-License-Identifier: Apache-2.0
"""Commands that change a store, and run no program."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import enact as library


def test_tags_are_given_moved_and_taken_away(enact, data):
    ref = data("log")[-1]["ref"]
    assert enact("tag", "best", "handled").stdout == f"best is {ref}\n"
    assert {one["tag"] for one in data("tag")} == {"best", "handled", "many", "text"}
    taken = enact("tag", "best", "many")
    assert taken.exit_code == 1
    assert "--force moves it" in taken.stderr
    assert enact("tag", "best", "many", "--force").exit_code == 0
    assert enact("tag", "best", "many").exit_code == 0  # it is so already
    assert enact("tag", "--delete", "best").exit_code == 0
    gone = enact("tag", "--delete", "best")
    assert gone.exit_code == 1
    assert "there is no tag 'best'" in gone.stderr


def test_names_that_would_mean_something_else_are_no_tags(enact):
    for name in ("@latest", "bafyreiabc", "a" * 24, "a/1", "a/", " ", "a\x1b[31m"):
        result = enact("tag", name, "handled")
        assert result.exit_code == 2, name
        assert "\x1b" not in result.stderr
    assert enact("tag", "name").exit_code == 2
    assert enact("tag", "--delete", "name", "handled").exit_code == 2


def test_the_inbox_lists_questions_and_answer_takes_them_off(data, enact):
    (question,) = data("inbox")
    assert question["context"] == "Title?"
    assert question["type"] == "str"
    assert question["for_value"] == {"$": "shop_app:Order", "note": "", "amount": 5}
    assert "Title?" in enact("inbox").stdout
    done = enact("answer", question["run"][:20], "A fine title")
    assert done.exit_code == 0
    assert f"`enact resume {question['run']}` goes on" in done.stdout
    assert data("inbox") == []
    again = enact("answer", question["run"], "Another")
    assert again.exit_code == 1
    assert "waits for no answer" in again.stderr


def test_a_question_can_be_declined_once(enact, data):
    path = data("inbox")[0]["path"]
    assert enact("answer", f"@latest/{path}", "--decline", "no idea").exit_code == 0
    assert enact("answer", "--decline", "again").exit_code == 1


def test_an_answer_from_a_file_and_from_standard_input(enact, place):
    store = library.open_store(place / "runs.db", read_only=True)
    run = store.runs(status="paused")[0].id
    store.close()
    assert enact("answer", "--file", "-", input="From far\n").exit_code == 0
    store = library.open_store(place / "runs.db", read_only=True)
    text = store.backend.entries("question", run)[run]
    answer = next(iter(json.loads(text).values()))["answer"]
    assert store.checkout(library.Ref.from_id(answer)) == "From far"
    store.close()


def test_an_answer_needs_a_question_and_a_value(enact):
    assert enact("answer", "handled", "yes").exit_code == 1
    assert "nobody is here to ask" in enact("answer").stderr
    assert enact("answer", "@latest", "yes", "--decline", "no").exit_code == 2
    assert "asks at" in enact("answer", "@latest/77", "yes").stderr


def test_rewind_and_edit_give_recordings_to_go_on_from(data, enact):
    whole = data("show", "handled")
    assert [call["path"] for call in whole["calls"]] == ["", "0", "1"]
    ref = data("rewind", "handled", "--tag", "less")["ref"]
    less = data("show", "less")["calls"]
    assert [call["path"] for call in less] == ["", "0"]
    assert less[0]["status"] == "incomplete"
    assert less[0]["ref"] == ref
    assert data("rewind", "handled/1")["ref"] == ref
    assert len(data("show", data("rewind", "handled", "-n", "0")["ref"])["calls"]) == 3
    edited = data("edit", "handled/1", "--output", "7")["ref"]
    calls = data("show", edited)["calls"]
    assert (calls[2]["output"], calls[2]["verdict"]) == (7, "edited")
    raised = data("edit", "handled/0", "--raises", "KeyError: gone")["ref"]
    assert data("show", raised)["calls"][1]["raised"]["type"] == "KeyError"
    text = data("edit", "handled", "--text", "[1]")["ref"]
    assert data("cat", text) == "[1]"
    assert data("show", "handled") == whole


def test_edits_that_cannot_be_made(enact):
    assert "give one of" in enact("edit", "handled/1").stderr
    assert "it is no JSON" in enact("edit", "handled/1", "--output", "{").stderr
    assert "is no exception" in enact("edit", "handled/1", "--raises", "int: 3").stderr
    assert enact("edit", "handled/1", "--raises", "NoSuch: 3").exit_code == 2
    assert "is no run and no call" in enact("edit", "text", "--text", "x").stderr
    assert enact("rewind", "handled/1", "-n", "1").exit_code == 2


def test_care_for_a_store(enact, data, place):
    assert data("check")["ok"]
    assert data("gc")["blocks"] == 0
    assert enact("tag", "--delete", "text").exit_code == 0
    assert data("gc", "--grace", "0")["blocks"] > 0
    assert enact("compact").exit_code == 0
    assert data("backup", "copy.db")["bytes"] == os.path.getsize("copy.db")
    again = enact("backup", "copy.db")
    assert again.exit_code == 1
    assert "copy.db" in again.stderr
    assert "handled" in enact("tag", "--store", "copy.db").stdout
    assert "is in order" in enact("check").stdout


def test_purge_takes_a_value_away_for_good(enact, data):
    asked = enact("purge", "text")
    assert asked.exit_code == 2
    assert "--yes" in asked.stderr
    assert "--part" in enact("purge", "handled", "--yes").stderr
    assert enact("purge", "text", "--part", "input", "--yes").exit_code == 2
    ref = data("purge", "text", "--yes", "--why", "private")["purged"]
    gone = enact("cat", ref)
    assert gone.exit_code == 1
    assert "was purged" in gone.stderr
    assert "private" in gone.stderr
    assert enact("purge", "handled", "--part", "output", "--yes").exit_code == 0
    assert enact("cat", "handled").exit_code == 1
    assert enact("log").exit_code == 0
    assert "handle(" in enact("log", "--name", "handle").stdout


def test_init_makes_a_store_once(tmp_path, monkeypatch):
    from tests.cli.conftest import run

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENACT_STORE", raising=False)
    assert run("init").stdout == "made .enact/enact.db\n"
    assert Path(".enact/.gitignore").read_text() == "*\n"
    assert stat.S_IMODE(os.stat(".enact/enact.db").st_mode) == 0o600
    assert run("init").stdout == "there already: .enact/enact.db\n"
    assert json.loads(run("status", "--json").stdout)["runs"] == {}
    assert run("status", "--store", str(tmp_path)).exit_code == 0
    Path("other.db").write_text("text")
    assert run("init", "--store", "other.db").exit_code == 1
    assert run("init", "--store", ".").exit_code == 1


def test_export_is_json_with_all_calls(enact, data, place):
    assert (
        enact("export", "many", "many.json").stdout == "wrote 301 calls to many.json\n"
    )
    found = json.loads(Path("many.json").read_text("utf-8"))
    assert found["enact"] == "calls/1"
    assert found["name"] == "shop_app:many"
    assert len(found["calls"]) == 301
    assert found["calls"][300]["path"] == "299"
    assert found["calls"][300]["usage"] == {"usd": 0.5, "model": "m-1"}
    assert enact("export", "many", "many.json").exit_code == 1
    assert enact("export", "handled", "many.json", "--force").exit_code == 0
    assert enact("export", "handled", "no/such/place.json").exit_code == 1
    assert enact("export", "text", "text.json").exit_code == 1
    assert not [name for name in os.listdir(place) if "part" in name or "text" in name]
