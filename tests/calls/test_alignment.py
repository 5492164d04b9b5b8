# SPDX-License-Identifier: Apache-2.0
"""Replays of programs that have changed: which recorded calls still answer."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import enact

RAN: list[object] = []
# What programs depend on without a record of it, as if their code had changed.
SEEN: dict[str, object] = {}


@pytest.fixture(autouse=True)
def store():
    RAN.clear()
    SEEN.clear()
    with enact.InMemoryStore() as store:
        yield store


@enact.register
def leaf(x):
    RAN.append(x)
    return f"{x}:{len(RAN)}"


@enact.register
async def aleaf(x):
    RAN.append(x)
    await asyncio.sleep(0)
    return x + SEEN["mark"]


@enact.register
def fails(x):
    RAN.append(x)
    raise ValueError(x)


@enact.register
async def tasks():
    async def one(names):
        return [await aleaf(x) for x in names]

    return await asyncio.gather(*map(one, SEEN["tasks"]))


def replayed_tasks(*changed):
    """Record ``ab`` and ``cd`` in two tasks, replay others; outputs, what ran."""
    SEEN.update(tasks=["ab", "cd"], mark="1")
    inv = asyncio.run(enact.invoke_async(tasks))
    assert inv.output == [["a1", "b1"], ["c1", "d1"]]
    RAN.clear()
    SEEN.update(tasks=changed, mark="2")
    again = asyncio.run(inv.rewind(0).replay_async(strict=False))
    return again.output, RAN


def test_a_task_that_takes_the_place_of_another_goes_on_with_its_record():
    output, ran = replayed_tasks("cd", "ab")
    assert output == [["c1", "d1"], ["a1", "b1"]] and ran == []


def test_the_record_of_a_task_answers_once():
    output, ran = replayed_tasks("cd", "ab", "ab", "cd")
    assert output == [["c1", "d1"], ["a1", "b1"], ["a2", "b2"], ["c2", "d2"]]
    assert sorted(ran) == ["a", "b", "c", "d"]


def test_a_task_that_begins_in_another_way_finds_the_rest_of_its_record():
    assert replayed_tasks("xab", "d")[1] == ["x"]
    assert replayed_tasks("xc", "abd")[1] == ["x"]


@enact.register
def threads():
    outputs = []
    for names in SEEN["tasks"]:
        thread = threading.Thread(
            target=lambda names=names: outputs.append([leaf(x) for x in names])
        )
        thread.start()
        thread.join()
    return outputs


def test_a_call_that_served_for_a_changed_one_answers_without_a_wait():
    SEEN["tasks"] = ["ab", "cd"]
    inv = enact.invoke(threads)
    RAN.clear()
    SEEN["tasks"] = ["xab", "ycd"]
    start = time.monotonic()
    again = inv.rewind(0).replay(strict=False)
    assert [one[1:] for one in again.output] == inv.output and RAN == ["x", "y"]
    assert time.monotonic() - start < 4


@enact.register
def pair(x):
    leaf(x)
    return fails(x)


@enact.register
def handles(x):
    try:
        pair(x)
    except ValueError:
        return [leaf("handled")]


def test_what_a_program_handled_is_not_tried_again_where_nothing_may_run():
    inv = enact.invoke(handles, (1,))
    RAN.clear()
    again = inv.replay(live="forbid")
    assert again == inv and again.verdicts() == {} and RAN == []


def test_a_difference_after_a_handled_failure_is_still_an_error():
    @enact.register(name="alignment/goes_on")
    def goes_on(x):
        handles(x)
        return leaf(SEEN.get("next", 1))

    inv = enact.invoke(goes_on, (1,))
    SEEN["next"] = 2
    with pytest.raises(enact.ReplayError, match="left the record"):
        inv.replay(live="forbid")


def test_an_edited_outcome_stands_where_nothing_may_run():
    inv = enact.invoke(handles, (1,))
    edited = inv.edit("0", output="fine").replay(
        live="forbid", on_code_change="reuse", strict=False
    )
    assert edited[0].output == "fine" and edited.verdicts() == {"0": "edited"}


def test_what_a_replay_did_not_come_to_answers_a_later_one():
    @enact.register(name="alignment/stops")
    def stops():
        if "stop" in SEEN:
            raise ValueError("stopped")
        return [leaf(1), leaf(2)]

    inv = enact.invoke(stops)
    SEEN["stop"] = True
    stopped = inv.rewind(0).replay(wrap_exceptions=True)
    assert stopped.status == "failed" and not stopped.children
    SEEN.clear()
    RAN.clear()
    assert stopped.replay().output == inv.output and RAN == []


def test_the_verdict_on_an_edited_call_has_its_path_in_tasks():
    SEEN.update(tasks=["ab", "cd", "ef"], mark="")
    inv = asyncio.run(enact.invoke_async(tasks))
    for n, view in enumerate(inv.children):
        again = asyncio.run(inv.edit(view, output="new").replay_async())
        assert again.verdicts() == {str(n): "edited"}
        assert again[n].output == "new"


def test_a_failed_call_with_new_code_drops_what_followed_it():
    cell = ["code", "old"]

    @enact.register(name="alignment/step")
    def step(x, version=cell):
        leaf(x)
        return fails(x)

    @enact.register(name="alignment/cleans up")
    def program():
        try:
            return step(1)
        finally:
            leaf("clean up")

    inv = enact.invoke(program, wrap_exceptions=True)
    assert inv.status == "failed"
    RAN.clear()
    step.__wrapped__.__defaults__ = (["code", "new"],)
    again = inv.replay(wrap_exceptions=True)
    assert again.verdicts()["0"] == "rerun: code changed"
    assert RAN == [1, "clean up"]
