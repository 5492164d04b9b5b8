# SPDX-License-Identifier: Apache-2.0
"""Refs name values by their content, and find them where they are."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest

import enact.values as values
from enact.errors import MissingBlock, NoActiveContext, RefError
from enact.values import Ref
from tests.values.blocks import Blocks


def test_a_ref_is_what_it_refers_to() -> None:
    one, other = Blocks(), Blocks()
    first, second = one.commit([1]), other.commit([1])
    assert first == second and hash(first) == hash(second) and first is not second
    assert first != other.commit([2])
    assert first != first.cid
    assert len({first, second}) == 1


def test_a_ref_has_three_spellings_of_one_identifier() -> None:
    ref = Blocks().commit("x")
    assert ref.id.startswith("bafyrei") and len(ref.id) == 59
    assert Ref.from_id(ref.id) == ref
    assert ref.cid == b"\x01\x71\x12\x20" + bytes.fromhex(ref.digest)
    assert ref.id in repr(ref)
    assert values.resource_digest("x") == ref.digest


@pytest.mark.parametrize(
    "text", ["", "b", "bafy", "B" + "A" * 58, "bafyrei" + "!" * 52]
)
def test_a_text_that_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        Ref.from_id(text)


def test_an_identifier_has_only_one_spelling() -> None:
    ref = Blocks().commit("x")
    last = ref.id[-1]
    for digit in "abcdefghijklmnopqrstuvwxyz234567":
        if digit != last:
            try:
                assert Ref.from_id(ref.id[:-1] + digit) != ref
            except ValueError:
                continue
    with pytest.raises(ValueError):
        Ref.from_id(ref.id.upper())


def test_checking_out_gives_a_fresh_value_every_time() -> None:
    ref = Blocks().commit({"a": [1]})
    ref.checkout()["a"].append(2)
    assert ref() == {"a": [1]} and ref() is not ref()


def test_refs_inside_values_remember_their_store() -> None:
    blocks = Blocks()
    outer = blocks.commit({"inner": blocks.commit("x"), "more": [blocks.commit(2)]})
    assert outer.checkout()["inner"].checkout() == "x"
    assert outer()["more"][0]() == 2


def test_the_active_store_is_asked_first_then_the_origin() -> None:
    home, away = Blocks(), Blocks()
    ref = home.commit("x")
    with away:
        assert ref() == "x" and away.loads == 0
        away.commit("x")
        loads = home.loads
        assert ref() == "x" and away.loads == 1 and home.loads == loads


def test_without_any_store_a_ref_says_what_to_do() -> None:
    ref = Ref(values.cid_of(b"x"))
    with pytest.raises(NoActiveContext, match="with enact"):
        ref.checkout()
    with pytest.raises(NoActiveContext, match="with enact"):
        values.commit(1)
    with Blocks(), pytest.raises(MissingBlock, match="bafy"):
        ref.checkout()


def test_commit_and_checkout_use_the_active_store() -> None:
    with Blocks() as blocks:
        ref = values.commit([1])
        assert ref.origin is blocks and values.checkout(ref) == [1]
        with Blocks() as inner:
            assert values.active_store() is inner
        assert values.active_store() is blocks


def test_commit_and_checkout_can_be_awaited() -> None:
    async def both() -> Any:
        ref = await values.commit_async({"a": 1})
        return await values.checkout_async(ref)

    with Blocks():
        assert asyncio.run(both()) == {"a": 1}


def test_modify_makes_the_ref_refer_to_the_change() -> None:
    with Blocks() as blocks:
        ref = blocks.commit([1])
        before = Ref(ref.cid)
        with ref.modify() as value:
            value.append(2)
        assert ref() == [1, 2] and before() == [1]


def test_modify_does_nothing_when_its_block_raises() -> None:
    ref = Blocks().commit([1])
    before = ref.cid
    with pytest.raises(KeyError), ref.modify() as value:  # noqa: PT012
        value.append(2)
        raise KeyError
    assert ref.cid == before


def test_a_hashed_ref_cannot_be_modified() -> None:
    ref = Blocks().commit([1])
    seen = {ref}
    with pytest.raises(RefError, match="modified"), ref.modify() as value:
        value.append(2)
    assert ref in seen and ref() == [1]


def test_a_ref_hashed_while_it_is_modified_stays_as_it_is() -> None:
    ref = Blocks().commit([1])
    with pytest.raises(RefError), ref.modify() as value:  # noqa: PT012
        value.append(2)
        hash(ref)
    assert ref() == [1]


def test_modified_gives_a_new_ref_and_leaves_the_old_one() -> None:
    ref = Blocks().commit([1])
    changed = ref.modified(lambda value: value.append(2))
    replaced = ref.modified(lambda value: [*value, 3])
    assert (ref(), changed(), replaced()) == ([1], [1, 2], [1, 3])


def test_refs_cannot_be_assigned_to() -> None:
    ref = Blocks().commit(1)
    for name in ("cid", "id", "digest", "other"):
        with pytest.raises(AttributeError):
            setattr(ref, name, b"")


def test_refs_can_be_copied_and_sent() -> None:
    ref = Blocks().commit(1)
    assert (
        copy.copy(ref) == ref == copy.deepcopy(ref) == pickle.loads(pickle.dumps(ref))
    )
    assert Ref[int] is not None


def test_every_ref_inside_a_value_is_adopted() -> None:
    blocks = Blocks()
    refs = [blocks.commit(i) for i in range(5)]
    seen: list[Ref[Any]] = []
    value = [refs[0], {"a": refs[1], "b": (refs[2],)}, {refs[3]}, {refs[4]: 1}]
    values.Encoder(blocks.emit, seen.append).encode(value)
    assert set(seen) == set(refs) and all(ref.origin is blocks for ref in seen)
