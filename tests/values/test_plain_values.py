# SPDX-License-Identifier: Apache-2.0
"""Builtin and standard values come back equal, of the same type, under one name."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import math
import pathlib
import re
import struct
import sys
import types
import typing
import uuid
import zoneinfo

import pytest

import enact.values as values
from tests.values.blocks import Blocks, encode, roundtrip


class Colour(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


Point = collections.namedtuple("Point", "x y")

VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(2**63) - 1,
    2**64,
    10**100,
    -(10**100),
    0.0,
    -0.0,
    1.5,
    5e-324,
    math.inf,
    -math.inf,
    "",
    "text",
    "Würde 人人",
    "\ud800 lone",
    "\x01\udfff",
    b"",
    b"\x00",
    b"\x01",
    b"\x12",
    b"\x01\x71\x12\x20" + bytes(32),
    b"\x00\x01\x02",
    bytes(range(256)),
    struct.pack("<4i", 1, 2, 3, 4),
    [],
    [1, [2, [3]]],
    {},
    {"a": 1, "bb": [None]},
    {"b": 1, "a": 2},
    {"aa": 1, "b": 2},
    {"": 1},
    {"$": "enact/Tuple", "items": []},
    {1: "a", "1": "b", None: "c", (1, 2): "d"},
    {True: 1, 0: 2},
    {"\ud800": 1},
    {"k" * 2000: 1},
    {"ä": 1, "zz": 2, "日本": 3},
    (),
    (1,),
    ((), ((),)),
    set(),
    {1, 2, "a", (3,)},
    frozenset({frozenset({1}), 2}),
    bytearray(b"\x01\x02"),
    1j,
    complex(-0.0, math.inf),
    range(3),
    range(0, 2**70, 7),
    slice(1, None, "x"),
    ...,
    NotImplemented,
    Colour.RED,
    Colour.BLUE,
    Level.LOW,
    Mode.FAST,
    Right.READ,
    Right.READ | Right.WRITE,
    Right(0),
    Point(1, [2]),
    collections.OrderedDict(b=1, a=2),
    collections.Counter("abca"),
    collections.defaultdict(list, {"b": [1], "a": []}),
    collections.defaultdict(None, {}),
    collections.deque([1, 2], maxlen=3),
    collections.deque(),
    datetime.date(1, 2, 3),
    datetime.time(1, 2, 3, 4, fold=1),
    datetime.time(1, tzinfo=datetime.UTC),
    datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
    datetime.datetime(2024, 10, 27, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Zurich")),
    datetime.datetime(
        2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Zurich")
    ),
    datetime.timedelta(days=-1, seconds=1, microseconds=2),
    datetime.timezone(datetime.timedelta(hours=2), "CEST"),
    decimal.Decimal("1.50"),
    decimal.Decimal("-0"),
    decimal.Decimal("1E+1000"),
    fractions.Fraction(2**70, 3),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("a/../b"),
    pathlib.PureWindowsPath("c:\\x"),
    pathlib.Path("/tmp/x"),
    re.compile("a(b)", re.IGNORECASE),
    re.compile(rb"\x01", re.DOTALL),
    int,
    type(None),
    type,
    types.FunctionType,
    Colour,
    ValueError,
    collections.OrderedDict,
    pathlib.PurePosixPath,
    values.Ref,
    list[int],
    dict[str, list[int]],
    tuple[int, ...],
    collections.deque[int],
    int | None,
    list[int] | str,
    typing.Any,
    typing.Optional[int],  # noqa: UP045
    typing.List[int],  # noqa: UP006
    typing.Literal["a", 1],
    typing.Callable[[int], str],
    typing.Callable[..., int],
    sys,
    math,
    values.Opaque("t", "r"),
]


def same(one: object, other: object) -> bool:
    """Equal, of one type, all the way down, with signs of zeros."""
    return (
        type(one) is type(other)
        and one == other
        and repr(one) == repr(other)
        and encode(one) == encode(other)
    )


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_equal_and_of_the_same_type(value: object) -> None:
    back = roundtrip(value)
    if isinstance(value, set | frozenset):
        assert type(back) is type(value) and back == value
        assert encode(back) == encode(value)
    else:
        assert same(back, value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_what_is_encoded_is_canonical_for_a_stranger(value: object) -> None:
    blocks = Blocks()
    ref = blocks.commit(value)
    values.decode_foreign(blocks.held[ref.cid], blocks)


def test_values_that_differ_have_different_identifiers() -> None:
    seen: dict[bytes, object] = {}
    for value in VALUES:
        data = encode(value)
        assert data not in seen, (value, seen.get(data))
        seen[data] = value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([True], [1]),
        (1, 1.0),
        (0.0, -0.0),
        ("a", b"a"),
        ([1], (1,)),
        ([b"x", b"y"], [b"xby"]),
        ({1}, frozenset({1})),
        (Level.LOW, 1),
        (Mode.FAST, "fast"),
        (Colour.RED, Level.LOW),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, collections.OrderedDict(a=1)),
        (bytearray(b"a"), b"a"),
        ({"": 1}, {"a": 1}),
        (typing.Optional[int], int | None),  # noqa: UP045
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_looking_values_are_kept_apart(one: object, other: object) -> None:
    assert encode(one) != encode(other)
    assert same(roundtrip(one), one) and same(roundtrip(other), other)


def test_a_set_has_one_form_whatever_its_order() -> None:
    names = [f"n{i}" for i in range(50)]
    backwards = names[::-1]
    assert encode(set(names)) == encode(set(backwards))


@pytest.mark.parametrize(
    "bits",
    [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000123, 0x7FFC0000DEADBEEF],
)
def test_not_a_number_keeps_its_bits(bits: int) -> None:
    number = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    assert struct.pack(">d", roundtrip(number)) == bits.to_bytes(8, "big")
    assert struct.pack(">d", roundtrip([number])[0]) == bits.to_bytes(8, "big")


def test_an_alias_of_an_enum_is_its_member() -> None:
    assert roundtrip(Colour.CRIMSON) is Colour.RED


def test_dicts_keep_their_order() -> None:
    for keys in (["b", "a"], ["aa", "b"], ["x", 1, None], ["", "$"]):
        assert list(roundtrip(dict.fromkeys(keys))) == keys


def test_encoding_changes_nothing_in_the_value() -> None:
    value = {"t": (1, 2), "b": b"\x01", "l": [1, (2,), -0.0]}
    encode(value)
    assert value == {"t": (1, 2), "b": b"\x01", "l": [1, (2,), -0.0]}
    assert type(value["l"][1]) is tuple


def test_a_checked_out_value_shares_nothing_with_the_stored_one() -> None:
    blocks = Blocks()
    ref = blocks.commit({"a": [1]})
    blocks.checkout(ref)["a"].append(2)
    assert blocks.checkout(ref) == {"a": [1]}


def test_the_identifier_does_not_depend_on_versions_of_packages() -> None:
    before = values.resource_digest(values.Opaque("a", "b"))
    values.register_distribution("enact", "999")
    assert values.resource_digest(values.Opaque("a", "b")) == before


def test_wrap_and_unwrap_leave_plain_values_alone() -> None:
    assert values.wrap([1]) == [1] and values.unwrap("a") == "a"


def test_a_deep_copy_is_equal_and_separate() -> None:
    value = {"a": [1, {2}], "long": list(range(5000)), "text": "x" * 50_000}
    copy = values.deepcopy(value)
    assert copy == value and copy["a"] is not value["a"]


def test_a_deep_copy_keeps_where_refs_came_from() -> None:
    blocks = Blocks()
    copy = values.deepcopy([blocks.commit("x")])
    assert copy[0].origin is blocks and copy[0].checkout() == "x"
