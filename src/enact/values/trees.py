# SPDX-License-Identifier: Apache-2.0
"""Reading the trees of chunks that `chunks` makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, overload

from enact.errors import LimitExceeded, MalformedBlock, MissingBlock
from enact.values.cbor import Form, decode_form, unescape
from enact.values.cids import cid_text, is_cid
from enact.values.limits import MAX_NODES

# So many chunks are read at once: most lists are looked at from one end.
_TOGETHER = 16


class Source(Protocol):
    """Where the blocks of chunks are read from; a store, usually."""

    def load_block(self, cid: bytes, /) -> bytes:
        """Return the bytes of a block, or raise `MissingBlock`."""


def list_length(form: dict[str, Form]) -> int:
    """Return how many items a list in chunks has, checking the shape of its form.

    Args:
        form: the envelope ``enact/List``.

    Returns:
        The number of items that it claims.

    Raises:
        MalformedBlock: not the envelope of a list.
        LimitExceeded: more items than a value may have.

    Example:
        >>> list_length({"$": "enact/List", "len": 2, "tails": [[1, 2]]})
        2
    """
    count, tails = form.get("len"), form.get("tails")
    if type(count) is not int or type(tails) is not list or len(form) != 3:
        raise MalformedBlock("not the envelope of a list in chunks")
    if not tails or not all(type(tail) is list for tail in tails) or count < 0:
        raise MalformedBlock("not the envelope of a list in chunks")
    if count > MAX_NODES:
        raise LimitExceeded(f"a list of {count} items; the limit is {MAX_NODES}")
    return count


def list_chunks(form: dict[str, Form], source: Source | None) -> Iterator[list[Form]]:
    """Load the items of a list in chunks, one chunk at a time.

    Args:
        form: the envelope ``enact/List``.
        source: has the chunks.

    Yields:
        Lists of items, as forms; ``{"": link}`` stands for an item in another block.

    Raises:
        MalformedBlock: the tree is not one that an encoder makes.
        MissingBlock: the source lacks a chunk.
    """
    left = list_length(form)
    tails: list[list[Form]] = form["tails"]  # type: ignore[assignment]
    for level in range(len(tails) - 1, -1, -1):
        for chunk in _leaves(tails[level], level, source or NOTHING):
            left -= len(chunk)
            if left < 0:
                raise MalformedBlock("a list in chunks has more items than it says")
            yield chunk
    if left:
        raise MalformedBlock("a list in chunks has fewer items than it says")


def _chunks_back(form: dict[str, Form], source: Source | None) -> Iterator[list[Form]]:
    """The chunks of a list, the last one first."""
    tails: list[list[Form]] = form["tails"]  # type: ignore[assignment]
    for level, tail in enumerate(tails):
        yield from _leaves(tail, level, source or NOTHING, -1)


def _leaves(
    entries: list[Form], level: int, source: Source, step: int = 1
) -> Iterator[list[Form]]:
    if level == 0:
        yield entries
        return
    for data in _blocks(list(map(as_link, entries[::step])), source):
        chunk = decode_form(data)
        if type(chunk) is not list or not chunk:
            raise MalformedBlock("a chunk of a list is an empty list, or none")
        yield from _leaves(chunk, level - 1, source, step)


def _blocks(links: list[bytes], source: Source) -> Iterator[bytes]:
    """Load blocks, several at once from a store that can."""
    load = getattr(source, "load_blocks", None)
    for start in range(0, len(links), _TOGETHER):
        some = links[start : start + _TOGETHER]
        if load is None or len(some) == 1:
            yield from map(source.load_block, some)
        else:
            found = load(some)
            yield from (found[link] for link in some)


def as_link(form: Form) -> bytes:
    """Check that a form is a link.

    Args:
        form: any form.

    Returns:
        The binary CID.

    Raises:
        MalformedBlock: it is something else.
    """
    if type(form) is not bytes or not is_cid(form):
        raise MalformedBlock("something else where a link should be")
    return form


def bytes_length(form: dict[str, Form]) -> int:
    """Return how long bytes in pieces are, checking the shape of their form.

    Args:
        form: the envelope ``enact/Bytes``.

    Returns:
        The number of bytes that it claims.

    Raises:
        MalformedBlock: not the envelope of long bytes.

    Example:
        >>> bytes_length({"$": "enact/Bytes", "size": 0, "chunks": []})
        0
    """
    size = form.get("size")
    if type(size) is not int or size < 0 or len(form) != 3 or "chunks" not in form:
        raise MalformedBlock("not the envelope of long bytes")
    return size


def read_bytes(form: dict[str, Form], source: Source | None) -> bytes:
    """Put long bytes together.

    Args:
        form: the envelope ``enact/Bytes``.
        source: has the pieces.

    Returns:
        The bytes.

    Raises:
        MalformedBlock: not what an encoder makes.
        MissingBlock: the source lacks a piece.
    """
    size = bytes_length(form)
    pieces = []
    left = size
    for link in read_links(form["chunks"], source):
        piece = decode_form((source or NOTHING).load_block(link))
        if type(piece) is not bytes or piece[:1] == b"\x01":
            raise MalformedBlock("a piece of long bytes is something else")
        piece = unescape(piece)
        left -= len(piece)
        if left < 0 or not piece:
            break
        pieces.append(piece)
    if left:
        raise MalformedBlock("long bytes are not as long as they say")
    return b"".join(pieces)


def read_links(form: Form, source: Source | None = None) -> LinkList:
    """Read a list of refs without loading what it does not need.

    Args:
        form: as `encode_links` makes it.
        source: has the chunks, if there are any.

    Returns:
        A sequence of binary CIDs.

    Raises:
        MalformedBlock: not the form of a list.

    Example:
        >>> len(read_links([]))
        0
    """
    if type(form) is list:
        return LinkList({"$": "enact/List", "len": len(form), "tails": [form]}, source)
    if type(form) is dict and form.get("$") == "enact/List":
        return LinkList(form, source)
    raise MalformedBlock("something else where a list of links should be")


class LinkList(Sequence[bytes]):
    """A list of binary CIDs that is loaded chunk by chunk, as far as it is looked at.

    It is loaded from the end that is nearer: chunks do not tell how long they are.

    Args:
        form: the envelope ``enact/List``.
        source: has the chunks, if there are any.
    """

    __slots__ = (
        "_count", "_form", "_last", "_loaded", "_rest", "_rest_back", "_source",
    )  # fmt: skip

    def __init__(self, form: dict[str, Form], source: Source | None) -> None:
        self._count = list_length(form)
        self._form = form
        self._source = source
        self._loaded: list[bytes] = []
        self._rest: Iterator[list[Form]] | None = None
        self._last: list[bytes] = []  # from the end, backwards
        self._rest_back: Iterator[list[Form]] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        if len(self._loaded) == self._count:
            yield from self._loaded
            return
        for chunk in list_chunks(self._form, self._source):
            for link in chunk:
                yield as_link(link)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self._at(at) for at in range(self._count)[index]]
        at = index + self._count if index < 0 else index
        if not 0 <= at < self._count:
            raise IndexError(f"index {index} in a list of {self._count} links")
        return self._at(at)

    def _at(self, at: int) -> bytes:
        if at < len(self._loaded):
            return self._loaded[at]
        back = self._count - 1 - at
        if at - len(self._loaded) <= back - len(self._last):
            self._load(at + 1)
            return self._loaded[at]
        self._load_back(back + 1)
        return self._last[back]

    def __repr__(self) -> str:
        return f"<LinkList of {self._count}>"

    def _load(self, count: int) -> None:
        if self._rest is None:
            self._rest = list_chunks(self._form, self._source)
        while len(self._loaded) < count:
            chunk = next(self._rest, None)
            if chunk is None:
                raise MalformedBlock("a list in chunks has fewer items than it says")
            self._loaded += map(as_link, chunk)

    def _load_back(self, count: int) -> None:
        if self._rest_back is None:
            self._rest_back = _chunks_back(self._form, self._source)
        while len(self._last) < count:
            chunk = next(self._rest_back, None)
            if chunk is None:
                raise MalformedBlock("a list in chunks has fewer items than it says")
            self._last += map(as_link, reversed(chunk))


class _Nothing:
    """The source of values that are read from bytes alone."""

    def load_block(self, cid: bytes, /) -> bytes:
        raise MissingBlock(f"no store is at hand to read block {cid_text(cid)} from")


#: Has no block.
NOTHING = _Nothing()
