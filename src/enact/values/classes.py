# SPDX-License-Identifier: Apache-2.0
"""Instances of registered classes: dataclasses, and subclasses of builtins."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from enact.errors import SchemaMismatch
from enact.values.limits import MAX_DEPTH
from enact.values.names import find_loaded
from enact.values.redacted import lowered_without_live
from enact.values.registry import (
    BY_TYPE,
    ENTRIES,
    TypeEntry,
    register_type,
)
from enact.values.resources import ImmutableResource, Resource

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Loader, Lowerer, Lowering, Raising
    from enact.values.paths import Frame

_MISSING = object()

#: Builtins whose subclasses have content besides attributes.
CONTENT_TYPES = (
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    list,
    tuple,
    dict,
    set,
    frozenset,
)


def stored_fields(cls: type) -> tuple[str, ...] | None:
    """Return the names of the attributes that are stored of instances of a class.

    Args:
        cls: a registered class.

    Returns:
        All fields of a dataclass; None for subclasses of builtins and other classes.

    Example:
        >>> @dataclasses.dataclass
        ... class Point:
        ...     x: int
        >>> stored_fields(Point)
        ('x',)
    """
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    return () if issubclass(cls, Resource) else None


def resolve(cls: type) -> Lowerer | str | None:
    """Find how instances of a registered class are written."""
    entry = BY_TYPE.get(cls) or _slotted_twin(cls)
    if entry is None:
        if issubclass(cls, BaseException | enum.Enum):
            return None
        if dataclasses.is_dataclass(cls) or issubclass(cls, Resource):
            return f"{cls.__qualname__} is not registered; add @enact.register to it"
        return None
    names = stored_fields(cls)
    if names is None:
        return None
    if issubclass(cls, CONTENT_TYPES):
        return (
            f"{cls.__qualname__} is a dataclass and a subclass of a builtin, of which "
            "only one can be stored; register a TypeWrapper for it"
        )
    if issubclass(cls, ImmutableResource) and names:
        if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            return (
                f"{cls.__qualname__} is an ImmutableResource, so it must be frozen; "
                "use @dataclasses.dataclass(frozen=True)"
            )
    if not hasattr(cls, "__enact_load__"):
        reason = _unloadable(cls)
        if reason is not None:
            return reason
    strict = "__dataclass_fields__" not in vars(cls)
    lowerer = _dataclass_lowerer(entry.name, names, strict)
    return (
        _with_args(entry.name, lowerer) if issubclass(cls, BaseException) else lowerer
    )


def _slotted_twin(cls: type) -> TypeEntry | None:
    """Find the entry of the class that ``dataclass(slots=True)`` has made anew."""
    fields = vars(cls).get("__dataclass_fields__")
    if fields is None or "__slots__" not in vars(cls):
        return None
    for entry in list(BY_TYPE.values()):
        if vars(entry.cls).get("__dataclass_fields__") is fields:
            register_type(cls, name=entry.name, former=entry.former)
            return BY_TYPE[cls]
    return None


def _unloadable(cls: type) -> str | None:
    """Return why instances of a dataclass could not be made again, or None."""
    pseudo = [
        field.name
        for field in getattr(cls, "__dataclass_fields__", {}).values()
        if field._field_type is dataclasses._FIELD_INITVAR  # type: ignore[attr-defined]
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if not pseudo:
        return None
    return (
        f"{cls.__qualname__} cannot be made again without its InitVar {pseudo[0]!r}; "
        "give it a default, or define __enact_load__"
    )


def _dataclass_lowerer(name: str, names: tuple[str, ...], strict: bool) -> Lowerer:
    steps = tuple((field, f".{field}") for field in names)
    known = frozenset(names)
    count = len(names) + 1

    def lower(encoder: Lowering, value: Any, frame: Frame) -> Form:
        depth = frame[0] + 1
        encoder.budget = budget = encoder.budget - count
        if budget < 0 or depth > MAX_DEPTH:
            encoder.refuse(frame)
        form: dict[str, Form] = {"$": name}
        table = encoder.table
        for field, step in steps:
            part: Any = getattr(value, field, _MISSING)
            cls = type(part)
            if cls is str or part is None or cls is bool:
                form[field] = part
            elif part is not _MISSING:
                lowerer = table.get(cls) or encoder.find(cls)
                form[field] = lowerer(encoder, part, (depth, frame, None, step))
        if strict:
            for extra in (
                vars(value).keys() - known if hasattr(value, "__dict__") else ()
            ):
                return encoder.unstorable(
                    value,
                    frame,
                    f"attribute {extra!r} is no field of {type(value).__qualname__}; "
                    "decorate the class with @dataclasses.dataclass",
                )
        return form

    return lower


def _with_args(name: str, lowerer: Lowerer) -> Lowerer:
    """Write the args of an exception too, which its text is made of."""

    def lower(encoder: Lowering, value: Any, frame: Frame) -> Form:
        form = lowerer(encoder, value, frame)
        if value.args and type(form) is dict and form.get("$") == name:
            part = (frame[0] + 1, frame, None, ".args")
            form["$args"] = encoder.lower(list(value.args), part)
        return lowered_without_live(encoder, value, form)

    return lower


def resolve_loader(name: str) -> Loader | None:
    """Find how instances of a registered class are read."""
    entry = ENTRIES.get(name)
    if entry is None:
        return None
    current = find_loaded(f"{entry.cls.__module__}:{entry.cls.__qualname__}")
    if isinstance(current, type) and current is not entry.cls:
        entry = _slotted_twin(current) or ENTRIES[name]
    cls = entry.cls
    names = stored_fields(cls)
    if names is None:
        return None
    known = frozenset(names)
    renamed = entry.name != name
    # Without code of the user, __init__ leaves nothing to be set.
    simple = not renamed and _only_sets_fields(cls)

    has_args = issubclass(cls, BaseException)

    def load(decoder: Raising, form: dict[str, Form], depth: int) -> object:
        fields = decoder.fields(form, depth)
        if has_args and "$args" in fields:
            args = tuple(fields.pop("$args"))
            value = load_instance(decoder, cls, fields)
            value.args = args
            return value
        if fields.keys() != known:
            decoder.evolved = True
        elif simple:
            return cls(**fields)
        elif renamed:
            decoder.evolved = True
        return load_instance(decoder, cls, fields)

    return load


def _only_sets_fields(cls: type) -> bool:
    """Tell whether making an instance does nothing but set all its fields."""
    if not dataclasses.is_dataclass(cls) or cls.__new__ is not object.__new__:
        return False
    if hasattr(cls, "__post_init__") or hasattr(cls, "__enact_load__"):
        return False
    code = getattr(cls.__init__, "__code__", None)
    if code is None or not code.co_qualname.startswith("__create_fn__."):
        return False
    return all(field.init for field in dataclasses.fields(cls))


def load_instance(decoder: Raising, cls: type, fields: dict[str, Any]) -> Any:
    """Make an instance of a dataclass of stored fields.

    ``__init__`` is called with the fields that it takes, then every stored field is
    set. A class method ``__enact_upgrade__(fields)`` is given the fields first when
    they are not those that the class has now, and returns those that it has. A class
    method ``__enact_load__(fields)`` replaces all the rest.

    Args:
        decoder: the decoder.
        cls: the class.
        fields: by name.

    Returns:
        The instance.

    Raises:
        SchemaMismatch: the fields do not fit the class as it is now.
    """
    title = cls.__qualname__
    known = stored_fields(cls) or ()
    upgrade = getattr(cls, "__enact_upgrade__", None)
    if upgrade is not None and fields.keys() != set(known):
        fields = decoder.call(f"{title}.__enact_upgrade__", upgrade, fields)
    own = getattr(cls, "__enact_load__", None)
    if own is not None:
        return decoder.call(f"{title}.__enact_load__", own, fields)
    lost = [name for name in fields if name not in known]
    if lost:
        raise SchemaMismatch(
            f"stored {title} has the fields {', '.join(sorted(lost))}, which the class "
            f"has no more; define {title}.__enact_upgrade__(fields) to say what became "
            "of them"
        )
    if not dataclasses.is_dataclass(cls):
        return cls()
    initial = {}
    for field in dataclasses.fields(cls):
        if field.init and field.name in fields:
            initial[field.name] = fields[field.name]
        elif (
            field.name not in fields
            and field.init
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise SchemaMismatch(
                f"stored {title} has no field {field.name}, which the class has no "
                f"default for; give it one, or define {title}.__enact_upgrade__(fields)"
            )
    value = decoder.call(title, lambda given: cls(**given), initial)
    for name, part in fields.items():
        object.__setattr__(value, name, part)
    return value
