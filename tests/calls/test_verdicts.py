# SPDX-License-Identifier: Apache-2.0
"""What a replay reuses, what it runs, and why it says so."""

from __future__ import annotations

import asyncio

import pytest

import enact

RAN: list[object] = []
WORDS: list[str] = []
CHANGED = "rerun: code changed"


@pytest.fixture(autouse=True)
def start_afresh():
    RAN.clear()


@pytest.fixture
def store():
    with enact.InMemoryStore() as store:
        yield store


def define(source, **given):
    """Defines functions from source text, as a notebook cell does."""
    space = {"enact": enact, "RAN": RAN, "__name__": "cell", **given}
    import linecache

    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), space)
    return space


LEAVES = """
@enact.register(name="v/one")
def one(x):
    RAN.append(f"one {x}")
    return x + 1

@enact.register(name="v/two")
def two(x):
    RAN.append(f"two {x}")
    return x * 2
"""
MIDDLE = """
@enact.register(name="v/middle")
def middle(x):
    RAN.append(f"middle {x}")
    return one(x) + two(x)
"""
PROGRAM = """
@enact.register(name="v/program")
def program():
    return [middle(1), two(5), middle(2)]
"""


def cells(**changes):
    space = {}
    for name, source in (("leaves", LEAVES), ("middle", MIDDLE), ("program", PROGRAM)):
        for old, new in changes.get(name, []):
            assert old in source
            source = source.replace(old, new)
        space = define(source, **space)
    return space


