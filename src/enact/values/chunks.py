# SPDX-License-Identifier: Apache-2.0
"""Long values as trees of shared chunks, so that growing costs what grows.

A list whose bytes exceed `SMALL` is cut into chunks, each a block of its own, where
its content says so; the links to the chunks are a list that is cut in turn. What
follows the last cut on each level, the *tail*, stands in the value itself::

    {"$": "enact/List", "len": n, "tails": [[items], [links to lists of items], ...]}

Cuts depend on nothing but a few neighbouring items: a list that grew, a window of it,
and a list with another end share all chunks but a few. An item of `OUTLINE` bytes or
more is a block of its own, and ``{"": link}`` stands for it. The bytes of strings are
cut likewise::

    {"$": "enact/Bytes", "size": n, "chunks": [links to bytes]}

Cuts between items are placed after local minima of hashes (as in "local minimum
chunking", with a fixed horizon): chunks then vary far less in size than with a plain
threshold on the hash, which keeps the part that a growing list writes again small.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import shake_256
from typing import TypeAlias
from zlib import crc32

from enact.errors import LimitExceeded
from enact.values.cbor import LINK_BYTES, Form, encode_form, escape
from enact.values.cids import CID_LENGTH, cid_of
from enact.values.limits import MAX_TEXT_BYTES

Emit: TypeAlias = Callable[[bytes, bytes], None]

#: Values of up to so many bytes have no chunks.
SMALL = 1024

#: Nor have lists of fewer items.
MIN_ITEMS = 4

#: Items from this size on are blocks of their own.
OUTLINE = 128

#: A cut needs the least hash among so many items before and after it. Chunks hold at
#: least HORIZON + 1 items, and 2 * HORIZON + 1 on average.
HORIZON = 4

#: The same for links to chunks. Of these, each version of a growing value writes the
#: last few on every level again.
LINK_HORIZON = 2

#: Chunks of items hold no more bytes than this.
MAX_CHUNK = 16 * 1024

#: Bytes and UTF-8 of strings up to this size stay in one piece.
MAX_TEXT = 4 * 1024

#: Plain dicts from this size on become envelopes, the items of which can be cut.
MAX_DICT = 32 * 1024

_MAPPINGS = frozenset(
    ("enact/Dict", "enact/OrderedDict", "enact/DefaultDict", "enact/Counter")
)

#: A list of this many links is the shortest that exceeds SMALL.
_MANY_LINKS = (SMALL - 2) // LINK_BYTES + 1

# Local minima are sought among low hashes only; few are higher than this.
_LOW = re.compile(b"[\x00-\x5f]")

_NEVER = 255

# Small items are cut less often, so that their chunks hold more of them: from this size
# on every local minimum cuts, below one item in _RARITY divided by its squared size.
_FULL_SIZE = 40
_RARITY = 14_400

# Checksums of similar items differ in few bits, so they are multiplied by this. By the
# size of a small item: below which product it cuts.
_MIXER, _WORD = 0x9E3779B1, 0xFFFFFFFF
_CUTS_BELOW = [-(-(size * size << 16) // _RARITY) << 16 for size in range(_FULL_SIZE)]


# How many items are looked at together.
_AT_A_TIME = 4096

# By the last byte of a float: one value in 256 may cut.
_FLOAT_HASHES = bytes(0 if byte == 0xA5 else _NEVER for byte in range(256))


def _symbols() -> bytes:
    """Make the table that maps every byte to one of four symbols, pseudo-randomly.

    Common letters are spread over the symbols as evenly as all bytes are, so that texts
    are cut about as often as images.
    """
    order = shake_256(b"enact").digest(256)
    common = (b" eta", b"oins", b"hrdl", b"cumf", b"pgwy", b"bvk,")
    table = bytearray(256)
    for group in (*common, bytes(set(range(256)).difference(*common))):
        for rank, byte in enumerate(
            sorted(group, key=lambda byte: (order[byte], byte))
        ):
            table[byte] = rank % 4
    return bytes(table)


_SYMBOLS = _symbols()

#: How bytes are cut: after which symbols, in pieces of how many bytes at least and at
#: most. Long texts grow little by little, and share small pieces; what is longer still
#: is rarely text, and there the number of blocks counts.
_TEXT_CUT = (b"\0\1\2", 512, 8 * 1024)
_DATA_CUT = (b"\0\1\2\3\1\0", 2048, 32 * 1024)
_MAX_TEXT_CUT = 256 * 1024


class Shrinker:
    """Makes the form of one value small.

    Args:
        emit: takes the blocks of chunks.
    """

    __slots__ = ("_emit", "_text")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._text = MAX_TEXT_BYTES

    def shrink(self, form: Form, data: bytes) -> Form:
        """Move the parts of a large form into blocks of their own.

        Args:
            form: of a value, or of a part of one.
            data: its bytes.

        Returns:
            A form for the same value; the one given, if nothing in it is long enough.

        Raises:
            LimitExceeded: a string is too long.

        Example:
            >>> Shrinker(lambda cid, data: None).shrink([1, 2], b"")
            [1, 2]
        """
        if type(form) is list:
            if len(form) >= MIN_ITEMS and len(data) > SMALL:
                return self._cut_list(form, data)
            parts: list[Form] = []
            for item in form:
                parts.append(self._part(item))
            return parts
        if type(form) is dict:
            name = form.get("$")
            if name == "enact/List" or name == "enact/Bytes":
                return form  # is small already
            # Loops, since a comprehension would be one more frame on every level.
            small: dict[str, Form] = {}
            for key, item in form.items():
                if key == "items" and name in _MAPPINGS and type(item) is list:
                    small[key] = self._items(item)
                else:
                    small[key] = self._part(item)
            if len(data) > MAX_DICT:
                return self._cut_dict(small)
            return small
        if type(form) is str:
            if len(data) > MAX_TEXT:
                text = form.encode("utf-8")
                if len(text) > MAX_TEXT:
                    return {"$": "enact/Str", "utf8": self._cut_bytes(text)}
        elif type(form) is bytes and len(form) > MAX_TEXT:
            return self._cut_bytes(form[1:] if form[0] == 0 else form)
        return form

    def _items(self, items: list[Form]) -> Form:
        """Return the form of the items of a dict, cut at the size of plain dicts."""
        small: list[Form] = []
        for item in items:
            small.append(self._part(item))
        return (
            small if len(encode_form(small)) <= MAX_DICT else self._cut_list(small, b"")
        )

    def _cut_dict(self, small: dict[str, Form]) -> Form:
        """Return the form of a dict, cut into chunks if its parts are still large."""
        if "$" in small or len(encode_form(small)) <= MAX_DICT:
            return small
        items = [part for item in small.items() for part in item]
        return {"$": "enact/Dict", "items": self._cut_list(items, b"")}

    def _part(self, form: Form) -> Form:
        cls = type(form)
        if cls is list or cls is dict:
            data = encode_form(form)
            return self.shrink(form, data) if len(data) > SMALL else form
        if cls is str or cls is bytes:
            size = len(form)  # type: ignore[arg-type]
            # No character takes more than four bytes.
            if size * 4 > MAX_TEXT:
                return self.shrink(form, encode_form(form))
        return form

    def _cut_list(self, forms: list[Form], data: bytes) -> Form:
        """Return the form of a list, cut into chunks."""
        first = type(forms[0])
        if first is float and data and set(map(type, forms)) == {float}:
            # Nine bytes each; vectors of numbers are worth this shorter way.
            start = len(data) - 9 * len(forms)
            hashes = data[start + 8 :: 9].translate(_FLOAT_HASHES)
            return _tree(forms, hashes, [9] * len(forms), self._emit)
        if first is bytes and set(map(type, forms)) == {bytes}:
            links: list[bytes] = forms  # type: ignore[assignment]
            if set(map(len, links)) == {CID_LENGTH}:
                joined = b"".join(links)
                # Bytes of users that start with 01 are escaped, so these are links.
                if joined[::CID_LENGTH] == b"\x01" * len(links):
                    return _tree(forms, _last_bytes(links), None, self._emit)
        return self._cut_items(forms)

    def _cut_items(self, forms: list[Form]) -> Form:
        """Return the form of a list of anything, cut into chunks."""
        items: list[Form] = []
        hashes = bytearray()
        sizes: list[int] = []
        for start in range(0, len(forms), _AT_A_TIME):
            some = forms[start : start + _AT_A_TIME]
            encoded = list(map(encode_form, some))
            lengths = list(map(len, encoded))
            if max(lengths) >= _FULL_SIZE:
                for form, data in zip(some, encoded, strict=True):
                    self._cut_item(form, data, items, sizes, hashes)
                continue
            # As `_cut_item` does, in fewer steps.
            items += some
            sizes += lengths
            hashes += bytes(
                [
                    0 if checksum * _MIXER & _WORD < _CUTS_BELOW[size] else _NEVER
                    for size, checksum in zip(lengths, map(crc32, encoded), strict=True)
                ]
            )
        return _tree(items, bytes(hashes), sizes, self._emit)

    def _cut_item(
        self,
        form: Form,
        data: bytes,
        items: list[Form],
        sizes: list[int],
        hashes: bytearray,
    ) -> None:
        """Add one item of a list, or a link to what it is too large for."""
        size = len(data)
        if size >= OUTLINE:
            if size > SMALL:
                data = encode_form(self.shrink(form, data))
            cid = cid_of(data)
            self._emit(cid, data)
            items.append({"": cid})
            hashes.append(cid[35])
            sizes.append(LINK_BYTES + 2)
            return
        items.append(form)
        sizes.append(size)
        if type(form) is bytes and size == LINK_BYTES and form[0] == 1:
            hashes.append(form[35])
            return
        mixed = crc32(data) * _MIXER & _WORD
        if size >= _FULL_SIZE:
            hashes.append(mixed >> 24)
        else:
            hashes.append(0 if mixed < _CUTS_BELOW[size] else _NEVER)

    def _cut_bytes(self, data: bytes) -> Form:
        """Return the form of long bytes, cut into pieces."""
        size = len(data)
        self._text -= size
        if self._text < 0:
            raise LimitExceeded(f"a value has more than {MAX_TEXT_BYTES} bytes of text")
        end_mark, least, most = _TEXT_CUT if size <= _MAX_TEXT_CUT else _DATA_CUT
        symbols = data.translate(_SYMBOLS)
        cids = []
        start = 0
        while start < size:
            end = symbols.find(end_mark, start + least, start + most) + len(end_mark)
            if end < len(end_mark):
                end = start + most
            block = encode_form(escape(data[start:end]))
            cid = cid_of(block)
            self._emit(cid, block)
            cids.append(cid)
            start = end
        links: Form = cids  # type: ignore[assignment]
        if len(cids) > 2 * LINK_HORIZON:
            links = _tree(cids, _last_bytes(cids), None, self._emit, LINK_HORIZON)  # type: ignore[arg-type]
        return {"$": "enact/Bytes", "size": size, "chunks": links}


def encode_links(cids: Sequence[bytes], emit: Emit) -> Form:
    """Return the form of a list of refs.

    Args:
        cids: what they refer to, binary CIDs; there may be a million.
        emit: takes the blocks of chunks, if the list is long.

    Returns:
        The form; the same that an `Encoder` makes of a list of `Ref` objects.

    Example:
        >>> encode_links([], lambda cid, data: None)
        []
    """
    links = list(cids)
    if len(links) < _MANY_LINKS:
        return links  # type: ignore[return-value]
    return _tree(links, _last_bytes(links), None, emit)  # type: ignore[arg-type]


def _last_bytes(cids: list[bytes]) -> bytes:
    """Return the last bytes of identifiers, which serve as hashes of what they link."""
    return b"".join(cids)[CID_LENGTH - 1 :: CID_LENGTH]


def _tree(
    items: list[Form],
    hashes: bytes,
    sizes: list[int] | None,
    emit: Emit,
    horizon: int = HORIZON,
) -> dict[str, Form]:
    """Cut items into chunks, the links to these into chunks again, and so on."""
    count = len(items)
    tails: list[Form] = []
    while True:
        chunks, tail = _cut(items, hashes, sizes, horizon)
        tails.append(tail)
        if not chunks:
            return {"$": "enact/List", "len": count, "tails": tails}
        links = []
        for chunk in chunks:
            data = encode_form(chunk)
            cid = cid_of(data)
            emit(cid, data)
            links.append(cid)
        items = links  # type: ignore[assignment]
        hashes = _last_bytes(links)
        sizes = None
        horizon = LINK_HORIZON


def _cut(
    items: list[Form], hashes: bytes, sizes: list[int] | None, horizon: int
) -> tuple[list[list[Form]], list[Form]]:
    """Return the chunks of a list of items, and what follows the last cut."""
    chunks: list[list[Form]] = []
    start = 0
    for end in _cuts(hashes, horizon):
        start = _split(items, sizes, start, end, chunks)
        chunks.append(items[start:end])
        start = end
    start = _split(items, sizes, start, len(items), chunks)
    return chunks, items[start:]


def _cuts(hashes: bytes, horizon: int) -> list[int]:
    """Return where lists are cut: `horizon` items after each local minimum."""
    found = []
    for match in _LOW.finditer(hashes, horizon, max(len(hashes) - horizon, horizon)):
        at = match.start()
        value = hashes[at]
        after = at + 1 + horizon
        # Of several equal hashes the last one counts.
        if value <= min(hashes[at - horizon : at]) and value < min(
            hashes[at + 1 : after]
        ):
            found.append(after)
    return found


def _split(
    items: list[Form],
    sizes: list[int] | None,
    start: int,
    end: int,
    chunks: list[list[Form]],
) -> int:
    """Cut where a chunk would be too large; return where the last one begins."""
    if sizes is None:
        most = MAX_CHUNK // LINK_BYTES
        while end - start > most:
            chunks.append(items[start : start + most])
            start += most
        return start
    total = 0
    for index in range(start, end):
        total += sizes[index]
        if total > MAX_CHUNK:
            chunks.append(items[start:index])
            start = index
            total = sizes[index]
    return start


def without_surrogates(form: Form) -> Form:
    """Return a form in which strings that are not UTF-8 are envelopes.

    Args:
        form: that libipld refused to write.

    Returns:
        A form that it writes.

    Example:
        >>> without_surrogates(["a", "\\ud800"])
        ['a', {'$': 'enact/Str', 'utf8': b'\\xed\\xa0\\x80'}]
    """
    if type(form) is str:
        try:
            form.encode()
        except UnicodeEncodeError:
            return {
                "$": "enact/Str",
                "utf8": escape(form.encode("utf-8", "surrogatepass")),
            }
        return form
    if type(form) is list:
        return [without_surrogates(item) for item in form]
    if type(form) is dict:
        return {key: without_surrogates(item) for key, item in form.items()}
    return form
