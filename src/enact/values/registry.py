# SPDX-License-Identifier: Apache-2.0
"""Which types can be stored, and under which names.

Tables here are keyed by exact type and by name, and filled by the other modules of
this folder and by upper layers. How a registered class is written and read is worked
out when it is first needed, so it does not matter whether ``@enact.register`` stands
above or below ``@dataclasses.dataclass``.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from enact.errors import DuplicateName, UnregisteredType
from enact.values.coders import Loader, Lowerer
from enact.values.distributions import distribution_of_module
from enact.values.names import find_loaded, qualified_name

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """What was said when a class was registered."""

    cls: type
    name: str
    former: tuple[str, ...]
    file: str | None


#: How values are written, by exact type.
LOWERERS: dict[type, Lowerer] = {}

#: How envelopes are read, by the name under their key "$".
LOADERS: dict[str, Loader] = {}

#: Registered classes by name, former names included.
ENTRIES: dict[str, TypeEntry] = {}

#: Registered classes, redefined ones included.
BY_TYPE: dict[type, TypeEntry] = {}

#: Names for types as values that are not ``module:qualname``.
NAMED_TYPES: dict[str, type] = {}
TYPE_NAMES: dict[type, str] = {}

#: Asked in order for types that no table holds: the way to write them, or None, or
#: the reason why not.
RESOLVERS: list[Callable[[type], Lowerer | str | None]] = []

#: Told of names of enact's own that are not known: what has them is imported late.
LATE: list[Callable[[str], None]] = []

#: Asked in order for names that no table holds.
LOADER_RESOLVERS: list[Callable[[str], Loader | None]] = []

#: Types of which this process has written values: name and module, in the order in
#: which they came up. It only grows, so whoever has seen its length has seen all.
WRITTEN: list[tuple[str, str]] = []

#: Called for each class as it is registered.
REGISTRATION_HOOKS: list[Callable[[TypeEntry], None]] = []


def register_type(cls: C, *, name: str | None = None, former: Iterable[str] = ()) -> C:
    """Make a class storable.

    Args:
        cls: a dataclass, a `Resource`, a `TypeWrapper`, an enum, a named tuple, an
            exception, or a subclass of a builtin such as str or dict.
        name: its name in stored data, such as ``"shop/Order"``. Default:
            ``module:qualname``.
        former: names under which it was stored in the past.

    Returns:
        The class, so that this can be used as a decorator.

    Raises:
        TypeError: not a class.
        ValueError: an empty name, or one that begins with ``enact/``.
        DuplicateName: the name belongs to another class, or the class has another name.

    Example:
        >>> @register_type
        ... @dataclass
        ... class Point:
        ...     x: int
    """
    if not isinstance(cls, type):
        raise TypeError(f"not a class: {cls!r}")
    label = qualified_name(cls) if name is None else name
    former = tuple(former)
    _check_name(cls, (label, *former))
    entry = BY_TYPE.get(cls)
    if entry is not None:
        if name is not None and entry.name != name:
            raise DuplicateName(
                f"{cls.__qualname__} is registered as {entry.name!r} already, and "
                f"cannot be {name!r} too; give earlier names as former=[...]"
            )
        if entry.name == label or name is None:
            former = tuple(n for n in former if n not in entry.former)
            if not former:
                return cls
        label, former = entry.name, (*entry.former, *former)
    entry = TypeEntry(cls, label, former, _file_of(cls))
    for each in (label, *former):
        _claim(each, entry)
    if label in ENTRIES:  # a redefinition, which inherits what the class was called
        former = tuple(dict.fromkeys((*former, *ENTRIES[label].former)))
        entry = TypeEntry(cls, label, former, entry.file)
    for each in (label, *former):
        ENTRIES[each] = entry
        LOADERS.pop(each, None)
    BY_TYPE[cls] = entry
    LOWERERS.pop(cls, None)
    for hook in REGISTRATION_HOOKS:
        hook(entry)
    return cls


def type_name(cls: type) -> str:
    """Return the name of a class in stored data.

    Args:
        cls: any class.

    Returns:
        The name with which it was registered, else ``module:qualname``.

    Example:
        >>> type_name(dict)
        'builtins:dict'
    """
    entry = BY_TYPE.get(cls)
    if entry is not None:
        return entry.name
    return TYPE_NAMES.get(cls) or _BUILTIN_NAMES.get(cls) or qualified_name(cls)


def lookup_type(name: str) -> type:
    """Find the class that a name in stored data means.

    Looks in the registry, among builtins, then in modules that are loaded already;
    nothing is imported.

    Args:
        name: as `type_name` gives it, or a former name.

    Returns:
        The class.

    Raises:
        UnregisteredType: no such class is known here; says which package has it.

    Example:
        >>> lookup_type("builtins:dict")
        <class 'dict'>
    """
    entry = ENTRIES.get(name) or (is_late(name) and ENTRIES.get(name))
    if entry:
        return entry.cls
    found: object = NAMED_TYPES.get(name)
    if found is None:
        found = find_loaded(name)
    if not isinstance(found, type):
        raise unregistered(name)
    return found


def is_late(name: str) -> bool:
    """Whether a name is enact's own; what has it is there from now on.

    Args:
        name: of a type or function in stored data, which is not known yet.
    """
    if not name.startswith("enact/"):
        return False
    for tell in LATE:
        tell(name)
    return True


def distribution_of(name: str) -> tuple[str, str] | None:
    """Return the distribution that defines a type.

    Args:
        name: of a type in stored data.

    Returns:
        Name and version; None for the standard library, for programs that were not
        installed, and where nobody knows.

    Example:
        >>> distribution_of("builtins:dict") is None
        True
    """
    if ":" in name:
        return distribution_of_module(name.partition(":")[0])
    entry = ENTRIES.get(name)
    return distribution_of_module(entry.cls.__module__) if entry else None


def unregistered(
    name: str, recorded: tuple[str, str] | None = None
) -> UnregisteredType:
    """Make the error for a type that is not known here.

    Args:
        name: of the type in stored data.
        recorded: distribution and version that defined it when it was stored, if the
            store knows.

    Returns:
        An error that names type, package and version as far as they are known.

    Example:
        >>> print(unregistered("shop.orders:Order", ("shop", "1.2")))
        type shop.orders:Order is not known here; it comes from shop 1.2: import ...
    """
    distribution = recorded or distribution_of(name)
    message = f"type {name} is not known here"
    module = name.partition(":")[0] if ":" in name else None
    if distribution is not None:
        message += f"; it comes from {distribution[0]} {distribution[1]}"
    elif module is not None:
        message += f"; it comes from package {module.partition('.')[0]}"
    if module is not None and module not in sys.modules:
        message += f": import {module} first"
    elif module is not None:
        message += f": {module} is loaded but registers nothing of this name"
    else:
        message += ": import the module that registers it first"
    return UnregisteredType(message)


def find_lowerer(cls: type) -> Lowerer | str:
    """Find how values of a type are written.

    Args:
        cls: an exact type.

    Returns:
        A function, or the reason why values of this type cannot be stored.

    Example:
        >>> find_lowerer(object)
        'object is no kind of value that can be stored; register a TypeWrapper for it'
    """
    known = LOWERERS.get(cls)
    if known is not None:
        return known
    for resolver in RESOLVERS:
        found = resolver(cls)
        if isinstance(found, str):
            return found
        if found is not None:
            WRITTEN.append((type_name(cls), cls.__module__))
            LOWERERS[cls] = found
            return found
    return (
        f"{cls.__qualname__} is no kind of value that can be stored; "
        "register a TypeWrapper for it"
    )


def find_loader(name: str) -> Loader | None:
    """Find how envelopes of a name are read.

    Args:
        name: under the key "$".

    Returns:
        A function, or None for an unknown name.

    Example:
        >>> find_loader("nobody:Nothing") is None
        True
    """
    known = LOADERS.get(name) or (is_late(name) and LOADERS.get(name))
    if known:
        return known
    for resolver in LOADER_RESOLVERS:
        found = resolver(name)
        if found is not None:
            LOADERS[name] = found
            return found
    return None


# Types such as that of functions say that builtins hold them, which is not so.
_BUILTIN_NAMES = {
    cls: f"types:{name}"
    for name, cls in vars(types).items()
    if isinstance(cls, type) and not hasattr(sys.modules["builtins"], cls.__name__)
}


def _check_name(cls: type, names: Sequence[str]) -> None:
    ours = cls.__module__.partition(".")[0] == "enact"
    for name in names:
        if type(name) is not str or not name:
            raise ValueError(f"not a name for stored data: {name!r}")
        if name.startswith("enact/") and not ours:
            raise ValueError(f"names that begin with enact/ are reserved: {name!r}")


def _claim(name: str, entry: TypeEntry) -> None:
    """Raise if a name belongs to a class of which `entry` is no redefinition."""
    holder = ENTRIES.get(name)
    if holder is None:
        if name in LOADERS:
            raise DuplicateName(f"{name!r} is the name of other values already")
        return
    old, new = holder.cls, entry.cls
    if old is new:
        return
    # A notebook cell or a reload defines a class again in the same place.
    again = old.__qualname__ == new.__qualname__ and (
        old.__module__ == new.__module__ or holder.file == entry.file
    )
    if not again:
        raise DuplicateName(
            f"{name!r} is the name of {old.__module__}:{old.__qualname__} already, and "
            f"cannot be that of {new.__module__}:{new.__qualname__}; "
            "register one of them with another name="
        )


def _file_of(cls: type) -> str | None:
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None
