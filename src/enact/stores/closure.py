# SPDX-License-Identifier: Apache-2.0
"""Walking along links: what a block needs, and moving it to another store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from enact.errors import MissingBlock
from enact.stores.backend import Backend
from enact.values import cid_text, links

BATCH = 256
"""Blocks per request, so that a store across a network is not asked one by one."""

_PUT_BYTES = 1 << 20


class BlockSource(Protocol):
    """Anything that hands out blocks."""

    def load_block(self, cid: bytes, /) -> bytes:
        """Reads one block, or raises `MissingBlock`."""


def load_many(source: BlockSource, cids: list[bytes]) -> dict[bytes, bytes]:
    """Reads blocks, in one request where the source can do that.

    Raises:
        MissingBlock: the source lacks one of them.
    """
    batched = getattr(source, "load_blocks", None)
    if batched is None:
        return {cid: source.load_block(cid) for cid in cids}
    loaded: dict[bytes, bytes] = batched(cids)
    return loaded


def batches(cids: Iterable[bytes], size: int = BATCH) -> Iterator[list[bytes]]:
    """Cuts a series of identifiers into lists of at most ``size``."""
    rest = iter(cids)
    while batch := list(islice(rest, size)):
        yield batch


def copy_closure(source: BlockSource, target: Backend, root: bytes) -> int:
    """Copies a block and all that it links to, children first.

    A block that the target has is taken to be there with all that it needs: that
    is what copying children first guarantees, also when copying is cut short.

    Args:
        source: where the blocks are.
        target: where they shall be.
        root: identifier of the topmost block.

    Returns:
        The number of blocks that were copied.

    Raises:
        MissingBlock: the source lacks a block that is needed; nothing was copied.
    """
    keep = getattr(target, "keep", target.has)
    found: dict[bytes, bytes] = {}
    children: dict[bytes, list[bytes]] = {}
    seen = {root}
    front = [root]
    while front:
        there: set[bytes] = set()
        for batch in batches(front):
            there |= keep(batch)
        front = [cid for cid in front if cid not in there]
        following: list[bytes] = []
        for batch in batches(front):
            for cid, data in load_many(source, batch).items():
                found[cid] = data
                children[cid] = links(data)
                for child in children[cid]:
                    if child not in seen:
                        seen.add(child)
                        following.append(child)
        front = following
    if found:
        _put_children_first(target, found, children, root)
    return len(found)


def _put_children_first(
    target: Backend,
    found: dict[bytes, bytes],
    children: dict[bytes, list[bytes]],
    root: bytes,
) -> None:
    group: list[tuple[bytes, bytes]] = []
    size = 0
    for cid in _children_first(children, root):
        group.append((cid, found[cid]))
        size += len(found[cid])
        if size >= _PUT_BYTES:
            target.put(group)
            group, size = [], 0
    if group:
        target.put(group)


def _children_first(children: dict[bytes, list[bytes]], root: bytes) -> Iterator[bytes]:
    """Orders a graph without recursion: it may be deep."""
    done: set[bytes] = set()
    stack = [(root, iter(children[root]))]
    entered = {root}
    while stack:
        cid, rest = stack[-1]
        for child in rest:
            if child in children and child not in entered:
                entered.add(child)
                stack.append((child, iter(children[child])))
                break
        else:
            stack.pop()
            if cid not in done:
                done.add(cid)
                yield cid


def graph(
    source: BlockSource, roots: Iterable[bytes], max_depth: int | None = None
) -> dict[bytes, list[bytes]]:
    """Maps each block to the blocks that it links to.

    Args:
        source: where the blocks are.
        roots: where to begin, at depth 0.
        max_depth: blocks deeper than this are not looked into; None for all.

    Raises:
        MissingBlock: the source lacks a block that is reached.
    """
    known: dict[bytes, list[bytes]] = {}
    front = list(dict.fromkeys(roots))
    depth = 0
    while front and (max_depth is None or depth <= max_depth):
        following: dict[bytes, None] = {}
        for batch in batches(front):
            for cid, data in load_many(source, batch).items():
                known[cid] = list(dict.fromkeys(links(data)))
                following.update(dict.fromkeys(known[cid]))
        front = [cid for cid in following if cid not in known]
        depth += 1
    return known


def missing(cid: bytes, where: str) -> MissingBlock:
    """Builds the error for a block that is not where it was looked for."""
    return MissingBlock(f"{where} has no block {cid_text(cid)}")
