# SPDX-License-Identifier: Apache-2.0
"""Long values are stored in chunks that versions of them share."""

from __future__ import annotations

import random
from typing import Any

import pytest

import enact.values as values
from enact.errors import MissingBlock
from enact.values.chunks import SMALL, encode_links
from tests.values.blocks import Blocks, encode


def prose(source: random.Random, size: int) -> str:
    words = [
        "".join(source.choices("etaoinshrdlu", k=source.randint(2, 9)))
        for _ in range(400)
    ]
    return " ".join(source.choices(words, k=size))[:size]


def chat(turns: int, seed: int = 1) -> list[dict[str, str]]:
    source = random.Random(seed)
    return [
        {"role": role, "content": prose(source, 500)}
        for _ in range(turns)
        for role in ("user", "assistant")
    ]


def commit_all(versions: Any) -> Blocks:
    blocks = Blocks()
    for version in versions:
        blocks.commit(version)
    return blocks


def test_a_chat_of_100_turns_stores_little_more_than_its_text() -> None:
    history = chat(100)
    stored = commit_all(history[:end] for end in range(2, 201, 2)).size
    assert 100_000 < stored < 170_000


def test_a_chat_in_any_order_of_keys_stores_little_more_than_its_text() -> None:
    history = [{"content": m["content"], "role": m["role"]} for m in chat(100)]
    assert commit_all(history[:end] for end in range(2, 201, 2)).size < 180_000


def test_windows_of_a_chat_share_its_messages() -> None:
    history = chat(100)
    blocks = commit_all(history[:end] for end in range(2, 201, 2))
    before = blocks.size
    for end in range(20, 201, 2):
        blocks.commit(history[:end][-20:])
    assert blocks.size - before < 91 * 1300


def test_a_growing_transcript_stores_at_most_twice_its_text() -> None:
    source = random.Random(2)
    text = prose(source, 100_000)
    stored = commit_all(text[:end] for end in range(1000, 100_001, 1000)).size
    assert stored < 200_000


def test_a_growing_list_of_refs_stores_little() -> None:
    refs = [
        values.Ref(values.cid_of(bytes([i, j]))) for i in range(4) for j in range(250)
    ]
    blocks = commit_all([refs])
    before = blocks.size
    for end in range(900, 1000):
        blocks.commit(refs[:end])
    assert (blocks.size - before) / 100 < 900


def test_a_change_at_the_front_leaves_the_rest_shared() -> None:
    source = random.Random(3)
    text = prose(source, 200_000)
    items: list[Any] = list(range(20_000))
    for one, other in ((text, "New. " + text[1234:]), (items, [-1, *items[100:]])):
        blocks = Blocks()
        blocks.commit(one)
        before = blocks.size
        blocks.commit(other)
        assert blocks.size - before < 20_000


#: What refs in the values below refer to.
ELSEWHERE = {values.cid_of(b"x"), values.cid_of(b"")}


@pytest.mark.parametrize(
    "value",
    [
        list(range(100_000)),
        [0.5 * i for i in range(10_000)],
        [0.0] * 10_000,
        ["x"] * 50_000,
        [["a" * 200, i] for i in range(500)],
        [None] * 5000,
        [b"\x01" * 36] * 100,
        [values.Ref(values.cid_of(b"x"))] * 5000,
        [values.Ref(values.cid_of(b"x")), "y" * 300] * 50,
        [{"": 1}, {"": values.Ref(values.cid_of(b""))}] * 100,
        [[[["deep" * 500] * 5] * 5] * 5] * 5,
        tuple(range(10_000)),
        set(range(10_000)),
        dict.fromkeys(range(10_000)),
        {f"{i:05}": "v" * 100 for i in range(2000)},
        {f"{i:05}": i for i in range(20_000)},
        {"a": {"b": {"c": ["x" * 2000] * 50}}},
        "text" * 100_000,
        "\ud800" * 5000,
        "ß" * 5000,
        b"\x00" * 1_000_000,
        b"\x01" * 10_000,
        bytearray(b"\x12" * 100_000),
        random.Random(0).randbytes(600_000),
        {"long key" * 1000: "v" * 5000},
        2**100_000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_long_values_come_back(value: Any) -> None:
    blocks = Blocks()
    ref = blocks.commit(value)
    back = blocks.checkout(ref)
    assert back == value and type(back) is type(value)
    assert max(map(len, blocks.held.values())) < 70_000
    assert values.decode_foreign(blocks.held[ref.cid], blocks) == value
    for data in blocks.held.values():
        values.check_block(data)
        for link in values.links(data):
            assert link in blocks.held or link in ELSEWHERE


def test_values_up_to_a_size_are_one_block() -> None:
    blocks = commit_all([["x" * 100] * 9, "y" * 4000, [1] * SMALL])
    assert len(blocks.held) == 3


def test_a_missing_chunk_is_an_error_that_names_it() -> None:
    blocks = Blocks()
    ref = blocks.commit(list(range(100_000)))
    data = blocks.held[ref.cid]
    with pytest.raises(MissingBlock, match="bafy"):
        values.decode(data, Blocks())
    with pytest.raises(MissingBlock, match="bafy"):
        values.decode(data)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 24, 25, 26, 100, 1000, 30_000])
def test_links_of_calls_have_the_form_of_a_list_of_refs(count: int) -> None:
    cids = [values.cid_of(i.to_bytes(4, "big")) for i in range(count)]
    blocks, same = Blocks(), Blocks()
    form = encode_links(cids, blocks.emit)
    assert values.Encoder(same.emit).form([values.Ref(cid) for cid in cids]) == form
    assert values.encode_form(form) == encode([values.Ref(cid) for cid in cids])
    assert blocks.held == same.held
    links = values.read_links(form, blocks)
    assert len(links) == count and list(links) == cids
    assert values.Encoder(blocks.emit).encode({"c": values.Lowered(form)}) == encode(
        {"c": [values.Ref(cid) for cid in cids]}
    )


def test_a_long_list_of_links_is_read_as_far_as_it_is_looked_at() -> None:
    cids = [values.cid_of(i.to_bytes(4, "big")) for i in range(30_000)]
    blocks = Blocks()
    links = values.read_links(encode_links(cids, blocks.emit), blocks)
    assert len(links) == 30_000 and blocks.loads == 0
    assert links[0] == cids[0] and next(iter(links)) == cids[0]
    assert blocks.loads < 30
    assert links[-1] == cids[-1] and links[100:103] == cids[100:103]
    assert cids[777] in links
    with pytest.raises(IndexError):
        links[30_000]


def test_links_are_read_from_the_nearer_end() -> None:
    cids = [values.cid_of(i.to_bytes(4, "big")) for i in range(3000)]
    blocks = Blocks()
    form = encode_links(cids, blocks.emit)
    for at in (0, 1, 1499, 1500, 2990, 2999):
        assert values.read_links(form, blocks)[at] == cids[at]
    links = values.read_links(form, blocks)
    for at in (2999, 0, 2000, 1000, 1500, 1501):
        assert links[at] == cids[at]
    assert links[-40:] == cids[-40:] and links[1490:1510] == cids[1490:1510]
    assert list(links) == cids
    before = blocks.loads
    assert values.read_links(form, blocks)[2900] == cids[2900]
    assert blocks.loads - before < 30
