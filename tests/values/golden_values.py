# SPDX-License-Identifier: Apache-2.0
"""One value of every kind, whose bytes are pinned in ``tests/golden/values.json``."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import pathlib
import re
import struct
import types
import typing
import uuid
import zoneinfo
from typing import Any

import enact.values as values


class Colour(enum.Enum):
    RED = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Text(str):
    pass


class Refused(Exception):
    pass


@dataclasses.dataclass
class Arguments:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclasses.dataclass
class Wrapper(values.TypeWrapper[types.SimpleNamespace]):
    fields: dict[str, Any]

    @classmethod
    def wrap(cls, value: types.SimpleNamespace) -> Wrapper:
        return cls(vars(value))

    def unwrap(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(**self.fields)


Point = collections.namedtuple("Point", "x y")

for cls in (Colour, Right, Text, Refused, Arguments, Wrapper, Point):
    values.register_type(cls, name=f"golden/{cls.__name__}")


def _refused() -> Refused:
    error = Refused("no", 3)
    error.add_note("a note")
    error.code = 7  # type: ignore[attr-defined]
    return error


REF = values.Ref(values.cid_of(b"\xf6"))
NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000123"))[0]

GOLDEN: dict[str, Any] = {
    "none": None,
    "true": True,
    "false": False,
    "zero": 0,
    "int": -300,
    "int: largest plain": 2**63 - 1,
    "int: smallest plain": -(2**63),
    "int: beyond 64 bits": 2**63,
    "int: large negative": -(2**100),
    "float": 1.5,
    "float: zero": 0.0,
    "float: negative zero": -0.0,
    "float: infinity": math.inf,
    "float: negative infinity": -math.inf,
    "float: nan": math.nan,
    "float: nan with bits": NAN,
    "str: empty": "",
    "str": "sea, Würde, 人",
    "str: lone surrogate": "a\ud800",
    "bytes: empty": b"",
    "bytes": b"abc",
    "bytes: 00": b"\x00",
    "bytes: 01": b"\x01abc",
    "bytes: 12": b"\x12",
    "bytes: 02": b"\x02",
    "bytes: a CID": REF.cid,
    "list: empty": [],
    "list": [1, True, 1.0, "1", b"1", None],
    "list: nested": [[], [[1]]],
    "dict: empty": {},
    "dict: canonical order": {"a": 1, "b": 2, "aa": 3, "ü": 4},
    "dict: other order": {"b": 1, "a": 2},
    "dict: long key first": {"aa": 1, "b": 2},
    "dict: with $": {"$": 1},
    "dict: with empty key": {"": 1},
    "dict: other keys": {1: "a", None: "b", (True,): "c"},
    "tuple: empty": (),
    "tuple": (1, (2,)),
    "set: empty": set(),
    "set": {"bb", "a", 1, 300},
    "frozenset": frozenset({b"x", "x"}),
    "bytearray": bytearray(b"\x01"),
    "complex": 1.5 - 0.0j,
    "ellipsis": ...,
    "range": range(1, 10, 2),
    "slice": slice(None, 3, None),
    "pattern": re.compile("a+", re.IGNORECASE),
    "date": datetime.date(2024, 2, 29),
    "time": datetime.time(12, 30, 0, 5),
    "datetime": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
    "datetime: zone": datetime.datetime(
        2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Zurich")
    ),
    "timedelta": datetime.timedelta(days=-1, microseconds=5),
    "timezone": datetime.timezone(datetime.timedelta(hours=1), "CET"),
    "decimal": decimal.Decimal("1.50"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=1),
    "path: posix": pathlib.PurePosixPath("a/b"),
    "path: windows": pathlib.PureWindowsPath("c:/b"),
    "ordered dict": collections.OrderedDict(b=1, a=2),
    "default dict": collections.defaultdict(list, {"a": [1]}),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1], maxlen=5),
    "enum": Colour.RED,
    "flags": Right.READ | Right.WRITE,
    "named tuple": Point(1, 2),
    "subclass of str": Text("x"),
    "exception": ValueError("empty", 3),
    "exception: os": FileNotFoundError(2, "gone", "a.txt"),
    "exception: attributes": _refused(),
    "exception: group": ExceptionGroup("two", [ValueError(1), KeyError("k")]),
    "type": int,
    "type: none": type(None),
    "type: registered": Arguments,
    "type: adapted": pathlib.PurePosixPath,
    "type: list[int]": list[int],
    "type: union": int | None,
    "type: Optional": typing.Optional[int],  # noqa: UP045
    "type: Any": typing.Any,
    "type: Literal": typing.Literal["a", 1],
    "module": math,
    "ref": REF,
    "list of refs": [REF, REF],
    "arguments": Arguments(
        (REF, "sea", 1), {"style": "haiku", "deep": {"b": 1, "a": 2}}
    ),
    "wrapped": types.SimpleNamespace(x=1),
    "wrapper": Wrapper({"x": 1}),
    "opaque": values.Opaque("threading:Lock", "<unlocked>"),
    "secret": values.Secret("correct horse"),
    "unknown": values.Unknown("nobody:Nothing", {"x": (1,)}),
    "long: numbers": list(range(3000)),
    "long: floats": [i / 7 for i in range(3000)],
    "long: messages": [{"role": "user", "content": f"{i} " * 100} for i in range(60)],
    "long: refs": [values.Ref(values.cid_of(bytes([i]))) for i in range(250)],
    "long: str": " ".join(str(i * i) for i in range(4000)),
    "long: bytes": b"".join((i * i * i).to_bytes(8, "big") for i in range(40_000)),
    "long: dict": {f"key {i:04}": "v" * (i % 50) for i in range(2000)},
    "long: tuple": tuple(range(1000)),
}
