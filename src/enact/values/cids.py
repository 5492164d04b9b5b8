# SPDX-License-Identifier: Apache-2.0
"""Content identifiers: how a block is addressed.

A block is addressed by a CIDv1 (codec dag-cbor, hash sha2-256). Inside the package
an identifier is its 36 bytes, for people it is the base32 text of these.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256

#: CID version 1, codec dag-cbor (0x71), hash sha2-256 (0x12) of 32 bytes (0x20).
CID_PREFIX = b"\x01\x71\x12\x20"
CID_LENGTH = 36


def cid_of(data: bytes) -> bytes:
    """Return the identifier of a block.

    Args:
        data: the bytes of the block.

    Returns:
        The binary CID, 36 bytes.

    Example:
        >>> cid_text(cid_of(b"\\xf6"))
        'bafyreifqwkmiw256ojf2zws6tzjeonw6bpd5vza4i22ccpcq4hjv2ts7cm'
    """
    return CID_PREFIX + sha256(data).digest()


def is_cid(cid: bytes) -> bool:
    """Tell whether these are the bytes of an identifier of ours.

    Args:
        cid: any bytes.

    Returns:
        True for 36 bytes that begin like a CIDv1 with dag-cbor and sha2-256.

    Example:
        >>> is_cid(cid_of(b"\\xf6")), is_cid(b"\\x01")
        (True, False)
    """
    return len(cid) == CID_LENGTH and cid.startswith(CID_PREFIX)


def cid_text(cid: bytes) -> str:
    """Return the text of an identifier: multibase base32, lower case.

    Args:
        cid: a binary CID.

    Returns:
        Text such as ``bafyrei...``, 59 characters.

    Example:
        >>> cid_from_text(cid_text(cid_of(b"\\xf6"))) == cid_of(b"\\xf6")
        True
    """
    return "b" + base64.b32encode(cid).decode("ascii").rstrip("=").lower()


def cid_from_text(text: str) -> bytes:
    """Return the binary CID that a text names.

    Args:
        text: as made by `cid_text`.

    Returns:
        The 36 bytes.

    Raises:
        ValueError: the text is no identifier of a dag-cbor block with sha2-256.

    Example:
        >>> cid_from_text("oops")
        Traceback (most recent call last):
        ...
        ValueError: not an identifier of a block: 'oops'
    """
    if len(text) == 59 and text[0] == "b" and text.islower():
        try:
            cid = base64.b32decode(text[1:].upper() + "======")
        except binascii.Error:
            cid = b""
        # The last digit holds two spare bits; only one spelling is the right one.
        if is_cid(cid) and cid_text(cid) == text:
            return cid
    raise ValueError(f"not an identifier of a block: {text!r}")
