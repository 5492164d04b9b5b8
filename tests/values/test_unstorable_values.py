# SPDX-License-Identifier: Apache-2.0
"""What cannot be stored is named with its path, or replaced by the caller."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import Any

import pytest

import enact.values as values
from enact.errors import LimitExceeded, UnstorableValue
from enact.values import Encoder, Opaque, register_type
from tests.values.blocks import Blocks, encode, roundtrip

LOCK = threading.Lock()


@register_type
@dataclasses.dataclass
class Message:
    image: Any
    meta: Any = None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCK, "$"),
        ({"messages": [1, 2, 3, Message(LOCK)]}, "$.messages[3].image"),
        ([[], [LOCK]], "$[1][0]"),
        ((1, {LOCK}), "$[1][<unlocked"),
        ({"two words": LOCK}, "$['two words']"),
        ({1: {2: LOCK}}, "$[1][2]"),
        ({LOCK: 1}, "$.keys()[<unlocked"),
        (collections.deque([1, LOCK]), "$[1]"),
        (ValueError(1, LOCK), "$.args[1]"),
        (collections.defaultdict(LOCK.acquire), "$.default_factory"),
        (slice(LOCK, None), "$.start"),
        (Message(1, Message(2, {"b": 1, "a": (LOCK,)})), "$.meta.meta.a[0]"),
        (["x" * 5000, {"k": [LOCK] * 100}], "$[1].k[0]"),
        (type("Local", (), {"__module__": "nobody"}), "$"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_the_error_says_where(value: object, path: str) -> None:
    with pytest.raises(UnstorableValue) as error:
        encode(value)
    assert error.value.path.startswith(path)
    assert f" - at {error.value.path}" in str(error.value)


def test_the_error_says_what_to_do() -> None:
    with pytest.raises(UnstorableValue, match="register a TypeWrapper"):
        encode(LOCK)


def test_a_value_that_contains_itself_is_named() -> None:
    loop: Any = {"a": [1]}
    loop["a"].append(loop)
    with pytest.raises(UnstorableValue, match=r"contains itself - at \$\.a\[1\]$"):
        encode(loop)
    message = Message([])
    message.image.append((message,))
    with pytest.raises(UnstorableValue, match=r"contains itself.*\$\.image\[0\]\[0\]"):
        encode(message)


def nested(depth: int, wrap: Any) -> Any:
    value: Any = "x" * 2000
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS: dict[str, Any] = {
    "list": lambda v: [v],
    "tuple": lambda v: (v,),
    "frozenset": lambda v: frozenset([v]),
    "dict": lambda v: {"a": v},
    "odd dict": lambda v: {1: v},
    "dataclass": lambda v: Message(v),
    "deque": lambda v: collections.deque([v]),
    "defaultdict": lambda v: collections.defaultdict(None, {1: v}),
    "exception": lambda v: ValueError(v),
    "wide list": lambda v: [v, 1, 2, 3, 4, 5],
}


@pytest.mark.parametrize("name", WRAPS)
def test_128_containers_deep_is_stored_and_one_more_is_not(name: str) -> None:
    wrap = WRAPS[name]
    blocks = Blocks()
    ref = blocks.commit(nested(128, wrap))
    back = blocks.checkout(ref)
    assert encode(back) == blocks.held[ref.cid]
    with pytest.raises(UnstorableValue, match="deeper than 128"):
        encode(nested(129, wrap))
    with pytest.raises(UnstorableValue, match="deeper than 128"):
        encode(nested(5000, lambda v: [v]))


def test_shared_parts_count_as_often_as_they_occur(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("enact.values.encoder.MAX_NODES", 50_000)
    value: Any = [0] * 100
    for _ in range(20):
        value = [value] * 100
    with pytest.raises(LimitExceeded, match="parts"):
        encode(value)


def test_a_part_may_stand_in_two_places() -> None:
    part = [1]
    assert roundtrip([part, part, {"a": part}]) == [[1], [1], {"a": [1]}]


def recording() -> tuple[Encoder, list[tuple[str, object]]]:
    seen: list[tuple[str, object]] = []

    def opaque(path: str, value: object, error: UnstorableValue) -> object:
        seen.append((path, value))
        assert error.path == path
        return Opaque.of(value)

    return Encoder(lambda cid, data: None, None, opaque), seen


def test_the_caller_may_replace_what_cannot_be_stored() -> None:
    encoder, seen = recording()
    data = encoder.encode({"b": [1, LOCK], "a": (Message(LOCK), "kept")})
    assert [path for path, _ in seen] == ["$.b[1]", "$.a[0].image"]
    back: Any = values.decode(data)
    assert back["b"][1] == Opaque.of(LOCK) and back["a"][1] == "kept"
    assert type(back["a"][0]) is Message


def test_each_part_is_replaced_once_in_dicts_of_any_order() -> None:
    encoder, seen = recording()
    encoder.encode({"bb": LOCK, "a": 1, 3: LOCK})
    assert [path for path, _ in seen] == ["$.bb", "$.bb"]


def test_where_a_value_contains_itself_it_is_replaced() -> None:
    encoder, seen = recording()
    loop: list[Any] = [1, "kept"]
    loop.append({"again": loop})
    back: Any = values.decode(encoder.encode(loop))
    assert back[:2] == [1, "kept"] and type(back[2]["again"]) is Opaque
    assert [path for path, _ in seen] == ["$[2].again"]


def test_what_is_too_deep_or_too_large_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("enact.values.encoder.MAX_NODES", 50_000)
    encoder, seen = recording()
    data = encoder.encode(["kept", nested(300, lambda v: [v])])
    assert values.decode(data)[0] == "kept" and len(seen) == 1  # type: ignore[index]
    huge: Any = [0] * 100
    for _ in range(20):
        huge = [huge] * 100
    assert type(values.decode(encoder.encode(huge))) is Opaque


def test_a_replacement_that_cannot_be_stored_is_an_error() -> None:
    encoder = Encoder(lambda cid, data: None, None, lambda path, value, error: LOCK)
    with pytest.raises(UnstorableValue):
        encoder.encode([LOCK])


def test_an_unstorable_arg_makes_an_exception_a_part_to_replace() -> None:
    encoder, seen = recording()
    back: Any = values.decode(encoder.encode(ValueError("x", LOCK)))
    assert back.args == ("x", Opaque.of(LOCK)) and seen[0][0] == "$.args[1]"


def test_a_description_is_the_same_in_every_run() -> None:
    assert Opaque.of(object()) == Opaque.of(object()) and "0x" not in repr(
        Opaque.of(LOCK)
    )


def test_a_description_survives_a_broken_repr() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert "Broken" in Opaque.of(Broken()).repr
    assert len(Opaque.of("x" * 10_000).repr) == 500
