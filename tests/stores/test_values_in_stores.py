# SPDX-License-Identifier: Apache-2.0
"""Committing, checking out, and moving values between stores."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from enact.errors import MissingBlock, StoreClosed
from enact.stores import ValueStore, memory_backend, sqlite_backend
from enact.values import ACTIVE, Ref, cid_of


class Counting:
    """A backend that counts how often it is asked."""

    def __init__(self, backend):
        self._backend = backend
        self.asked = 0

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def get(self, cids):
        self.asked += 1
        return self._backend.get(cids)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        store = ValueStore(memory_backend())
    else:
        store = ValueStore(sqlite_backend(tmp_path / "runs.db"))
    yield store
    store.close()


@pytest.fixture
def other():
    return ValueStore(memory_backend())


def test_equal_values_have_equal_refs(store):
    value = {"topic": "sea", "lines": [1, 2.5, None]}
    ref = store.commit(value)
    assert ref == store.commit(dict(value)) and store.has(ref)
    assert ref.origin is store
    first, second = store.checkout(ref), store.checkout(ref)
    assert first == second == value and first is not second


def test_a_ref_brings_along_what_it_needs(store, other):
    parts = [other.commit(f"part {n}") for n in range(600)]
    middle = [other.commit(parts[n : n + 60]) for n in range(0, 600, 60)]
    top = other.commit(middle)
    assert not store.has(top)
    ref = store.commit({"all": top})
    for each in [ref, top, *middle, *parts]:
        assert store.has(each)
    assert store.checkout(parts[7]) == "part 7"


def test_copying_asks_the_origin_in_batches(store):
    origin = ValueStore(Counting(memory_backend()))
    parts = [origin.commit(f"part {n}") for n in range(1000)]
    top = origin.commit(parts)
    origin.backend.asked = 0
    store.commit([top])
    assert store.has(parts[999])
    assert origin.backend.asked < 10


def test_a_deep_chain_is_copied(store, other):
    ref = other.commit(0)
    for _ in range(3000):
        ref = other.commit([ref])
    store.commit([ref])
    assert store.has(ref)
    assert len(store.get_dependency_graph([ref])) == 3001


def test_children_are_copied_before_their_parents(store, other, monkeypatch):
    monkeypatch.setattr("enact.stores.closure._PUT_BYTES", 1)
    shared = other.commit("shared")
    low = other.commit([shared, "low"])
    # The root links to what others below it link to as well.
    top = other.commit([shared, other.commit([low]), low])
    order = []
    put = store.backend.put
    monkeypatch.setattr(
        store.backend, "put", lambda b: (order.extend(cid for cid, _ in b), put(b))
    )
    store.commit([top])
    for ref, needed in other.get_dependency_graph([top]).items():
        for each in needed:
            assert order.index(each.cid) < order.index(ref.cid)


def test_copying_does_not_copy_what_is_there(store, other):
    shared = other.commit("shared")
    store.commit("shared")
    top = other.commit([shared, "own"])
    put = []
    store.backend.put, old = (
        (lambda blocks: (put.extend(blocks), old(blocks))),
        (store.backend.put),
    )
    store.commit({"ref": top})
    assert [cid for cid, _ in put].count(shared.cid) == 0
    assert store.checkout(shared) == "shared"


def test_a_ref_to_nowhere_cannot_be_committed(store):
    with pytest.raises(MissingBlock, match="bafy"):
        store.commit([Ref(cid_of(b"\x01nowhere"))])


def test_a_closure_with_a_gap_copies_nothing(store, other):
    part = other.commit("part")
    top = other.commit([part])
    del other.backend._blocks[part.cid]
    with pytest.raises(MissingBlock):
        store.commit([top])
    assert not store.has(top)


def test_a_missing_block_is_told_by_its_identifier(store):
    ref = Ref(cid_of(b"\x01nowhere"))
    with pytest.raises(MissingBlock, match=ref.id):
        store.checkout(ref)
    with pytest.raises(KeyError):
        store.load_blocks([ref.cid])


def test_checkout_uses_the_store_that_the_ref_came_from(store, other):
    ref = other.commit(["a", other.commit("b")])
    assert store.checkout(ref)[1].checkout() == "b"
    assert not store.has(ref)


def test_dependencies(store):
    a, b = store.commit("a"), store.commit("b")
    ab = store.commit([a, b, a])
    top = store.commit([ab])
    assert store.get_dependency_graph([top]) == {
        top: {ab},
        ab: {a, b},
        a: set(),
        b: set(),
    }
    assert store.get_dependency_graph([top], max_depth=0) == {top: {ab}}
    assert store.get_dependency_graph([top], max_depth=1) == {top: {ab}, ab: {a, b}}


def test_requirements_name_what_is_installed(store):
    import enact
    from enact.values import register_distribution

    @enact.register(name="a_shop.goods:Apple")
    class Apple(enact.Resource):
        pass

    register_distribution("a-shop", "1.2")
    ref = store.commit([store.commit(Apple())])
    assert store.get_distribution_requirements(ref) == {"a-shop": "1.2"}
    assert store.get_distribution_requirements(store.commit([1])) == {}


def test_a_ref_outlives_the_with_block(store):
    with store:
        ref = store.commit("kept")
    assert ACTIVE.get() is None
    assert ref.checkout() == "kept" and ref() == "kept"


def test_a_closed_store_says_so(store):
    ref = store.commit("x")
    store.close()
    store.close()
    uses = [
        lambda: store.commit(1),
        lambda: store.checkout(ref),
        lambda: store.has(ref),
        lambda: store.load_block(ref.cid),
        lambda: store.load_blocks([ref.cid]),
        lambda: store.get_dependency_graph([ref]),
        lambda: store.__enter__(),
    ]
    for use in uses:
        with pytest.raises(StoreClosed, match="open it again"):
            use()


def test_stores_nest_and_can_be_entered_again(store, other):
    with store, other:
        with store:
            assert ACTIVE.get() is store
            with store:
                assert ACTIVE.get() is store
            assert ACTIVE.get() is store
        assert ACTIVE.get() is other
    assert ACTIVE.get() is None


def test_a_store_may_be_left_before_one_that_was_entered_later(store, other):
    store.__enter__()
    other.__enter__()
    store.__exit__(None, None, None)
    assert ACTIVE.get() is other
    other.__exit__(None, None, None)
    assert ACTIVE.get() is None


def test_leaving_what_was_not_entered_is_an_error(store):
    with pytest.raises(RuntimeError, match="not entered"):
        store.__exit__(None, None, None)


def test_a_store_is_active_for_its_task_alone(store, other):
    async def use(mine, steps):
        for _ in range(steps):
            with mine:
                await asyncio.sleep(0)
                assert ACTIVE.get() is mine
                await asyncio.sleep(0)

    async def main():
        with store:
            await asyncio.gather(*(use(s, 5) for s in (store, other, store, other)))
            assert ACTIVE.get() is store

    asyncio.run(main())
    assert ACTIVE.get() is None


def test_a_store_may_be_left_in_a_copy_of_the_context(store):
    store.__enter__()
    copy = contextvars.copy_context()
    copy.run(store.__exit__, None, None, None)
    assert copy[ACTIVE] is None and ACTIVE.get() is store
    store.__exit__(None, None, None)
