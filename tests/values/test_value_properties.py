# SPDX-License-Identifier: Apache-2.0
"""For any value at all: it comes back as it was, or an error says where it cannot."""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict, deque
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

import enact.values as values
from tests.values.blocks import Blocks, encode


def _float(bits: int) -> float:
    return struct.unpack(">d", bits.to_bytes(8, "big"))[0]


EDGES: list[Any] = [
    0.0,
    -0.0,
    1,
    True,
    1.0,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    -(2**63) - 1,
    "\ud83d\ude00",
    "\ud83d",
    "$",
    "",
    b"\x00",
    b"\x00\x01",
    b"\x01\x71\x12\x20" + bytes(32),
    b"\x12\x20" + bytes(32),
    b"\x01\0\0\0",
]
texts = st.text(st.characters()) | st.text(
    st.characters(categories=["Cs", "Ll"]), max_size=5
)
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.integers(0x7FF8000000000000, 0x7FFFFFFFFFFFFFFF).map(_float)
    | texts
    | st.binary(max_size=50)
    | st.sampled_from(EDGES)
    | st.binary(max_size=9).map(values.cid_of).map(values.Ref)
)
hashable = st.recursive(
    atoms,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=6)
        | st.dictionaries(texts | st.sampled_from(["a", "b", "aa", "$", ""]), inner)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(hashable, max_size=4)
        | st.lists(inner, max_size=3).map(deque)
        | st.dictionaries(texts, inner, max_size=3).map(OrderedDict)
        | st.lists(atoms, max_size=5).map(Counter)
        | st.binary(max_size=9).map(bytearray)
    )


anything = st.recursive(atoms, _containers, max_leaves=25)


def identical(one: Any, other: Any) -> bool:
    """Equal with exact types, bits of floats and orders of dicts."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack(">d", one) == struct.pack(">d", other)
    if isinstance(one, dict):
        return identical(list(one.items()), list(other.items()))
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, set | frozenset):
        return identical(sorted(map(encode, one)), sorted(map(encode, other)))
    return bool(one == other)


@given(anything)
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    blocks = Blocks()
    ref = blocks.commit(value)
    assert identical(blocks.checkout(ref), value)
    data = blocks.held[ref.cid]
    assert identical(values.decode_foreign(data, blocks), value)


@given(anything, anything)
def test_values_have_one_identifier_exactly_if_they_are_identical(
    one: Any, other: Any
) -> None:
    assert (encode(one) == encode(other)) == identical(one, other)


@given(st.lists(anything, min_size=4, max_size=60), st.integers(1, 12))
@settings(max_examples=60)
def test_long_lists_come_back_as_they_were(items: list[Any], times: int) -> None:
    value = [*items, *["padding" * 10] * 20] * times
    blocks = Blocks()
    ref = blocks.commit(value)
    assert identical(blocks.checkout(ref), value)
    values.decode_foreign(blocks.held[ref.cid], blocks)


@given(st.text(st.characters(), min_size=1, max_size=30), st.integers(200, 3000))
@settings(max_examples=60)
def test_long_texts_come_back_as_they_were(text: str, times: int) -> None:
    blocks = Blocks()
    ref = blocks.commit(
        {"t": text * times, "b": (text * times).encode("utf-8", "replace")}
    )
    back = blocks.checkout(ref)
    assert back["t"] == text * times
    assert back["b"] == (text * times).encode("utf-8", "replace")


@given(anything)
def test_a_copy_in_place_is_the_same_value(value: Any) -> None:
    target = values.deepcopy(value)
    if isinstance(target, list | dict | set | deque | bytearray):
        fresh = type(target)()
        values.assign_in_place(fresh, target)
        assert identical(fresh, value)
    values.assign_in_place(target, values.deepcopy(value))
    assert identical(target, value)


@given(st.lists(anything, max_size=5), st.lists(anything, max_size=5))
def test_a_list_becomes_any_other_list_in_place(
    before: list[Any], after: list[Any]
) -> None:
    target = values.deepcopy(before)
    values.assign_in_place(target, values.deepcopy(after))
    assert identical(target, after)
