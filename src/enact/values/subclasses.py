# SPDX-License-Identifier: Apache-2.0
"""Enums, named tuples, and registered subclasses of builtins such as str and dict."""

from __future__ import annotations

import enum
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from enact.errors import MalformedBlock, SchemaMismatch
from enact.values.classes import CONTENT_TYPES
from enact.values.names import find_loaded
from enact.values.plain import lower_items, lower_sequence, lower_unordered
from enact.values.registry import (
    BY_TYPE,
    ENTRIES,
    LOADERS,
    LOWERERS,
    lookup_type,
    type_name,
    unregistered,
)

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Loader, Lowerer, Lowering, Raising
    from enact.values.paths import Frame


def findable(cls: type) -> str | None:
    """Return why a class could not be found again by name, or None if it can be.

    Args:
        cls: an enum, a named tuple or an exception.

    Returns:
        The reason, in words.

    Example:
        >>> findable(ValueError) is None
        True
    """
    if cls in BY_TYPE:
        return None
    found = find_loaded(type_name(cls))
    if isinstance(found, type) and found.__qualname__ == cls.__qualname__:
        return None
    return (
        f"{cls.__qualname__} cannot be found by its name {type_name(cls)!r}; "
        "register it with @enact.register"
    )


def resolve(cls: type) -> Lowerer | str | None:
    if issubclass(cls, enum.Enum):
        return findable(cls) or _lower_enum
    if issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple):
        return findable(cls) or _lower_named_tuple
    entry = BY_TYPE.get(cls)
    if entry is not None and issubclass(cls, CONTENT_TYPES):
        return _subclass_lowerer(entry.name, cls)
    if issubclass(cls, CONTENT_TYPES):
        base = _base_of(cls)
        return (
            f"{cls.__qualname__} is not the same as {base.__name__}, of which it is a "
            f"subclass; register it, or convert the value with {base.__name__}()"
        )
    return None


def _lower_enum(encoder: Lowering, value: enum.Enum, frame: Frame) -> Form:
    cls = type(value)
    fields: dict[str, object] = {"type": type_name(cls)}
    # Combinations of flags are no members, though they may have names.
    if cls.__members__.get(value.name) is value:
        fields["name"] = value.name
    else:
        fields["value"] = value.value
    return encoder.envelope("enact/Enum", fields, frame)


def _load_enum(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 3)
    cls = _class(decoder, form, depth, enum.Enum)
    if "value" in form:
        value = decoder.value(form["value"], depth + 1)
        return decoder.call(f"{cls.__qualname__}()", cls, value)
    name = decoder.part(str, form, "name", depth)
    member = cls.__members__.get(name)
    if member is None:
        raise SchemaMismatch(f"{cls.__qualname__} has no member {name!r} any more")
    return member


def _lower_named_tuple(encoder: Lowering, value: Any, frame: Frame) -> Form:
    depth = encoder.enter(len(value), frame)
    fields = {
        name: encoder.lower(item, (depth, frame, None, f".{name}"))
        for name, item in zip(value._fields, value, strict=True)
    }
    return {"$": "enact/NamedTuple", "type": type_name(type(value)), "fields": fields}


def _load_named_tuple(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 3)
    cls = _class(decoder, form, depth, tuple)
    fields: dict[str, Any] = decoder.part(dict, form, "fields", depth)
    names = getattr(cls, "_fields", ())
    lost = fields.keys() - set(names)
    if lost:
        raise SchemaMismatch(f"{cls.__qualname__} has no field {min(lost)!r} any more")
    if len(fields) < len(names):
        decoder.evolved = True
        fields = {**getattr(cls, "_field_defaults", {}), **fields}
        for name in names:
            if name not in fields:
                raise SchemaMismatch(f"{cls.__qualname__} has no default for {name!r}")
    # Past any __new__ of a subclass, which takes what it likes.
    return tuple.__new__(cls, [fields[name] for name in names])


def _class(decoder: Raising, form: dict[str, Form], depth: int, base: type) -> Any:
    name = decoder.part(str, form, "type", depth)
    cls = lookup_type(name)
    if not issubclass(cls, base) or not hasattr(
        cls, "__members__" if base is enum.Enum else "_fields"
    ):
        raise unregistered(name)
    if type_name(cls) != name:
        decoder.evolved = True
    return cls


def _base_of(cls: type) -> Any:
    return next((base for base in CONTENT_TYPES if issubclass(cls, base)), None)


def _subclass_lowerer(name: str, cls: type) -> Lowerer | str:
    """Make the function that writes instances of a registered subclass of a builtin."""
    base = _base_of(cls)
    for each in cls.__mro__:
        if each in (OrderedDict, defaultdict) or vars(each).get("__slots__"):
            return (
                f"{cls.__qualname__} keeps more than the content of a {base.__name__} "
                "and a __dict__; register a TypeWrapper for it"
            )

    # The content is taken past any method that the subclass overrides.
    def lower(encoder: Lowering, value: Any, frame: Frame) -> Form:
        form: dict[str, Form] = {"$": name}
        if base is dict:
            form["value"] = lower_items("enact/Dict", encoder, dict.copy(value), frame)
        elif base is set or base is frozenset:
            items = list(base.__iter__(value))
            form["value"] = lower_unordered(encoder, items, len(items), frame)
        elif base is list or base is tuple:
            form["value"] = lower_sequence(encoder, list(base.__iter__(value)), frame)
        elif base is bytearray:
            form["value"] = LOWERERS[bytes](encoder, bytes(value), frame)
        else:
            (content,) = base.__getnewargs__(value)
            form["value"] = LOWERERS[base](encoder, content, frame)
        attributes = getattr(value, "__dict__", None)
        if attributes:
            part = (frame[0] + 1, frame, None, "")
            form["attributes"] = LOWERERS[dict](encoder, attributes, part)
        return form

    return lower


def resolve_loader(name: str) -> Loader | None:
    """Find how instances of a registered subclass of a builtin are read."""
    entry = ENTRIES.get(name)
    base: Any = _base_of(entry.cls) if entry is not None else None
    if entry is None or base is None:
        return None
    cls = entry.cls
    changed = entry.name != name

    def load(decoder: Raising, form: dict[str, Form], depth: int) -> object:
        decoder.evolved |= changed
        decoder.only(form, 3 if "attributes" in form else 2)
        content = decoder.value(form.get("value"), depth)
        if type(content) is not _CONTENTS.get(base, base):
            raise MalformedBlock(f"{name} with a {type(content).__name__} as its value")
        # Past any __new__ and __init__ of the subclass, which take what they like.
        fill = _FILLERS.get(base)
        value = base.__new__(cls) if fill else base.__new__(cls, content)
        if fill is not None:
            fill(value, content)
        if "attributes" in form:
            value.__dict__.update(decoder.part(dict, form, "attributes", depth + 1))
        return value

    return load


# What the content is stored as, where that is not the builtin itself.
_CONTENTS: dict[type, type] = {
    tuple: list,
    set: list,
    frozenset: list,
    bytearray: bytes,
}

# How the content gets into what can change.
_FILLERS: dict[type, Callable[[Any, Any], object]] = {
    list: list.extend,
    set: set.update,
    dict: dict.update,
    bytearray: bytearray.extend,
}

LOADERS["enact/Enum"] = _load_enum
LOADERS["enact/NamedTuple"] = _load_named_tuple
