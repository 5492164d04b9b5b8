# SPDX-License-Identifier: Apache-2.0
"""The blocks of leaf calls, made by putting hashes into bytes that are known before.

Of the five blocks of a call, three have the same bytes each time but for the hashes in
their links. What is around the hashes is taken from the general encoder: it writes each
block once with stand-ins for the hashes, and the result is cut where they are. The
layout stays that of ``layout.py``; a test compares the two.
"""

from __future__ import annotations

from enact.calls import layout
from enact.values.cids import CID_PREFIX

# Two identifiers that stand for any: nothing has these hashes.
_ONE = CID_PREFIX + bytes(32)
_OTHER = CID_PREFIX + b"\xff" * 32


def _cut(block: bytes, *standins: bytes) -> list[bytes]:
    """The bytes around the hashes of identifiers, which are left out."""
    pieces = []
    for cid in standins:
        piece, block = block.split(cid.removeprefix(CID_PREFIX))
        pieces.append(piece)
    return [*pieces, block]


# An invocation is these three, with two hashes between them (the last is empty).
INVOCATION_HEAD, INVOCATION_MIDDLE, _rest = _cut(
    layout.invocation(_ONE, _OTHER), _ONE, _OTHER
)
assert not _rest


class FixedBlocks:
    """What requests to one function, and responses of it as a leaf, have in common.

    A request is ``request_head``, the hash of the input, ``request_tail``. A response
    is ``response_head``, the hash of the output, ``response_tail``.

    Args:
        invokable: identifier of the function.
        code: digest of its code.
    """

    __slots__ = ("request_head", "request_tail", "response_head", "response_tail")

    def __init__(self, invokable: bytes, code: str | None) -> None:
        self.request_head, self.request_tail = _cut(
            layout.request(invokable, _ONE), _ONE
        )
        self.response_head, self.response_tail = _cut(
            layout.leaf_response(invokable, _ONE, None, False, code), _ONE
        )
