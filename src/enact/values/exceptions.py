# SPDX-License-Identifier: Apache-2.0
"""Exceptions as values.

An exception is its type, its args, its notes, and those of its attributes that can be
stored; traceback, cause and context belong to the run that raised it. It is loaded
without running any code of its class: through the ``__new__`` and ``__init__`` that
Python itself provides for the builtin exception it derives from.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from enact.errors import MalformedBlock, UnstorableValue
from enact.values.redacted import lowered_without_live
from enact.values.registry import (
    LOADERS,
    lookup_type,
    type_name,
    unregistered,
)
from enact.values.subclasses import findable

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowerer, Lowering, Raising
    from enact.values.paths import Frame

# What is stored otherwise, belongs to a run, or would drag whole programs along.
_SKIPPED = frozenset(
    ("args", "obj", "exceptions", "message", "characters_written", "with_traceback")
)


def resolve(cls: type) -> Lowerer | str | None:
    if not issubclass(cls, BaseException):
        return None
    return findable(cls) or _lower_exception


def _lower_exception(encoder: Lowering, value: BaseException, frame: Frame) -> Form:
    cls = type(value)
    depth = encoder.enter(len(value.args), frame)
    form: dict[str, Form] = {
        "$": "enact/Exception",
        "type": type_name(cls),
        "args": [
            encoder.lower(item, (depth, frame, None, f".args[{index}]"))
            for index, item in enumerate(value.args)
        ],
    }
    attributes: dict[str, Form] = {}
    for name, part in _attributes(value).items():
        try:
            attributes[name] = encoder.storable(part, (depth, frame, None, f".{name}"))
        except UnstorableValue:
            continue  # an exception is still itself without a handle or a lock
    if attributes:
        form["attributes"] = attributes
    return lowered_without_live(encoder, value, form)


def _attributes(value: BaseException) -> dict[str, object]:
    """Return what an exception holds that its type and args do not say."""
    cls: Any = type(value)
    plain = _rebuild(cls, value.args)
    found: dict[str, object] = {}
    for name in _members(cls):
        part = getattr(value, name, None)
        usual = getattr(plain, name, None)
        if part is not usual and not _equal(part, usual):
            found[name] = part
    found.update(getattr(value, "__dict__", {}))
    # Only these keys can be told from the marks of envelopes and outlined items.
    return {name: part for name, part in found.items() if name and name != "$"}


def _equal(one: object, other: object) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False  # arrays and the like do not say


def _load_exception(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 4 if "attributes" in form else 3)
    name = decoder.part(str, form, "type", depth)
    cls: Any = lookup_type(name)
    if not issubclass(cls, BaseException):
        raise unregistered(name)
    if type_name(cls) != name:
        decoder.evolved = True
    args = tuple(decoder.part(list, form, "args", depth))
    value = _rebuild(cls, args)
    if "attributes" in form:
        members = _members(cls)
        for key, part in decoder.part(dict, form, "attributes", depth).items():
            if key in members:
                _set_member(value, key, part)
            elif key.startswith("__") and key != "__notes__":
                raise MalformedBlock(f"an exception with the attribute {key!r}")
            else:
                value.__dict__[key] = part
    return value


def _rebuild(cls: Any, args: tuple[Any, ...]) -> BaseException:
    """Make an exception without running code of its class."""
    value: BaseException = _native(cls, "__new__")(cls, *args)
    try:
        _native(cls, "__init__")(value, *args)
    except (TypeError, ValueError):
        pass  # changed args that its base would not have taken
    value.args = args
    return value


@lru_cache(maxsize=1024)
def _native(cls: type, name: str) -> Callable[..., Any]:
    """Return a method of the nearest base that is written in C."""
    for base in cls.__mro__:
        method = vars(base).get(name)
        if isinstance(method, types.WrapperDescriptorType):
            return method
        if isinstance(method, types.BuiltinFunctionType):
            return method
    raise TypeError(f"{cls.__qualname__} is no exception")


@lru_cache(maxsize=1024)
def _members(cls: type) -> frozenset[str]:
    """Return the attributes that instances keep outside their ``__dict__``."""
    kinds = (types.MemberDescriptorType, types.GetSetDescriptorType)
    return frozenset(
        name
        for base in cls.__mro__
        for name, member in vars(base).items()
        if isinstance(member, kinds)
        and name not in _SKIPPED
        and not name.startswith("__")
    )


def _set_member(value: BaseException, name: str, part: object) -> None:
    for base in type(value).__mro__:
        if name in vars(base):
            vars(base)[name].__set__(value, part)
            return


LOADERS["enact/Exception"] = _load_exception
