# SPDX-License-Identifier: Apache-2.0
"""An object becomes equal to another while everything inside keeps its identity."""

from __future__ import annotations

import array
import collections
import dataclasses
from typing import Any

import pytest

import enact.values as values
from enact.errors import UnstorableValue
from enact.values import assign_in_place, is_atomic, register_type
from tests.values import test_registered_classes

assert test_registered_classes.ArrayWrapper  # registers how arrays are stored


@register_type
@dataclasses.dataclass
class State:
    items: list[Any]
    table: dict[str, Any] = dataclasses.field(default_factory=dict)
    inner: Any = None


@register_type
@dataclasses.dataclass(frozen=True)
class Fixed:
    items: Any


def test_lists_dicts_sets_and_fields_keep_their_identity() -> None:
    state = State([1, [2]], {"a": [1], "s": {1}, "b": bytearray(b"x")}, State([]))
    parts: list[Any] = [
        state.items,
        state.items[1],
        state.table,
        state.table["a"],
        state.table["s"],
        state.table["b"],
        state.inner,
        state.inner.items,
    ]
    wanted = State([1, [2, 3]], {"a": [], "s": {2}, "b": bytearray(b"yy")}, State([4]))
    assign_in_place(state, values.deepcopy(wanted))
    assert state == wanted
    now: list[Any] = [
        state.items,
        state.items[1],
        state.table,
        state.table["a"],
        state.table["s"],
        state.table["b"],
        state.inner,
        state.inner.items,
    ]
    assert all(one is other for one, other in zip(parts, now, strict=True))


def test_items_that_moved_keep_their_identity() -> None:
    a, b, c = [1], [2], [3]
    for wanted in ([[0], [1], [2], [3]], [[2], [3]], [[1], [3]], [[1], [2], [9], [3]]):
        target = [a, b, c]
        assign_in_place(target, values.deepcopy(wanted))
        assert target == wanted
        assert (a, b, c) == ([1], [2], [3])
        for part in (a, b, c):
            assert part not in target or any(item is part for item in target)


def test_the_order_of_a_dict_becomes_that_of_the_source() -> None:
    target: dict[str, Any] = {"a": [1], "b": 2}
    inner = target["a"]
    assign_in_place(target, {"b": 2, "c": 3, "a": [1, 2]})
    assert list(target) == ["b", "c", "a"] and target["a"] is inner == [1, 2]


def test_other_containers_change_in_place() -> None:
    for target, source in (
        (collections.deque([[1]], 3), collections.deque([[1, 2], 3], 3)),
        (collections.OrderedDict(a=1), collections.OrderedDict(b=1, a=2)),
        (collections.Counter("ab"), collections.Counter("bbc")),
        (collections.defaultdict(list, a=[1]), collections.defaultdict(dict, b={})),
        (array.array("i", [1]), array.array("i", [2, 3])),
    ):
        assign_in_place(target, source)
        assert target == source
        if isinstance(target, collections.defaultdict):
            assert target.default_factory is dict


def test_tuples_and_frozen_objects_pass_changes_on_to_what_they_hold() -> None:
    inner: list[int] = [1]
    state = State([], inner=(inner, Fixed(inner)))
    held = state.inner
    assign_in_place(state, State([], inner=([1, 2], Fixed([1, 2]))))
    assert state.inner is held and inner == [1, 2]


def test_what_cannot_change_in_place_is_replaced_inside_its_container() -> None:
    state = State([Fixed(1), (1,), "a", None], inner=3)
    assign_in_place(state, State([Fixed(2), (2, 3), b"a", [1]], inner=State([])))
    assert state == State([Fixed(2), (2, 3), b"a", [1]], inner=State([]))


def test_equal_values_of_different_types_are_told_apart() -> None:
    target: list[Any] = [1, {"a": 0.0}]
    assign_in_place(target, [True, {"a": -0.0}])
    assert target[0] is True and str(target[1]["a"]) == "-0.0"


@pytest.mark.parametrize(
    ("target", "source"),
    [
        (Fixed(1), Fixed(2)),
        ((1,), (2,)),
        ("a", "b"),
        (1, 2),
        ([1], (1,)),
        (State([]), {"items": []}),
        (collections.deque(maxlen=1), collections.deque(maxlen=2)),
        (ValueError(1), ValueError(2)),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_cannot_change_in_place_is_an_error(target: Any, source: Any) -> None:
    with pytest.raises(UnstorableValue):
        assign_in_place(target, source)


def test_nothing_needs_to_change_where_nothing_differs() -> None:
    for target, source in (
        (Fixed([1]), Fixed([1])),
        ("a", "a"),
        (ValueError(1), ValueError(1)),
    ):
        assign_in_place(target, source)


def test_fields_that_are_gone_are_removed() -> None:
    @register_type
    @dataclasses.dataclass
    class Lazy:
        cache: Any = dataclasses.field(init=False)

    target = Lazy()
    target.cache = 1
    assign_in_place(target, Lazy())
    assert not hasattr(target, "cache")


def test_atomic_values_cannot_change() -> None:
    for value in (None, True, 1, 1.5, "a", b"a", range(3), int, ...):
        assert is_atomic(value) and type(value) in values.ATOMIC
    for changeable in ((), [], {}, frozenset(), State([]), bytearray()):
        assert not is_atomic(changeable)
