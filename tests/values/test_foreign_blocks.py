# SPDX-License-Identifier: Apache-2.0
"""Blocks from elsewhere are data: they decode to a value, or to one of our errors."""

from __future__ import annotations

import sys
import threading

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import enact.values as values
from enact.errors import (
    EnactError,
    LimitExceeded,
    MalformedBlock,
    MissingBlock,
    UnregisteredType,
)
from enact.values.cbor import scan
from tests.values.blocks import Blocks, encode
from tests.values.test_plain_values import VALUES

SAMPLES = [encode(value) for value in VALUES]


@given(st.data())
@settings(max_examples=400)
def test_mutated_blocks_decode_or_raise_our_errors(data: st.DataObject) -> None:
    block = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(block)))
        kind = data.draw(st.sampled_from(["set", "insert", "delete"]))
        if kind == "delete":
            del block[at : at + 1]
        elif kind == "insert":
            block.insert(at, data.draw(st.integers(0, 255)))
        elif at < len(block):
            block[at] = data.draw(st.integers(0, 255))
    mutated = bytes(block)
    for unknown in (False, True):
        try:
            values.decode(mutated, unknown=unknown)
        except EnactError:
            pass
    try:
        value = values.decode_foreign(mutated)
    except EnactError:
        return
    assert encode(value) == mutated


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_raise_our_errors(block: bytes) -> None:
    try:
        value = values.decode_foreign(block)
    except EnactError:
        return
    assert encode(value) == block


@pytest.mark.parametrize(
    "block",
    [
        "1801",  # a number in more bytes than it needs
        "fa3fc00000",  # a float of 32 bits
        "a2616201616101",  # keys out of order
        "a2616101616101",  # a key twice
        "9f01ff",  # a list without a length
        "1bffffffffffffffff",  # beyond 64 bits, and no envelope
        "8102" + "00",  # bytes after the end
        "820f",  # a list that ends early
        "41" + "01",  # bytes that no encoder writes
        "42" + "0005",  # an escape that is not needed
        "d82a450001711220",  # a link that is no CID of ours
        "d82a58250001551220" + "00" * 32,  # a link to a block that is no value
        "a1612401",  # an envelope without a name
        "a1606161",  # the mark of an outlined item, in a plain dict
    ],
)
def test_what_no_encoder_writes_is_refused(block: str) -> None:
    with pytest.raises(MalformedBlock):
        values.decode_foreign(bytes.fromhex(block))


@pytest.mark.parametrize(
    "form",
    [
        {"$": "enact/Int", "value": b"\x00\x01"},
        {"$": "enact/Int", "value": b"\x7f" * 20, "more": 1},
        {"$": "enact/Float", "value": b"?\xf0\0\0\0\0\0\0"},
        {"$": "enact/Set", "items": [2, 1]},
        {"$": "enact/Set", "items": [1, 1]},
        {"$": "enact/Dict", "items": ["a", 1]},
        {"$": "enact/Dict", "items": ["b", 1, "a"]},
        {"$": "enact/Tuple", "items": 3},
        {"$": "enact/Tuple"},
        {"$": "enact/Str", "utf8": b"abc"},
        {"$": "enact/Decimal", "value": "01.0"},
        {"$": "enact/Decimal", "value": 1},
        {"$": "enact/UUID", "hex": "x"},
        {"$": "enact/ZoneInfo", "key": "../../etc/passwd"},
        {"$": "enact/Pattern", "pattern": "(", "flags": 0},
        {"$": "enact/Pattern", "pattern": "a", "flags": 128},
        {"$": "enact/Range", "start": 0, "stop": "x", "step": 1},
        {"$": "enact/List", "len": 1, "tails": [[1]]},
        {"$": "enact/List", "len": 3, "tails": [[1]]},
        {"$": "enact/List", "len": -1, "tails": []},
        {"$": "enact/Bytes", "size": 1, "chunks": []},
        {"$": "enact/TypingForm", "name": "get_type_hints"},
        {"$": "enact/TimeZone", "offset": 1, "name": None},
    ],
    ids=repr,
)
def test_an_envelope_that_no_encoder_writes_is_refused(form: dict) -> None:
    with pytest.raises((MalformedBlock, MissingBlock)):
        values.decode_foreign(values.encode_form(form))


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "builtins:eval",
        "builtins:print",
        "nobody:Nothing",
        "subprocess:Popen",
    ],
)
def test_a_name_finds_only_what_is_expected_there(name: str) -> None:
    with pytest.raises(UnregisteredType):
        values.decode(values.encode_form({"$": name, "args": ["true"]}))
    with pytest.raises(UnregisteredType):
        values.decode(
            values.encode_form({"$": "enact/Exception", "type": name, "args": []})
        )


