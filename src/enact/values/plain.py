# SPDX-License-Identifier: Apache-2.0
"""Lowering and raising of the builtin types.

These loops are the hot path of everything that enact does: they test exact types from
the most to the least common, keep containers as they are for as long as nothing in them
needs another form, and build no paths.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from enact.errors import MalformedBlock
from enact.values.cbor import ESCAPED, MAX_INT, MIN_INT, Form, encode_form, escape
from enact.values.chunks import without_surrogates
from enact.values.limits import MAX_DEPTH
from enact.values.registry import LOADERS, LOWERERS

if TYPE_CHECKING:
    from enact.values.coders import Lowering, Raising
    from enact.values.paths import Frame

#: Keys longer than this make a dict an envelope, so that they may be chunked.
MAX_PLAIN_KEY = 1024

_DOUBLE = struct.Struct(">d")


def _lower_as_is(encoder: Lowering, value: Any, frame: Frame) -> Form:
    return value  # type: ignore[no-any-return]


def _lower_int(encoder: Lowering, value: int, frame: Frame) -> Form:
    if MIN_INT <= value <= MAX_INT:
        return value
    digits = value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)
    return {"$": "enact/Int", "value": escape(digits)}


def _lower_float(encoder: Lowering, value: float, frame: Frame) -> Form:
    # What is finite and not zero; of the two zeros libipld writes one.
    if value and value - value == 0.0:
        return value
    if value == 0.0 and repr(value) == "0.0":
        return value
    return {"$": "enact/Float", "value": escape(_DOUBLE.pack(value))}


def _lower_bytes(encoder: Lowering, value: bytes, frame: Frame) -> Form:
    return b"\0" + value if value and value[0] in ESCAPED else value


def _lower_list(encoder: Lowering, value: list[Any], frame: Frame) -> Form:
    depth = frame[0] + 1
    encoder.budget = budget = encoder.budget - len(value) - 1
    if budget < 0 or depth > MAX_DEPTH:
        encoder.refuse(frame)
    table = encoder.table
    out = value
    for index, item in enumerate(value):
        cls = type(item)
        if cls is str or item is None or cls is bool:
            continue
        if cls is int and MIN_INT <= item <= MAX_INT:
            continue
        if cls is float and item and item - item == 0.0:
            continue
        lowerer = table.get(cls) or encoder.find(cls)
        form = lowerer(encoder, item, (depth, frame, value, item))
        if form is not item:
            if out is value:
                out = value.copy()
            out[index] = form
    return out


def _lower_dict(encoder: Lowering, value: dict[Any, Any], frame: Frame) -> Form:
    depth = frame[0] + 1
    encoder.budget = budget = encoder.budget - len(value) - 1
    if budget < 0 or depth > MAX_DEPTH:
        encoder.refuse(frame)
    table = encoder.table
    out = value
    last_size = 0
    last: Any = ""
    for key, item in value.items():
        # A plain dict has its keys in the order of their bytes, shorter ones first.
        if type(key) is not str:
            return _lower_rest(encoder, value, out, key, frame)
        size = len(key) if key.isascii() else _utf8_size(key)
        if size <= last_size:
            if size < last_size or key <= last:
                return _lower_rest(encoder, value, out, key, frame)
        elif size > MAX_PLAIN_KEY:
            return _lower_rest(encoder, value, out, key, frame)
        if size == 1 and key == "$":
            return _lower_rest(encoder, value, out, key, frame)
        last_size = size
        last = key
        cls = type(item)
        if cls is str or item is None or cls is bool:
            continue
        if cls is int and MIN_INT <= item <= MAX_INT:
            continue
        lowerer = table.get(cls) or encoder.find(cls)
        form = lowerer(encoder, item, (depth, frame, value, item))
        if form is not item:
            if out is value:
                out = value.copy()
            out[key] = form
    return out


def _utf8_size(key: str) -> int:
    """Return the size of a key in a block; -1 if it cannot be UTF-8."""
    try:
        return len(key.encode())
    except UnicodeEncodeError:
        return -1


def _lower_rest(
    encoder: Lowering,
    value: dict[Any, Any],
    done: dict[Any, Any],
    first: object,
    frame: Frame,
) -> Form:
    """Lower a dict that turned out not to be plain at the key `first`."""
    depth = encoder.enter(len(value), frame)
    items: list[Form] = []
    lowered = True
    for key, item in value.items():
        if key is first:
            lowered = False
        if lowered:
            items += (key, done[key])
        else:
            items.append(encoder.lower(key, (depth, frame, value, key)))
            items.append(encoder.lower(item, (depth, frame, value, item)))
    return {"$": "enact/Dict", "items": items}


def lower_items(
    name: str, encoder: Lowering, value: dict[Any, Any], frame: Frame
) -> dict[str, Form]:
    """Lower a dict as an envelope that keeps order and types of keys.

    Args:
        name: of the envelope.
        encoder: the encoder.
        value: the dict, or another mapping with items.
        frame: where it stands.

    Returns:
        The envelope, with keys and values by turns under ``items``.
    """
    depth = encoder.enter(2 * len(value), frame)
    items: list[Form] = []
    for key, item in value.items():
        items.append(encoder.lower(key, (depth, frame, value, key)))
        items.append(encoder.lower(item, (depth, frame, value, item)))
    return {"$": name, "items": items}


def lower_sequence(encoder: Lowering, value: Sequence[Any], frame: Frame) -> list[Form]:
    """Lower the parts of any sequence.

    Args:
        encoder: the encoder.
        value: a tuple or deque.
        frame: where it stands.

    Returns:
        Their forms.
    """
    depth = encoder.enter(len(value), frame)
    table = encoder.table
    out: list[Form] = []
    for item in value:
        cls = type(item)
        if cls is str or item is None or cls is bool:
            out.append(item)
        else:
            lowerer = table.get(cls) or encoder.find(cls)
            out.append(lowerer(encoder, item, (depth, frame, value, item)))
    return out


def _lower_tuple(encoder: Lowering, value: tuple[Any, ...], frame: Frame) -> Form:
    return {"$": "enact/Tuple", "items": lower_sequence(encoder, value, frame)}


def lower_unordered(
    encoder: Lowering, value: Iterable[Any], size: int, frame: Frame
) -> list[Form]:
    """Lower the parts of a set, in an order that depends on nothing but themselves.

    Args:
        encoder: the encoder.
        value: the set.
        size: how many parts it has.
        frame: where it stands.

    Returns:
        Their forms, ordered by their bytes.
    """
    depth = encoder.enter(size, frame)
    forms = [encoder.lower(item, (depth, frame, value, item)) for item in value]
    try:
        return sorted(forms, key=encode_form)
    except ValueError:
        return sorted(forms, key=lambda form: encode_form(without_surrogates(form)))


def _lower_set(encoder: Lowering, value: set[Any], frame: Frame) -> Form:
    items = lower_unordered(encoder, value, len(value), frame)
    return {"$": "enact/Set", "items": items}


def _lower_frozenset(encoder: Lowering, value: frozenset[Any], frame: Frame) -> Form:
    items = lower_unordered(encoder, value, len(value), frame)
    return {"$": "enact/FrozenSet", "items": items}


def _lower_bytearray(encoder: Lowering, value: bytearray, frame: Frame) -> Form:
    return {"$": "enact/ByteArray", "value": escape(bytes(value))}


def _load_int(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    digits = decoder.exactly(bytes, form, "value", depth)
    number = int.from_bytes(digits, "big", signed=True)
    if MIN_INT <= number <= MAX_INT or len(digits) != (number.bit_length() + 8) // 8:
        raise MalformedBlock("an integer in a longer form than it needs")
    return number


def _load_float(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    bits = decoder.exactly(bytes, form, "value", depth)
    if len(bits) != 8:
        raise MalformedBlock("a float has 8 bytes")
    number: float = _DOUBLE.unpack(bits)[0]
    if number - number == 0.0 and repr(number) != "-0.0":
        raise MalformedBlock("a float in a longer form than it needs")
    return number


def _load_str(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    return decoder.exactly(bytes, form, "utf8", depth).decode("utf-8", "surrogatepass")


def _load_tuple(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    return tuple(decoder.exactly(list, form, "items", depth))


def _load_set(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    items = decoder.exactly(list, form, "items", depth)
    loaded = set(items)
    if len(loaded) != len(items):
        raise MalformedBlock("a set holds the same item twice")
    return loaded


def _load_frozenset(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    items = decoder.exactly(list, form, "items", depth)
    loaded = frozenset(items)
    if len(loaded) != len(items):
        raise MalformedBlock("a set holds the same item twice")
    return loaded


def paired(items: list[Any]) -> dict[Any, Any]:
    """Make a dict of keys and values by turns.

    Args:
        items: as `lower_items` wrote them, values by now.

    Returns:
        The items, in order.

    Raises:
        MalformedBlock: a key without a value, or twice the same key.

    Example:
        >>> paired(["a", 1, "b", 2])
        {'a': 1, 'b': 2}
    """
    loaded = dict(zip(items[::2], items[1::2], strict=True))
    if 2 * len(loaded) != len(items):
        raise MalformedBlock("a dict holds the same key twice")
    return loaded


def _load_dict(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    return paired(decoder.exactly(list, form, "items", depth))


def _load_bytearray(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    return bytearray(decoder.exactly(bytes, form, "value", depth))


LOWERERS.update(
    {
        type(None): _lower_as_is,
        bool: _lower_as_is,
        str: _lower_as_is,
        int: _lower_int,
        float: _lower_float,
        bytes: _lower_bytes,
        list: _lower_list,
        dict: _lower_dict,
        tuple: _lower_tuple,
        set: _lower_set,
        frozenset: _lower_frozenset,
        bytearray: _lower_bytearray,
    }
)
LOADERS.update(
    {
        "enact/Int": _load_int,
        "enact/Float": _load_float,
        "enact/Str": _load_str,
        "enact/Tuple": _load_tuple,
        "enact/Set": _load_set,
        "enact/FrozenSet": _load_frozenset,
        "enact/Dict": _load_dict,
        "enact/ByteArray": _load_bytearray,
    }
)
