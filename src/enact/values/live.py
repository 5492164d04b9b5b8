# SPDX-License-Identifier: Apache-2.0
"""Secrets that are alive in this process, and the texts by which they would show.

As long as no secret was made, all of this is one look at an empty dict.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote, quote_plus

#: What stands in place of the text of a secret.
MARK = "[redacted:secret]"

#: Shorter texts occur by chance in everything.
SHORTEST = 6

_MAX_DEPTH = 8


class Holder(Protocol):
    """What the registry holds: a `Secret` whose value is known."""

    guises: tuple[str, ...] | None
    """Texts by which it would show, once they are known and cannot change."""

    def reveal(self) -> Any:
        """Return the value."""


#: All secrets that are alive, by their ``id``. Look at its truth before anything else.
LIVE: dict[int, weakref.ref[Any]] = {}


def remember(secret: Holder) -> None:
    """Keep the text of a secret out of what is written, for as long as it lives.

    Args:
        secret: the secret.
    """
    key = id(secret)

    # The names of a module may be gone when the last secrets go.
    def forget(ref: weakref.ref[Any], live: dict[int, weakref.ref[Any]] = LIVE) -> None:
        if live.get(key) is ref:
            del live[key]

    LIVE[key] = weakref.ref(secret, forget)


def live_secrets() -> list[Any]:
    """Return all secrets that are alive.

    Returns:
        A list, whose order means nothing.
    """
    # `list` of a plain dict is one step, whatever other threads do.
    found = [ref() for ref in list(LIVE.values())]
    return [secret for secret in found if secret is not None]


def texts_of(value: Any, depth: int = 0) -> Iterator[str | bytes]:
    """Return the texts in a value by which it would be known.

    Args:
        value: what a secret holds.
        depth: of containers around it.

    Returns:
        Its texts and bytes that are not too short, and the digits of long numbers.

    Example:
        >>> list(texts_of({"user": "ada", "password": "correct horse"}))
        ['correct horse']
    """
    if isinstance(value, str | bytes | bytearray):
        if len(value) >= SHORTEST:
            yield bytes(value) if isinstance(value, bytearray) else value
    elif isinstance(value, int):
        if value.bit_length() <= 1024:  # Python gives no digits of very long ones
            yield from texts_of(str(value), depth)
    elif depth > _MAX_DEPTH:
        return
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from texts_of(part, depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from texts_of(part, depth + 1)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from texts_of(getattr(value, field.name, None), depth + 1)


def live_texts() -> list[str]:
    """Return what must not be seen in any text, the longest first.

    Returns:
        The texts of all secrets that are alive, also as they show in a ``repr``, in
        JSON, in an address and in base 64.
    """
    found: set[str] = set()
    for secret in live_secrets():
        found.update(secret.guises or _guises_of(secret))
    return sorted(found, key=len, reverse=True)


def _guises_of(secret: Holder) -> tuple[str, ...]:
    value = secret.reveal()
    guises = tuple({g for text in texts_of(value) for g in _guises(text)})
    if isinstance(value, str | bytes):  # others may change
        secret.guises = guises
    return guises


def live_bytes() -> list[bytes]:
    """Return what must not be seen in any bytes, the longest first.

    Returns:
        The texts of all secrets that are alive, in UTF-8.
    """
    found = {
        text if isinstance(text, bytes) else _utf8(text)
        for secret in live_secrets()
        for text in texts_of(secret.reveal())
    }
    return sorted(found, key=len, reverse=True)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _guises(text: str | bytes) -> Iterator[str]:
    data = text if isinstance(text, bytes) else _utf8(text)
    yield repr(text).lstrip("b")[1:-1]
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    yield text
    yield json.dumps(text)[1:-1]
    yield quote(data, safe="")
    yield quote_plus(data, safe="")
    yield base64.b64encode(data).decode()
    yield data.hex()


def without_live(text: str) -> str:
    """Return a text without the secrets that are alive.

    Args:
        text: any.

    Returns:
        The text, with a mark in place of each.

    Example:
        >>> without_live("nothing to hide")
        'nothing to hide'
    """
    if LIVE:
        for needle in live_texts():
            if needle in text and needle not in MARK:
                text = text.replace(needle, MARK)
    return text


def bytes_without_live(data: bytes) -> bytes:
    """Return bytes without the secrets that are alive.

    Args:
        data: any.

    Returns:
        The bytes, with a mark in place of each.
    """
    if LIVE:
        for needle in live_bytes():
            if needle in data and needle not in MARK.encode():
                data = data.replace(needle, MARK.encode())
    return data
