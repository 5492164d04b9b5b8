# SPDX-License-Identifier: Apache-2.0
"""What the journal knows of runs and calls."""

from __future__ import annotations

import platform

import pytest

import enact


@enact.register(name="journal/ask")
def ask(text):
    if text == "fail":
        raise ValueError(text)
    enact.annotate(usd=0.5, model="tiny")
    return text.upper()


@enact.register(name="journal/poem")
def poem(topic):
    return [ask(topic), ask("sky")]


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        store = enact.InMemoryStore()
    else:
        store = enact.SQLiteStore(tmp_path / "runs.db")
    with store:
        yield store
    store.close()


def test_runs_are_listed_newest_first_and_by_what_is_asked(store):
    first = enact.invoke(poem, ("sea",))
    enact.invoke(poem, ("fail",), wrap_exceptions=True)
    enact.invoke(ask, ("x",))
    store.tag("best", first)
    assert [run.name for run in store.runs()] == [
        "journal/ask", "journal/poem", "journal/poem"
    ]  # fmt: skip
    assert [run.status for run in store.runs(name=poem)] == ["failed", "completed"]
    assert len(store.runs(status="failed")) == 1 and len(store.runs(limit=2)) == 2
    (run,) = store.runs(tag="best")
    assert run.invocation == first and run.tags == ["best"]
    assert store.run(run.id[:-3]) == run and store.runs(since=run.started + 3600) == []
    with pytest.raises(enact.NotFound):
        store.run("nothing")


def test_a_run_knows_where_it_ran(store):
    enact.invoke(poem, ("sea",))
    run = store.runs()[0]
    assert run.meta["python"] == platform.python_version() and run.meta["argv"]
    assert run.packages["apsw"] and run.duration > 0
    git = run.meta.get("git")
    assert git is None or len(git["commit"]) == 40
    store.gc(grace=0)
    assert store.runs()[0].packages == run.packages


def test_calls_tell_what_they_did(store):
    enact.invoke(poem, ("sea",))
    enact.invoke(poem, ("fail",), wrap_exceptions=True)
    calls = list(store.calls(invokable=ask))
    assert [call.status for call in calls] == ["completed", "completed", "failed"]
    assert calls[0].usage == {"usd": 0.5, "model": "tiny"} and calls[2].usage == {}
    assert [call.position for call in calls] == [0, 1, 0]
    assert calls[0].invocation.output == "SEA" and calls[0].code
    run = store.runs(status="completed")[0]
    assert run.usage == {"usd": 1.0} and len(list(store.calls(run=run))) == 3
    assert len(list(store.calls(status="failed", newest_first=True))) == 2


def test_samples_are_all_outcomes_of_a_request(store):
    inv = enact.invoke(poem, ("sky",))
    for _ in range(3):
        inv.rewind(2).replay()
    found = store.samples(inv[0])
    assert len(found) == 8 and {one.output for one in found} == {"SKY"}
    assert store.samples(inv[0].request) == found == store.samples(inv[0].request())
    with pytest.raises(enact.FrameworkError, match="takes a request"):
        store.samples("x")


def test_tags_move_and_go(store):
    store.tag("prompt", "one")
    store.tag("prompt", "two")
    assert store["prompt"] == "two" and list(store.tags()) == ["prompt"]
    store.untag("prompt")
    with pytest.raises(enact.NotFound, match="no tag 'prompt'"):
        store["prompt"]


def test_annotations_are_plain_data_and_no_part_of_the_call(store):
    with pytest.raises(enact.CallError, match="plain data"):
        enact.invoke(enact.register(lambda: enact.annotate(x=object()), name="j/bad"))
    enact.annotate(outside=1)
    with pytest.raises(enact.NoActiveContext):
        enact.current_call()
