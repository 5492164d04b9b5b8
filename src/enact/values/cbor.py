# SPDX-License-Identifier: Apache-2.0
"""The one module that touches libipld, and closes its gaps.

A *form* is what libipld takes and gives: None, bool, int, float, str, bytes, and lists
and dicts with str keys of these. Bytes need care, since libipld writes whatever starts
like a CID as a link, and gives links and bytes back alike. So bytes of users that start
with 00, 01 or 12 get one 00 in front. Then, in a form, bytes that start with 01 are a
link, and none start with 12.

The decoder of libipld trusts sizes and depths that a block claims, and takes a few
spellings that no encoder of DAG-CBOR writes. `decode_form` therefore bounds size, depth
and number of parts beforehand, and `check_block` compares with what would be written.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import libipld

from enact.errors import LimitExceeded, MalformedBlock
from enact.values.cids import is_cid
from enact.values.limits import MAX_BLOCK_BYTES, MAX_BLOCK_DEPTH, MAX_NODES

Form: TypeAlias = (
    "None | bool | int | float | str | bytes | list[Form] | dict[str, Form]"
)

MIN_INT = -(1 << 63)
MAX_INT = (1 << 63) - 1

#: First bytes that make libipld write bytes as a link, and the escape itself.
ESCAPED = frozenset((0x00, 0x01, 0x12))

#: DAG-CBOR bytes of a form. Raises ValueError for lone surrogates and nothing else,
#: since what else it cannot write never gets into a form.
encode_form = libipld.encode_dag_cbor

#: What precedes the 32 bytes of a hash where a block holds a link.
LINK_HEAD = b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20"
LINK_BYTES = 41

# A block below these bounds is as harmless as its size; above, it is scanned first.
_SMALL_BLOCK = 64 * 1024
_NO_CONTAINER = bytes(b for b in range(256) if not 0x80 <= b <= 0xBF)
_LINKS = re.compile(b"(?:" + re.escape(LINK_HEAD) + b".{32})+", re.DOTALL)


def escape(data: bytes) -> bytes:
    """Return the form of bytes of a user.

    Args:
        data: any bytes.

    Returns:
        The same bytes, with 00 in front where they would be mistaken for a link.

    Example:
        >>> escape(b"\\x01\\x02"), escape(b"abc")
        (b'\\x00\\x01\\x02', b'abc')
    """
    return b"\0" + data if data and data[0] in ESCAPED else data


def unescape(form: bytes) -> bytes:
    """Return the bytes of a user that a form stands for.

    Args:
        form: bytes found in a form, known not to be a link.

    Returns:
        The bytes as they were before `escape`.

    Raises:
        MalformedBlock: `escape` makes no such form.

    Example:
        >>> unescape(b"\\x00\\x01\\x02")
        b'\\x01\\x02'
    """
    if form and form[0] in ESCAPED:
        if form[0] != 0 or len(form) < 2 or form[1] not in ESCAPED:
            raise MalformedBlock(f"bytes that no encoder writes: {form[:8].hex()}...")
        return form[1:]
    return form


def decode_form(data: bytes) -> Form:
    """Decode a block, its size, depth and number of parts bounded beforehand.

    Args:
        data: the bytes of the block.

    Returns:
        The form.

    Raises:
        LimitExceeded: the block is too large, too deep, or has too many parts.
        MalformedBlock: the bytes are not DAG-CBOR.

    Example:
        >>> decode_form(b"\\x82\\x01\\x61a")
        [1, 'a']
    """
    size = len(data)
    if size > MAX_BLOCK_DEPTH:
        # To be deep, a block must hold as many heads of containers.
        if size > _SMALL_BLOCK:
            scan(data)
        elif len(data.translate(None, _NO_CONTAINER)) > MAX_BLOCK_DEPTH:
            scan(data)
    try:
        form: Form = libipld.decode_dag_cbor(data)
    except ValueError as error:
        raise MalformedBlock(str(error)) from error
    except RecursionError as error:
        raise LimitExceeded("a block is nested too deep") from error
    return form


def scan(data: bytes) -> None:
    """Walk the heads of a block without building anything.

    Args:
        data: the bytes of the block.

    Raises:
        LimitExceeded: the block is too large, too deep, or has too many parts.
        MalformedBlock: lengths do not fit the bytes, or a link is no CID of ours.

    Example:
        >>> scan(b"\\x9a\\x00\\x10\\x00\\x00")
        Traceback (most recent call last):
        ...
        enact.errors.MalformedBlock: a block claims more items than it has bytes
    """
    end = len(data)
    if end > MAX_BLOCK_BYTES:
        raise LimitExceeded(f"a block of {end} bytes; the limit is {MAX_BLOCK_BYTES}")
    position = nodes = 0
    left = 1
    above: list[int] = []
    while True:
        while not left:
            if not above:
                if position != end:
                    raise MalformedBlock("a block goes on after its end")
                return
            left = above.pop()
        left -= 1
        nodes += 1
        if position >= end:
            raise MalformedBlock("a block ends too early")
        head = data[position]
        major, argument = head >> 5, head & 31
        position += 1
        if argument >= 24:
            if argument > 27:
                raise MalformedBlock("a length that is left open, or reserved")
            width = 1 << (argument - 24)
            argument = int.from_bytes(data[position : position + width], "big")
            position += width
        if major == 2 or major == 3:
            position += argument
        elif major == 4 or major == 5:
            argument <<= major - 4
            if argument > end - position:
                raise MalformedBlock("a block claims more items than it has bytes")
            above.append(left)
            left = argument
            if len(above) > MAX_BLOCK_DEPTH:
                raise LimitExceeded(f"a block is nested deeper than {MAX_BLOCK_DEPTH}")
        elif major == 6:
            if data[position - 2 : position + 7] != LINK_HEAD:
                raise MalformedBlock("a tag that is no link to a block")
            position += LINK_BYTES - 2
        if nodes > MAX_NODES:
            raise LimitExceeded(f"a block has more than {MAX_NODES} parts")
        if position > end:
            raise MalformedBlock("a block ends too early")


def check_block(data: bytes) -> Form:
    """Check bytes from elsewhere: bounded, canonical, links of the right shape.

    Args:
        data: the bytes of a block.

    Returns:
        The form, which encodes to exactly these bytes.

    Raises:
        LimitExceeded: the block is too large, too deep, or has too many parts.
        MalformedBlock: no encoder of ours writes these bytes.

    Example:
        >>> check_block(b"\\xa1\\x61a\\x01")
        {'a': 1}
    """
    scan(data)
    form = decode_form(data)
    try:
        same = encode_form(form) == data
    except ValueError:
        same = False
    if not same:
        raise MalformedBlock("a block is not in canonical form")
    _walk(form, [])
    return form


def links(data: bytes) -> list[bytes]:
    """List what a block links to, chunks of long values included.

    Args:
        data: the bytes of a block.

    Returns:
        Binary CIDs in the order of the bytes, as often as they occur.

    Raises:
        LimitExceeded: the block is too large, too deep, or has too many parts.
        MalformedBlock: the bytes are no block of ours.

    Example:
        >>> links(b"\\x82\\x01\\x61a")
        []
    """
    start = data.find(LINK_HEAD)
    if start < 0:
        return []
    if start <= 5:
        # Nearly all links are in lists of links: cut them out without decoding.
        run = _LINKS.fullmatch(data, start)
        if run is not None and _is_list_head(data[:start], (len(data) - start) // 41):
            return [data[i : i + 36] for i in range(start + 5, len(data), LINK_BYTES)]
    found: list[bytes] = []
    _walk(decode_form(data), found)
    return found


def _is_list_head(head: bytes, count: int) -> bool:
    """Tell whether these bytes open a list of so many items, spelled canonically."""
    if count < 24:
        return head == bytes((0x80 | count,))
    width = 1 if count < 1 << 8 else 2 if count < 1 << 16 else 4
    code = 0x98 + width.bit_length() - 1
    return head == bytes((code,)) + count.to_bytes(width, "big")


def _walk(form: Form, found: list[bytes]) -> None:
    """Collect the links of a form in order, and refuse bytes that no encoder writes."""
    pending = [form]
    while pending:
        item = pending.pop()
        if type(item) is bytes:
            if item[:1] == b"\x01":
                if not is_cid(item):
                    raise MalformedBlock("a link that is no CID of a dag-cbor block")
                found.append(item)
            else:
                unescape(item)
        elif type(item) is list:
            pending.extend(reversed(item))
        elif type(item) is dict:
            pending.extend(reversed(item.values()))
