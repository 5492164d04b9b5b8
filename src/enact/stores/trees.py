# SPDX-License-Identifier: Apache-2.0
"""Which blocks make up one value: its own, and the chunks of long texts and lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from enact.errors import MalformedBlock, MissingBlock
from enact.stores.closure import BlockSource
from enact.values import is_cid
from enact.values.cbor import decode_form


def with_chunks(source: BlockSource, root: bytes) -> set[bytes]:
    """Lists the blocks of a value; what it refers to is not among them.

    Args:
        source: where the blocks are; those that are gone are named and not looked into.
        root: identifier of the value.
    """
    found: set[bytes] = set()
    # With the height in a tree: of a chunk of forms it is 0, above it are links.
    waiting: list[tuple[bytes, int]] = [(root, 0)]
    while waiting:
        cid, height = waiting.pop()
        if cid in found:
            continue
        found.add(cid)
        try:
            form = decode_form(source.load_block(cid))
        except (MissingBlock, MalformedBlock):
            continue
        waiting += _links(form, height - 1) if height else _in_form(form)
    return found


def _links(entries: Any, height: int) -> Iterator[tuple[bytes, int]]:
    if type(entries) is list:
        for link in entries:
            if type(link) is bytes and is_cid(link):
                yield link, height


def _in_form(form: Any) -> Iterator[tuple[bytes, int]]:
    waiting = [form]
    while waiting:
        part = waiting.pop()
        if type(part) is list:
            waiting += part
        elif type(part) is dict:
            kind = part.get("$")
            if kind == "enact/List":
                items, *trees = part.get("tails") or [[]]
                waiting.append(items)
                for height, entries in enumerate(trees):
                    yield from _links(entries, height)
            elif kind == "enact/Bytes":
                chunks = part.get("chunks")
                tree = chunks.get("tails") if type(chunks) is dict else [chunks]
                for height, entries in enumerate(tree or ()):
                    yield from _links(entries, height)
            elif list(part) == [""]:  # an item of a list that is a block of its own
                yield from _links([part[""]], 0)
            else:
                waiting += part.values()
