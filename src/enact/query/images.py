# SPDX-License-Identifier: Apache-2.0
"""Files that people hand in, as values of the type that is asked for: images, bytes."""

from __future__ import annotations

import io
import typing
from typing import Any

from enact.errors import WrongAnswer

MOST_BYTES = 10_000_000
"""Of a file that is handed in."""

_MOST_PIXELS = 50_000_000
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


def image_kind(data: bytes) -> str | None:
    """The media type of an image that browsers show, by its first bytes.

    >>> image_kind(b"GIF89a..."), image_kind(b"<svg onload='alert(1)'>")
    ('image/gif', None)
    """
    for magic, kind in _KINDS.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def is_picture(kind: Any) -> bool:
    """Whether a class is that of Pillow's images; it is not imported for that."""
    return isinstance(kind, type) and any(
        one.__name__ == "Image" and one.__module__ == "PIL.Image"
        for one in kind.__mro__
    )


def is_file(wanted: Any) -> bool:
    """Whether values of a type are handed in as files."""
    return wanted in (bytes, bytearray) or is_picture(wanted)


def without_none(wanted: Any) -> Any:
    """Of ``T | None`` the ``T``; any other type as it is."""
    rest = [one for one in typing.get_args(wanted) if one is not type(None)]
    both = len(rest) == 1 and len(typing.get_args(wanted)) == 2
    return rest[0] if both and type(None) in typing.get_args(wanted) else wanted


def read_file(data: bytes, wanted: Any, *, image: bool = False) -> Any:
    """The value that a file stands for.

    Args:
        data: what is in it.
        wanted: a type for which `is_file` holds.
        image: nothing but an image will do, also where bytes are wanted.

    Raises:
        WrongAnswer: it is too large, or of another kind.

    Example:
        >>> read_file(b"GIF89a...", bytes, image=True)
        b'GIF89a...'
    """
    if len(data) > MOST_BYTES:
        raise WrongAnswer(
            f"the file has {len(data):,} bytes; {MOST_BYTES:,} are the most"
        )
    if (image or is_picture(wanted)) and image_kind(data) is None:
        raise WrongAnswer(
            "the file is no image that is known here: give PNG, JPEG, GIF or WebP"
        )
    if not is_picture(wanted):
        return wanted(data)
    from PIL import Image  # it is there, since the type is one of its own

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as found:
            if found.width * found.height > _MOST_PIXELS:
                raise WrongAnswer(
                    f"the image has {found.width} x {found.height} points;"
                    f" {_MOST_PIXELS:,} are the most"
                )
            found.load()
            return found.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise WrongAnswer("the image is damaged, or too large") from None


def picture_bytes(value: Any) -> bytes | None:
    """An image of Pillow's as PNG; None for what is none, or cannot be written so."""
    if not is_picture(type(value)) or value.width * value.height > _MOST_PIXELS:
        return None
    stream = io.BytesIO()
    try:
        value.save(stream, "PNG")
    except (OSError, ValueError):
        return None
    return stream.getvalue()