def test_decoding_imports_nothing() -> None:
    assert "antigravity" not in sys.modules
    for form in (
        {"$": "antigravity:fly"},
        {"$": "enact/Type", "name": "antigravity:Fly"},
        {"$": "enact/Module", "name": "antigravity"},
        {"$": "enact/Enum", "type": "antigravity:Fly", "name": "UP"},
    ):
        with pytest.raises(UnregisteredType):
            values.decode(values.encode_form(form))
    assert "antigravity" not in sys.modules


def test_lying_lengths_cost_nothing() -> None:
    deep = b"\x9a\x00\x01\x86\xa0" * 100_000
    with pytest.raises((LimitExceeded, MalformedBlock)):
        values.decode(deep)


def test_depth_is_bounded_before_decoding() -> None:
    def decode() -> None:
        with pytest.raises(LimitExceeded):
            values.decode(b"\x81" * 5000 + b"\x01")

    threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=decode)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)


def test_size_is_bounded_before_decoding() -> None:
    with pytest.raises(LimitExceeded):
        values.decode(b"\x5a\x00\x90\x00\x00" + bytes(0x900000))


def test_a_tree_of_chunks_that_repeats_itself_does_not_explode() -> None:
    blocks = Blocks()
    chunk = values.encode_form(list(range(1000)))
    blocks.emit(values.cid_of(chunk), chunk)
    for _ in range(5):
        link = values.cid_of(chunk)
        chunk = values.encode_form([link] * 100)
        blocks.emit(values.cid_of(chunk), chunk)
    top = values.encode_form(
        {
            "$": "enact/List",
            "len": 10**13,
            "tails": [[], [], [], [], [], [], [values.cid_of(chunk)]],
        }
    )
    with pytest.raises(LimitExceeded):
        values.decode(top, blocks)


def test_text_that_repeats_itself_does_not_explode() -> None:
    piece = values.encode_form(b"x" * 4_000_000)
    blocks = Blocks()
    blocks.emit(values.cid_of(piece), piece)
    long = {
        "$": "enact/Bytes",
        "size": 4_000_000 * 100,
        "chunks": [values.cid_of(piece)] * 100,
    }
    with pytest.raises((LimitExceeded, MalformedBlock)):
        values.decode(values.encode_form([dict(long, size=2**31)]), blocks)


def test_scanning_agrees_with_decoding() -> None:
    for sample in SAMPLES:
        scan(sample)
        with pytest.raises(EnactError):
            scan(sample + b"\0")
        if len(sample) > 1:
            with pytest.raises(EnactError):
                scan(sample[:-1])


def test_links_are_listed_in_the_order_of_the_bytes() -> None:
    refs = [values.Ref(values.cid_of(bytes([i]))) for i in range(40)]
    cids = [ref.cid for ref in refs]
    assert values.links(encode(refs[:20])) == cids[:20]
    assert (
        values.links(encode({"a": refs[0], "b": [refs[1], {"c": refs[2]}]})) == cids[:3]
    )
    assert values.links(encode(refs[0])) == cids[:1]
    assert values.links(encode("no links")) == []


def test_bytes_that_look_like_links_are_none() -> None:
    ref = values.Ref(values.cid_of(b"x"))
    fake = encode([ref])[1:]
    assert values.links(encode([fake, fake.hex(), "*X%"])) == []
    assert values.links(encode([fake, ref])) == [ref.cid]
    assert values.links(encode(ref.cid)) == []


def test_unknown_types_are_shown_when_asked_for() -> None:
    form = {
        "$": "shop.orders:Order",
        "amount": 3,
        "items": {"$": "enact/Set", "items": [1]},
    }
    data = values.encode_form(form)
    with pytest.raises(UnregisteredType, match=r"shop\.orders:Order.*package shop"):
        values.decode(data)
    value = values.decode(data, unknown=True)
    assert value == values.Unknown("shop.orders:Order", {"amount": 3, "items": {1}})
    assert encode(value) == data
    listed = values.encode_form(
        [form, {"$": "enact/Exception", "type": "shop:Bad", "args": [{"$": "x:Y"}]}]
    )
    assert encode(values.decode(listed, unknown=True)) == listed


def test_the_store_says_which_version_a_missing_type_came_from() -> None:
    class Knowing(Blocks):
        def requirement(self, name: str) -> tuple[str, str] | None:
            return ("shop", "1.2") if name == "shop:Order" else None

    with pytest.raises(UnregisteredType, match=r"shop 1\.2"):
        values.decode(values.encode_form({"$": "shop:Order"}), Knowing())
