# SPDX-License-Identifier: Apache-2.0
"""Commands that only look: what they print, and that they change nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import enact as library


def test_log_lists_runs_newest_first(lines):
    printed = lines("log")
    assert printed[0].split() == [
        "RUN",
        "STARTED",
        "TOOK",
        "STATUS",
        "HOW",
        "TAGS",
        "CALL",
    ]
    calls = [line.split("  ")[-1].strip() for line in printed[1:]]
    names = "asks login many tasks cut broken handle handle handle"
    assert [call.split("(")[0] for call in calls] == names.split(" ")
    assert "interrupted" in printed[5]
    assert "raised ValueError: no \\nfor 4" in printed[6]
    assert calls[-1] == ("handle(Order(note='tea', amount=3)) = 'done\\x1b[31m for 6'")


def test_log_filters(lines, data):
    def names(*filters):
        return [run["name"].partition(":")[2] for run in data("log", *filters)]

    assert names("--name", "handle") == ["handle"] * 3
    assert names("--name", "shop_app:tasks") == ["tasks"]
    assert names("--name", "?an*e", "-n", "0") == ["handle"] * 3
    assert names("--status", "failed") == ["broken"]
    assert names("--status", "interrupted") == ["cut"]
    assert names("--status", "running") == []
    assert names("--tag", "many") == ["many"]
    assert names("--text", "DONE", "-n", "1") == ["handle"]
    assert names("-n", "2") == ["asks", "login"]
    assert names("--since", "1h", "--name", "cut") == ["cut"]
    assert names("--until", "1h") == []
    assert names("--since", "2999-01-01") == []


def test_log_as_json_is_one_array_with_everything(data):
    runs = data("log", "-n", "0")
    assert len(runs) == 9
    handled = runs[-1]
    assert handled["tags"] == ["handled"]
    assert handled["input"] == {
        "args": [{"$": "shop_app:Order", "note": "tea", "amount": 3}],
        "kwargs": {},
    }
    assert handled["output"] == "done\x1b[31m for 6"
    assert runs[-2]["how"] == "replay"
    assert runs[-2]["derived_from"] == handled["ref"]
    assert runs[-4]["raised"]["type"] == "ValueError"


def test_show_is_a_tree_with_durations_and_usage(lines):
    printed = lines("show", "handled")
    head = dict(line.split(maxsplit=1) for line in printed[: printed.index("")])
    assert head["run"].endswith("completed")
    assert head["tags"] == "handled"
    assert head["usage"] == "usd 0.5"
    tree = printed[printed.index("") + 1 :]
    assert [line.split()[0] for line in tree] == [".", "0", "1"]
    assert tree[1].endswith("refuse(Order(note='tea', amount=3)) raised ValueError:"
                            " no tea\\nfor 3")  # fmt: skip
    assert tree[2].endswith("price(3) = 6  [model m-1, usd 0.5]")
    assert " us  " in tree[2]


def test_show_tells_why_the_calls_of_a_replay_ran(data):
    edited = data("log", "--name", "handle")[0]["run"]
    calls = data("show", edited)["calls"]
    assert [call["verdict"] for call in calls] == ["resumed", "reused", "edited"]
    assert calls[0]["duration"] is not None
    assert calls[1]["duration"] is None


def test_show_leaves_out_what_is_too_much(lines):
    tree = lines("show", "many")
    assert tree[-1].strip() == "... 200 more (--children 0 shows all)"
    assert len(lines("show", "many", "--children", "0")) == len(tree) + 199
    assert "price" not in "".join(lines("show", "many", "--depth", "0"))
    assert len(lines("show", "many", "--children", "3")) == len(tree) - 97


def test_show_filters_by_name_at_any_depth(data):
    found = data("show", "many", "--name", "price", "--children", "2")["calls"]
    assert [call["path"] for call in found] == ["0", "1"]
    assert found[1]["usage"] == {"usd": 0.5, "model": "m-1"}


def test_show_of_a_call_within_a_run(lines, data):
    assert lines("show", "handled/1")[0].startswith("call ")
    call = data("show", "many/250")["calls"][0]
    assert call["path"] == "250"
    assert call["usage"] == {"usd": 0.5, "model": "m-1"}
    assert call["input"]["args"] == [250 % 7]


def test_show_of_a_run_that_was_cut_off_shows_what_is_there(lines):
    tree = lines("show", lines("log", "--name", "cut")[1].split()[0])
    assert tree[0].endswith("interrupted")
    for line, call in zip(tree[-2:], ("price(0) = 0", "price(1) = 2"), strict=True):
        assert line.endswith(f"{call}  [model m-1, usd 0.5]")


def test_names_are_tags_runs_refs_and_their_beginnings(data, enact):
    run = data("log")[-1]
    ref = run["ref"]
    for name in ("handled", run["run"], run["run"][:22], ref, ref[:16]):
        assert data("show", name)["calls"][0]["ref"] == ref
        assert data("show", f"{name}/1")["calls"][0]["name"] == "shop_app:price"
    assert data("show", "@latest")["name"] == "shop_app:asks"
    several = enact("show", run["run"][:3])
    assert several.exit_code == 1
    assert "9 runs begin with" in several.stderr
    none = enact("show", "nonsense")
    assert none.exit_code == 1
    assert "nothing is called 'nonsense'" in none.stderr
    several = enact("show", "bafyrei")
    assert "several refs begin with bafyrei" in several.stderr
    assert "no call 9 in" in enact("show", "handled/9").stderr
    assert "no calls in it" in enact("show", "text/0").stderr
    assert "no ref in this store begins" in enact("cat", "bafyreiaaaaaaaaaaaa").stderr
    assert "is no beginning of a ref" in enact("cat", "bafyrei0189").stderr


def test_a_tag_with_slashes_is_a_name(lines, data):
    lines("tag", "best/of/all", "handled")
    assert data("show", "best/of/all/1")["calls"][0]["name"] == "shop_app:price"


def test_cat_prints_text_as_it_is_and_shows_control_characters(lines):
    assert lines("cat", "text") == ["Two", "lines\\x07"]
    assert lines("cat", "handled") == ["done\\x1b[31m for 6"]


def test_cat_of_parts_of_a_call(lines, data, enact):
    assert lines("cat", "handled/0") == [
        "ValueError: no tea",
        "for 3",
        "  __main__:49 in refuse",
    ]
    assert data("cat", "handled/1", "--part", "input")["args"] == [3]
    assert data("cat", "handled", "--part", "all")["$"] == "enact/Invocation"
    assert enact("cat", "handled/0", "--part", "output").exit_code == 1
    assert enact("cat", "text", "--part", "output").exit_code == 2


def test_credentials_are_shown_nowhere(enact):
    secret = "sk-proj-abcdefghijkl1234567890"
    run = json.loads(enact("log", "--name", "login", "--json").stdout)[0]["run"]
    for command in (
        ("log",), ("log", "--json"), ("show", run), ("show", run, "--json"),
        ("cat", run), ("cat", run, "--json"), ("calls",), ("calls", "--json"),
        ("samples", run), ("export", run, "-"), ("diff", run, "handled"),
        ("diff", run, "handled", "--json"), ("source", run), ("source", run, "--json"),
    ):  # fmt: skip
        assert secret not in enact(*command).output, command
    assert "[redacted:" in enact("cat", run).stdout


def test_diff_aligns_calls_and_folds_what_is_equal(lines, data, enact):
    edited = data("log", "--name", "handle")[0]["run"]
    printed = lines("diff", "handled", edited)
    assert printed[3].startswith("~ .")
    assert "        -done\\x1b[31m for 6" in printed
    assert "        +done\\x1b[31m for 70" in printed
    assert any(line.startswith("= 0") and "1 equal call" in line for line in printed)
    kinds = [call["kind"] for call in data("diff", "handled", edited)["calls"]]
    assert kinds == ["changed", "same", "changed"]
    assert data("diff", "handled", "handled")["equal"]
    assert enact("diff", "handled", "handled", "--exit-code").exit_code == 0
    assert enact("diff", "handled", edited, "--exit-code").exit_code == 1


def test_diff_shows_code_that_differs(lines, data):
    failed = data("log", "--name", "broken")[0]["run"]
    printed = lines("diff", "handled", failed)
    code = printed[printed.index("code") :]
    assert "+def broken(order: Order) -> str:" in code
    assert "-def handle(order: Order) -> str:" in code


def test_diff_of_values(lines):
    lines("tag", "answer", "handled")
    assert lines("diff", "text", "answer")[0].startswith("-")


def test_calls_are_listed_newest_first_with_their_places(lines, data):
    printed = lines("calls", "--status", "failed")
    assert "refuse" in printed[1]
    assert printed[1].split()[0].endswith("/1")
    assert [call["path"] for call in data("calls", "--run", "handled")] == [
        "1",
        "0",
        "",
    ]
    assert len(data("calls", "--name", "price", "-n", "0")) == 300 + 1 + 1 + 2
    assert len(data("calls", "--name", "price")) == 20
    found = data("calls", "--name", "*a*", "-n", "0", "--since", "1d")
    assert {call["name"] for call in found} > {"shop_app:many", "shop_app:part"}
    assert data("calls", "--text", "for 70")[0]["verdict"] == "resumed"
    assert data("calls", "--name", "RequestInput")[0]["status"] == "paused"


def test_samples_are_all_outcomes_of_a_request(data, enact):
    drawn = data("samples", "handled/1")
    assert {one["output"] for one in drawn} == {6}
    assert len(drawn) == 1 + 43  # once by itself; 3 comes 43 times in 300 by 7
    assert len(data("samples", drawn[0]["request"], "-n", "5")) == 5
    assert enact("samples", "text").exit_code == 1


def test_source_is_the_version_that_ran(lines, data, enact):
    text = "\n".join(lines("source", "handled"))
    assert text.startswith("@enact.register\ndef handle(order: Order) -> str:")
    assert "class Order:" in text
    assert "class Order:" not in "\n".join(lines("source", "handled", "--alone"))
    assert data("source", "handled/1")["name"] == "shop_app:price"
    assert enact("source", "text").exit_code == 1
    assert "part of enact" in enact("source", "@latest/0").stderr


def test_status_says_what_is_in_the_store(data, lines):
    found = data("status")
    assert found["runs"] == {
        "completed": 6, "failed": 1, "interrupted": 1, "paused": 1,
    }  # fmt: skip
    assert found["questions"] == 1
    assert found["tags"] == 3
    assert found["calls"] > 300
    assert found["bytes"] > 10_000
    assert any("enact inbox" in line for line in lines("status"))


def test_looking_loads_no_program_and_changes_nothing(place, enact):
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in place.iterdir()}
    run = json.loads(enact("log", "--json").stdout)[0]["run"]
    for command in (
        ("log",), ("show", run), ("show", "many", "--children", "0"), ("cat", "text"),
        ("diff", "handled", "many"), ("calls",), ("samples", "handled/1"),
        ("source", "handled"), ("status",), ("inbox",), ("tag",), ("check",),
        ("export", "handled", "-"),
    ):  # fmt: skip
        assert enact(*command).exit_code == 0, command
    after = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in place.iterdir()}
    assert after == before
    assert "shop_app" not in sys.modules


def test_an_empty_store_has_nothing_to_show(place, enact):
    library.SQLiteStore(place / "empty.db").close()
    for command in ("log", "calls", "inbox", "tag"):
        result = enact(command, "--store", "empty.db")
        assert (result.exit_code, result.stdout) == (0, "")
        assert enact(command, "--store", "empty.db", "--json").stdout == "[]\n"
    for command in ("show", "source"):
        result = enact(command, "--store", "empty.db")
        assert result.exit_code == 1
        assert "there are no runs in this store yet" in result.stderr


@pytest.mark.parametrize("time", ["soon", "2 fortnights", "2026-13-01"])
def test_what_is_no_time_is_a_mistake(enact, time):
    result = enact("log", "--since", time)
    assert result.exit_code == 2
    assert "is no time" in result.stderr


KILLED = """
import os, signal, sys
import enact
from shop_app import price