def test_unchanged_code_runs_nothing(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    cells()  # the same cells again
    again = inv.replay()
    assert again == inv and RAN == [] and again.verdicts() == {}


def test_only_calls_whose_code_or_request_changed_run(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    cells(leaves=[("x * 2", "2 * x")])
    again = inv.replay()
    assert again.output == inv.output
    assert RAN == ["middle 1", "two 1", "two 5", "middle 2", "two 2"]
    assert again.verdicts() == {
        "": CHANGED, "0": CHANGED, "0/1": CHANGED, "1": CHANGED, "2": CHANGED,
        "2/1": CHANGED,
    }  # fmt: skip


def test_a_changed_parent_reuses_its_children(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    cells(middle=[("one(x) + two(x)", "one(x) - two(x) + one(7)")])
    again = inv.replay()
    assert RAN == ["middle 1", "one 7", "middle 2", "one 7"]
    assert again.verdicts()["0/2"] == "new"


def test_helpers_and_constants_count_as_code(store):
    source = """
PROMPT = "a line about {}"

def polish(text):
    return text.strip()

@enact.register(name="v/helped")
def helped(x):
    RAN.append(x)
    return polish(PROMPT.format(x))
"""
    inv = enact.invoke(define(source)["helped"], ("sea",))
    for old, new in (("a line", "two lines"), ("strip()", "strip().title()")):
        RAN.clear()
        define(source.replace(old, new))
        assert inv.replay().verdicts() == {"": CHANGED} and RAN == ["sea"]
    RAN.clear()
    define(source.replace("def polish", "\n# a comment\ndef polish"))
    assert inv.replay() == inv and RAN == []


def test_policies_for_changed_code(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    cells(leaves=[("x * 2", "x * 3")])
    assert inv.replay(on_code_change="reuse") == inv and RAN == []
    with pytest.raises(enact.ReplayError, match="the code of 'v/two'"):
        inv.replay(on_code_change="error")
    assert RAN == []
    with pytest.raises(enact.CallError, match="on_code_change='never'"):
        inv.replay(on_code_change="never")


@pytest.mark.parametrize(
    ("old", "new", "live"),
    [
        ("[middle(1),", "[two(9), middle(1),", ["two 9"]),
        ("[middle(1), two(5),", "[two(5),", []),
        ("[middle(1), two(5), middle(2)]", "[middle(2), two(5), middle(1)]", []),
        ("two(5)", "two(5), two(5)", ["two 5"]),
        ("middle(2)", "middle(3)", ["middle 3", "one 3", "two 3"]),
        ("[middle(1), two(5)", "[two(5), middle(1), one(1)", ["one 1"]),
    ],
)
def test_calls_inserted_removed_or_moved_do_not_disturb_others(store, old, new, live):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    space = cells(program=[(old, new)])
    again = inv.replay()
    assert live == RAN
    RAN.clear()
    assert again.output == enact.invoke(space["program"]).output


def test_tasks_inserted_or_removed_do_not_disturb_others(store):
    source = """
import asyncio

@enact.register(name="v/step")
async def step(x):
    RAN.append(x)
    await asyncio.sleep(0)
    return x

async def work(name):
    return [await step(f"{name}{n}") for n in range(3)]

@enact.register(name="v/tasks")
async def tasks():
    return await asyncio.gather(work("a"), work("b"), work("c"))
"""
    inv = asyncio.run(enact.invoke_async(define(source)["tasks"]))
    for old, new, live in (
        ('work("a"), ', 'work("new"), work("a"), ', ["new0", "new1", "new2"]),
        ('work("a"), ', "", []),
        ('work("a"), work("b")', 'work("b"), work("a")', []),
    ):
        RAN.clear()
        define(source.replace(old, new))
        again = asyncio.run(inv.replay_async())
        assert live == RAN, (old, new)
        assert again.successful()


def test_an_edit_runs_only_what_depends_on_it(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    again = inv.edit("0/0", output=100).replay()
    assert again.output == [102, 10, 7] and RAN == ["middle 1"]
    assert again.verdicts() == {"0/0": "edited"}


def test_a_regression_test_runs_the_code_around_and_no_leaf(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    assert inv.replay(live="forbid") == inv
    assert RAN == ["middle 1", "middle 2"]
    cells(middle=[("one(x) + two(x)", "two(x) + one(x)")])
    assert inv.replay(live="forbid").output == inv.output
    cells(program=[("two(5)", "two(6)")])
    with pytest.raises(enact.LiveCallForbidden, match="v/two") as caught:
        inv.replay(live="forbid", strict=False)
    assert caught.value.path == "1"
    cells(leaves=[("x + 1", "1 + x")])
    with pytest.raises(enact.LiveCallForbidden, match="code changed"):
        inv.replay(live="forbid")


def test_a_request_that_was_answered_before_is_memoized(store):
    source = LEAVES.replace('name="v/one"', 'name="v/one", memoize=True')
    source += """
@enact.register(name="v/both")
def both():
    return one(1) + two(1)
"""
    both = define(source)["both"]
    first = enact.invoke(both)
    second = enact.invoke(both)
    assert RAN == ["one 1", "two 1", "two 1"]
    assert second.verdicts() == {"0": "memoized"} and first == second
    assert len(store.samples(first[0])) == 1 and len(store.samples(first[1])) == 2
    RAN.clear()
    assert enact.invoke(both, memoize=True).output == 4 and RAN == []
    both = define(source.replace("x + 1", "x + 10"))["both"]
    assert enact.invoke(both).output == 13 and RAN[0] == "one 1"


def test_what_nested_code_an_invoke_ran_counts_too(store):
    source = """
@enact.register(name="v/outer")
def outer():
    return enact.invoke(program).output
"""
    inv = enact.invoke(define(source, **cells())["outer"])
    RAN.clear()
    assert inv.rewind(0).replay() == inv and RAN == []
    define(source, **cells(leaves=[("x * 2", "x * 3")]))
    again = inv.replay()
    assert again.output == [5, 15, 9]
    assert RAN == ["middle 1", "two 1", "two 5", "middle 2", "two 2"]


def test_a_paused_replay_keeps_what_its_record_still_holds(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    space = cells(program=[("two(5)", "enact.request_input(int)")])
    paused = inv.replay()
    assert paused.status == "paused"
    question = paused.get_raised()
    again = question.continue_invocation(paused, 10)
    assert again.output == inv.output and RAN == []
    del space


def test_a_preview_says_what_would_run_and_runs_no_leaf(store):
    source = LEAVES.replace("return x * 2", "enact.annotate(usd=0.5); return x * 2")
    space = define(PROGRAM, **define(MIDDLE, **define(source)))
    inv = enact.invoke(space["program"])
    before = list(store.calls()), len(store.runs())
    RAN.clear()
    assert inv.preview().calls == [] and str(inv.preview()) == "nothing would run"
    assert RAN == []
    leaves = define(source.replace("x * 2", "x + x"))
    define(PROGRAM, **define(MIDDLE, **leaves))
    preview = inv.preview()
    assert RAN == ["middle 1", "middle 2"]
    assert [(c.path, c.name, c.verdict) for c in preview.calls] == [
        ("0/1", "v/two", CHANGED), ("1", "v/two", CHANGED), ("2/1", "v/two", CHANGED)
    ]  # fmt: skip
    assert preview.usage == {"usd": 1.5} and preview.seconds > 0
    assert [call.certain for call in preview.calls] == [True, False, False]
    assert "3 calls would run" in str(preview) and "uncertain" in str(preview)
    assert (len(list(store.calls())), len(store.runs())) == (len(before[0]), before[1])


def test_a_preview_stops_where_nobody_knows_the_outcome(store):
    inv = enact.invoke(cells()["program"])
    RAN.clear()
    cells(program=[("two(5)", "two(6), middle(7)")])
    preview = inv.preview()
    assert [call.path for call in preview.calls] == ["1"] and preview.stopped == ["1"]
    assert not preview.is_certain and RAN == []
    assert inv.rewind(1).preview().calls == preview.calls
