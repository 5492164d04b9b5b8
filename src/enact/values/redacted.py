# SPDX-License-Identifier: Apache-2.0
"""Values that are written without the credentials in their texts: exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from enact.values.cbor import encode_form, escape, unescape
from enact.values.chunks import without_surrogates
from enact.values.live import LIVE, MARK, bytes_without_live, without_live
from enact.values.redaction import mark, name_rule, redact
from enact.values.registry import ENTRIES, LOWERERS

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowering
    from enact.values.paths import Frame

Redactor = Callable[[str], str]

# Envelopes in which texts may be replaced, and the fields that are no texts of users.
_OPEN: dict[str, frozenset[str]] = {
    "enact/Exception": frozenset(("type",)),
    "enact/NamedTuple": frozenset(("type",)),
    **dict.fromkeys(
        (
            "enact/Tuple",
            "enact/Set",
            "enact/FrozenSet",
            "enact/Dict",
            "enact/OrderedDict",
            "enact/DefaultDict",
            "enact/Deque",
        ),
        frozenset(("factory", "maxlen")),
    ),
}
_PAIRS = ("enact/Dict", "enact/OrderedDict", "enact/DefaultDict")
_SETS = ("enact/Set", "enact/FrozenSet")


class Redacted:
    """Stands for a value that is written without credentials in its texts.

    Whatever looks like one goes, and what secrets that are alive hold. If anything did,
    the encoder is told that a part of the value was withheld.

    Args:
        value: the value.

    Example:
        >>> from enact.values.encoder import Encoder
        >>> error = ValueError("no such user: postgres://ada:lovelace@db")
        >>> b"lovelace" in Encoder(lambda cid, data: None).encode(Redacted(error))
        False
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


def _lower(encoder: Lowering, value: Redacted, frame: Frame) -> Form:
    form = encoder.lower(value.value, frame)
    return _told(encoder, value.value, form, redacted_form(form, redact))


def lowered_without_live(encoder: Lowering, value: object, form: Form) -> Form:
    """Return the form of an exception without the secrets that are alive.

    Args:
        encoder: is told if there were any.
        value: the exception.
        form: its form.

    Returns:
        A form.
    """
    if not LIVE:
        return form
    return _told(encoder, value, form, redacted_form(form, without_live))


def _told(encoder: Lowering, value: object, form: Form, without: Form) -> Form:
    if without != form:
        encoder.withhold(value)
    return without


def redacted_form(form: Form, redactor: Redactor) -> Form:
    """Return a form without credentials.

    Args:
        form: not shrunk yet.
        redactor: takes them out of a text.

    Returns:
        A form that can be read wherever the original can. Kinds of values that texts
        are only a part of are replaced as a whole.
    """
    if type(form) is str:
        return redactor(form)
    if type(form) is bytes:
        # A link has no text; and no mark makes one of what is none.
        linked = form[:1] == b"\x01"
        return form if linked else escape(_bytes(unescape(form), redactor))
    if type(form) is list:
        return [redacted_form(item, redactor) for item in form]
    if type(form) is dict:
        name = form.get("$")
        if type(name) is not str:
            return {
                redactor(key): _named(key, item, redactor) for key, item in form.items()
            }
        return _envelope(name, form, redactor)
    return form


def _bytes(data: bytes, redactor: Redactor) -> bytes:
    data = bytes_without_live(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return redactor(text).encode()


def _named(name: object, item: Any, redactor: Redactor) -> Form:
    """Return the form of an item of a dict, or of a field, without credentials."""
    if redactor is redact:
        rule = name_rule(name, item)
        if rule is not None:
            return mark(rule)
    return redacted_form(item, redactor)


def _envelope(name: Any, form: dict[str, Any], redactor: Redactor) -> Form:
    kept = _OPEN.get(name)
    if kept is None and name in ENTRIES:
        kept = frozenset()
    if name in _PAIRS:
        items = form["items"]
        pairs = zip(items[::2], items[1::2], strict=True)
        return {
            **form,
            "items": [
                part
                for key, item in pairs
                for part in (
                    redacted_form(key, redactor),
                    _named(key, item, redactor),
                )
            ],
        }
    out: dict[str, Any] = {
        key: item
        if key == "$" or (kept is not None and key in kept)
        else _named(key, item, redactor)
        for key, item in form.items()
    }
    if name in _SETS:
        out["items"] = sorted(
            out["items"], key=lambda item: encode_form(without_surrogates(item))
        )
    if kept is None and out != form:
        return {"$": "enact/Opaque", "type": str(name), "repr": MARK}
    return out


LOWERERS[Redacted] = _lower