@enact.register(name="test_looking/killed")
def killed(n):
    for i in range(n):
        if i == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        price(i)

with enact.SQLiteStore(sys.argv[1]) as store:
    store.tag("text", "there")
    enact.invoke(killed, (9,))
"""


def test_what_a_killed_program_left_is_seen_and_left_alone(place, enact):
    (place / "killed").mkdir()
    command = [sys.executable, "-c", KILLED, "killed/runs.db"]
    subprocess.run(command, check=False, timeout=60)

    def state():
        found = (place / "killed").iterdir()
        return {p.name: p.read_bytes() for p in found if not p.name.endswith("-shm")}

    before = state()
    assert len(before) > 3
    for command in (
        ("log",), ("show",), ("cat", "text"), ("calls",),
        ("samples", "@latest/0"), ("status",), ("inbox",), ("tag",), ("check",),
        ("export", "@latest", "-"), ("diff", "@latest/0", "@latest/1"),
    ):  # fmt: skip
        result = enact(*command, "--store", "killed/runs.db")
        assert result.exit_code == 0, result.output
    shown = enact("show", "--store", "killed/runs.db").stdout
    assert "interrupted" in shown
    assert "price(2) = 4" in shown
    assert state() == before


SEARCHED = """
import sys
import enact

@enact.register(name="test_looking/throw")
def throw():
    return enact.current_call().draw

with enact.SQLiteStore(sys.argv[1]) as store:
    enact.search.run(throw, score=float, strategy="best_of(n=4)")
"""


def test_a_search_is_one_run(place, enact):
    command = [sys.executable, "-c", SEARCHED, "searched.db"]
    subprocess.run(command, check=True, timeout=60)

    def runs(*options):
        found = enact("log", "--store", "searched.db", "--json", *options).stdout
        return [run["name"] for run in json.loads(found)]

    assert runs() == ["enact/search"] == runs("-n", "1")
    assert len(runs("--all")) > 4
    latest = json.loads(enact("show", "--store", "searched.db", "--json").stdout)
    assert latest["name"] == "enact/search"


def test_what_a_killed_program_was_called_with_is_listed(place, enact):
    command = [sys.executable, "-c", KILLED, "killed.db"]
    subprocess.run(command, check=False, timeout=60)
    assert enact("log", "--store", "killed.db").stdout.endswith("killed(9)\n")
    running = enact("calls", "--status", "running", "--store", "killed.db").stdout
    assert "killed(9)" in running
