# SPDX-License-Identifier: Apache-2.0
"""Which recorded executions a change of code touches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import enact
from enact.stores import Backend, CodeCount, RunRow
from enact.testing.backends import sample_call
from tests.modules import Load, loading

SHOP = """
    import enact
    RAN = []

    def helper(n):
        return n

    @enact.register
    def leaf(n):
        RAN.append(n)
        answer = helper(n)
        return answer

    @enact.register
    def other(n):
        return -n

    @enact.register
    def root(n):
        return sum([leaf(i) for i in range(n)], other(n))

    @enact.register(memoize=True)
    def remembers(n):
        return leaf(n)
"""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[enact.Store]:
    if request.param == "memory":
        made: enact.Store = enact.InMemoryStore()
    else:
        made = enact.SQLiteStore(tmp_path / "runs.db")
    with made:
        yield made
    made.close()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    with loading(tmp_path) as load:
        yield load


def test_nothing_is_affected_while_the_code_is_what_ran(
    store: enact.Store, load: Load
) -> None:
    shop = load(SHOP)
    enact.invoke(shop.root, (3,))
    assert store.affected() == store.affected(shop.leaf) == []
    load(SHOP)
    assert store.affected() == []


def test_a_changed_function_is_listed_with_versions_calls_and_runs(
    store: enact.Store, load: Load
) -> None:
    shop = load(SHOP)
    touched = [enact.invoke(shop.root, (n,)) for n in (2, 3)]
    enact.invoke(shop.other, (1,))
    old = enact.source(shop.leaf).code
    changed = load(SHOP.replace("= helper(n)", "= helper(n) + 1"))
    [found] = store.affected()
    assert (found.name, found.recorded) == ("shop:leaf", old)
    assert found.current == enact.source(changed.leaf).code != old
    assert found.calls == 5
    assert found.invocations == touched[::-1]  # the newest first
    assert [run.name for run in found.runs] == ["shop:root"] * 2
    assert "shop:leaf" in repr(found)
    assert "5 calls" in repr(found)


def test_nothing_runs(store: enact.Store, load: Load) -> None:
    enact.invoke(load(SHOP).root, (3,))
    changed = load(SHOP.replace("= helper(n)", "= helper(n) + 1"))
    assert store.affected()[0].invocations
    assert changed.RAN == []


def test_a_helper_or_constant_counts_for_the_functions_that_use_it(
    store: enact.Store, load: Load
) -> None:
    enact.invoke(load(SHOP).root, (3,))
    load(SHOP.replace("        return n\n\n", "        return n * n\n\n"))
    assert [found.name for found in store.affected()] == ["shop:leaf"]


def test_it_can_be_asked_for_some_functions(store: enact.Store, load: Load) -> None:
    enact.invoke(load(SHOP).root, (3,))
    changed = load(
        SHOP.replace("-n", "-n - 1").replace("= helper(n)", "= helper(n) + 1")
    )
    assert [found.name for found in store.affected()] == ["shop:leaf", "shop:other"]
    assert [found.name for found in store.affected(changed.other)] == ["shop:other"]
    assert [found.name for found in store.affected("shop:leaf")] == ["shop:leaf"]
    assert store.affected(changed.root) == []


def test_a_function_that_is_gone_has_no_current_digest(store: enact.Store) -> None:
    fn = enact.register(lambda n: n, name="affected/short-lived")
    enact.invoke(fn, (1,))
    store.backend.record([], sample_call("0a", 0, invokable="affected/nowhere"))
    [found] = store.affected()
    assert (found.name, found.current) == ("affected/nowhere", None)
    assert "gone" in repr(found)


def test_replays_that_reused_such_calls_are_affected_too(
    store: enact.Store, load: Load
) -> None:
    shop = load(SHOP)
    inv = enact.invoke(shop.root, (2,))
    inv.edit(inv[2], output=100).replay()
    load(SHOP.replace("= helper(n)", "= helper(n) + 1"))
    [found] = store.affected()
    assert (found.calls, len(found.runs)) == (2, 2)  # the replay executed no leaf


def test_a_remembered_answer_counts_as_well(store: enact.Store, load: Load) -> None:
    text = SHOP + "\n    @enact.register\n    def asks(n): return remembers(n) + n\n"
    shop = load(text)
    enact.invoke(shop.remembers, (2,))
    asking = enact.invoke(shop.asks, (2,))
    load(text.replace("= helper(n)", "= helper(n) + 1"))
    [found] = store.affected()
    assert found.calls == 1
    assert found.invocations[0] == asking


def test_a_run_that_was_cut_off_is_affected_by_what_it_did(
    store: enact.Store, load: Load
) -> None:
    text = SHOP + (
        "\n    @enact.register\n    def stops(n):\n        leaf(n)\n"
        "        raise KeyboardInterrupt\n"
    )
    with pytest.raises(KeyboardInterrupt):
        enact.invoke(load(text).stops, (2,))
    load(text.replace("= helper(n)", "= helper(n) + 1"))
    [found] = store.affected("shop:leaf")
    assert len(found.runs) == 1


def test_a_run_of_which_only_calls_are_known_is_affected(store: enact.Store) -> None:
    row = sample_call("0a", 0, invokable="affected/nowhere", parent=None)
    store.backend.begin_run(RunRow("0a", row.invokable, "running", None, 1.0, 0.0))
    store.backend.begin_run(RunRow("0b", row.invokable, "running", None, 2.0, 0.0))
    store.backend.record([], row)
    [found] = store.affected()
    assert [run.id for run in found.runs] == ["0a"]


def test_each_recorded_version_is_an_item_of_its_own(
    store: enact.Store, load: Load
) -> None:
    for added in (1, 2, 3):
        shop = load(SHOP.replace("= helper(n)", f"= helper(n) + {added}"))
        enact.invoke(shop.leaf, (1,))
    found = store.affected()
    assert [item.name for item in found] == ["shop:leaf"] * 2
    assert [item.calls for item in found] == [1, 1]
    assert len({item.recorded for item in found}) == 2


def test_programs_that_are_not_loaded_are_what_they_were(store: enact.Store) -> None:
    name = f"enact_program_{'0' * 64}:solve"
    store.backend.record([], sample_call("0a", 0, invokable=name))
    assert store.affected() == []


def test_no_record_is_read_before_somebody_asks_for_the_runs(
    store: enact.Store, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    enact.invoke(load(SHOP).root, (3,))
    load(SHOP.replace("= helper(n)", "= helper(n) + 1"))

    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("it was read")

    with monkeypatch.context() as patch:
        for name in ("get", "calls", "runs"):
            patch.setattr(store.backend, name, refuse)
        [found] = store.affected()
        assert found.calls == 3
    assert len(found.runs) == 1


# --- the journal ------------------------------------------------------------------


def counted(backend: Backend) -> list[CodeCount]:
    return sorted(backend.codes())


def test_a_call_that_ends_after_its_row_was_folded_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [sample_call("0a", n, code=b"\1" * 16) for n in range(3)]
    with enact.SQLiteStore(tmp_path / "runs.db") as first:
        first.backend.record([], rows[0]._replace(status="running"))
        first.backend.record([], rows[1])
        first.close()
    with enact.SQLiteStore(tmp_path / "runs.db") as again:
        again.backend.record([], rows[0])
        again.backend.record([], rows[2])
        again.backend.record([], rows[2]._replace(duration=9.0))
        assert counted(again.backend) == [("shop:draft", b"\1" * 16, 3)]
        again.close()


@pytest.mark.parametrize("stored", [True, False])
def test_versions_are_counted_in_files_and_tails(tmp_path: Path, stored: bool) -> None:
    path = tmp_path / "runs.db"
    store = enact.SQLiteStore(path)
    for number in range(10):
        code = None if number == 9 else bytes([number % 3]) * 16
        store.backend.record([], sample_call("0a", number, code=code))
    if stored:
        store.close()
    reader = enact.SQLiteStore(path)
    assert [count.calls for count in counted(reader.backend)] == [3, 3, 3]
    reader.close()
    store.close()
