# SPDX-License-Identifier: Apache-2.0
"""Types, modules and a few singletons as values; all by name."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from enact.errors import MalformedBlock, UnregisteredType, UnstorableValue
from enact.values.adapted import adapter
from enact.values.names import find_loaded, loaded_module
from enact.values.registry import (
    BY_TYPE,
    LOADERS,
    LOWERERS,
    NAMED_TYPES,
    lookup_type,
    type_name,
)
from enact.values.resources import wrapper_of

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowerer, Lowering, Raising
    from enact.values.paths import Frame


def resolve(cls: type) -> Lowerer | None:
    return _lower_type if issubclass(cls, type) else None


def _lower_type(encoder: Lowering, value: type, frame: Frame) -> Form:
    name = type_name(value)
    known = value in BY_TYPE or NAMED_TYPES.get(name) is value
    if not known:
        found = find_loaded(name)
        same = isinstance(found, type) and found.__qualname__ == value.__qualname__
        if not same and wrapper_of(value) is None:
            return encoder.unstorable(
                value,
                frame,
                f"class {value.__qualname__} cannot be found by its name {name!r}; "
                "register it with @enact.register",
            )
    return {"$": "enact/Type", "name": name}


def _load_type(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    name = decoder.exactly(str, form, "name", depth)
    cls = lookup_type(name)
    if type_name(cls) != name:
        decoder.evolved = True
    return cls


def _dump_generic(value: types.GenericAlias) -> dict[str, object]:
    return {"origin": value.__origin__, "args": list(value.__args__)}


def _load_generic(fields: typing.Mapping[str, Any]) -> object:
    origin = fields["origin"]
    if not isinstance(origin, type):
        raise MalformedBlock("a generic alias of what is no class")
    return types.GenericAlias(origin, tuple(fields["args"]))


def _dump_union(value: Any) -> dict[str, object]:
    return {"args": list(value.__args__)}


def _load_union(fields: typing.Mapping[str, Any]) -> object:
    first, *rest = fields["args"]
    for each in rest:
        first = first | each
    return first


# Aliases such as typing.List[int] and Optional[int]: the form that typing gives them.
def _dump_typing(value: Any) -> dict[str, object]:
    origin = typing.get_origin(value)
    name = getattr(value, "_name", None)
    args = list(typing.get_args(value))
    if origin is typing.Union:
        return {"name": "Union", "args": args}
    if origin is typing.Annotated:
        raise UnstorableValue(f"{value!r} cannot be stored as a type")
    if isinstance(name, str) and getattr(typing, name, None) is not None:
        return {"name": name, "args": args}
    if origin is typing.Literal:
        return {"name": "Literal", "args": args}
    if isinstance(origin, type):
        return {"origin": origin, "args": args}
    raise UnstorableValue(f"{value!r} cannot be stored as a type")


def _load_typing(fields: typing.Mapping[str, Any]) -> object:
    args = fields["args"]
    if "name" in fields:
        template = _typing_form(fields["name"])
    else:
        template = fields["origin"]
        # Past any __class_getitem__ that does something else.
        if not isinstance(template, type) or typing.Generic not in template.__mro__:
            raise MalformedBlock("a generic alias of what is no generic class")
    if fields.get("name") == "Callable" and len(args) == 2:
        return template[args[0], args[1]]
    return template[tuple(args)]


def _dump_special(value: Any) -> dict[str, object]:
    name = getattr(value, "_name", None) or getattr(value, "__name__", None)
    if not isinstance(name, str) or getattr(typing, name, None) is not value:
        raise UnstorableValue(f"{value!r} cannot be stored as a type")
    return {"name": name}


def _load_special(fields: typing.Mapping[str, Any]) -> object:
    return _typing_form(fields["name"])


def _typing_form(name: object) -> Any:
    found = vars(typing).get(name) if isinstance(name, str) else None
    if found is None or name not in typing.__all__ or isinstance(found, _FUNCTIONS):
        raise MalformedBlock(f"typing has no form {name!r}")
    return found


_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


def _dump_module(value: types.ModuleType) -> dict[str, object]:
    name = value.__name__
    if loaded_module(name) is not value:
        raise UnstorableValue(f"module {name!r} cannot be found by its name")
    return {"name": name}


def _load_module(fields: typing.Mapping[str, Any]) -> object:
    name = fields["name"]
    found = loaded_module(name)
    if found is None:
        raise UnregisteredType(f"module {name} is not loaded here: import it first")
    return found


_SINGLETONS = {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}


def _dump_singleton(value: object) -> dict[str, object]:
    return {"name": repr(value)}


def _load_singleton(fields: typing.Mapping[str, Any]) -> object:
    return _SINGLETONS[fields["name"]]


# The classes behind typing are private: take them from examples.
_ALIASES = list(
    {
        type(alias)
        for alias in (
            typing.List[int],  # noqa: UP006
            typing.Union[int, "str"],
            typing.Callable[[int], str],
            typing.Literal["a"],
        )
    }
    - {types.UnionType}
)
_SPECIALS = list(
    {type(form) for form in (typing.Any, typing.List, typing.Union, typing.Callable)}  # noqa: UP006
    - {type, *_ALIASES}
)


def _register() -> None:
    adapter("enact/GenericAlias", [types.GenericAlias], _dump_generic, _load_generic)
    adapter("enact/Union", [types.UnionType], _dump_union, _load_union)
    adapter("enact/TypingAlias", _ALIASES, _dump_typing, _load_typing)
    adapter("enact/TypingForm", _SPECIALS, _dump_special, _load_special)
    adapter("enact/Module", [types.ModuleType], _dump_module, _load_module)
    singletons = [type(value) for value in _SINGLETONS.values()]
    adapter("enact/Singleton", singletons, _dump_singleton, _load_singleton)
    LOWERERS[type] = _lower_type
    LOADERS["enact/Type"] = _load_type


_register()
