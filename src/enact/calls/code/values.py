# SPDX-License-Identifier: Apache-2.0
"""Values in words: plain ones by value, what comes from elsewhere by its origin."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import types
from collections.abc import Callable
from typing import Any

Chain = tuple[str, ...]
Space = dict[str, Any]
Note = Callable[[types.ModuleType, str, object], None]

MISSING = object()

ATOMS: dict[type, Callable[[Any], str]] = {
    # `repr` of a string depends on the Unicode version; that of an integer has a limit.
    str: ascii,
    int: hex,
    bytes: repr,
    bool: repr,
    float: repr,
    complex: repr,
    range: repr,
    type(None): repr,
    type(...): repr,
}
CONTAINERS = (tuple, list, dict, set, frozenset)

# By value when captured. As globals they count by source: `STARTED = datetime.now()`.
_IMMUTABLE = {
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "decimal.Decimal",
    "fractions.Fraction",
    "re.Pattern",
    "uuid.UUID",
}
_BUILTINS = (
    types.BuiltinFunctionType,
    types.ClassMethodDescriptorType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
)


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode("ascii", "backslashreplace")).hexdigest()[:32]


def is_constant(value: object) -> bool:
    kind = type(value)
    if kind is tuple or kind is frozenset:
        return all(map(is_constant, value))  # type: ignore[call-overload]
    return kind in ATOMS or _is_enum(value)


def _is_enum(value: object) -> bool:
    enum = sys.modules.get("enum")  # without it there are no members
    return enum is not None and issubclass(type(value), enum.Enum)


def content_of(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return MISSING


def stored(value: Any, name: str) -> Any:
    """An attribute as stored: objects that answer to every name do not count."""
    kind = type(value)
    if issubclass(kind, type):
        found = (cls.__dict__.get(name) for cls in value.__mro__)
        return next((item for item in found if item is not None), None)
    try:
        own = object.__getattribute__(value, "__dict__").get(name)
    except AttributeError:
        own = None
    if own is not None or kind is types.FunctionType:
        return own
    if any(name in cls.__dict__ for cls in kind.__mro__):
        return getattr(value, name, None)
    return None


def unwrap(fn: object) -> object:
    """What runs behind bound methods and registered wrappers."""
    for _ in range(16):
        inner = None
        if issubclass(type(fn), (types.MethodType, staticmethod, classmethod)):
            inner = fn.__func__  # type: ignore[attr-defined]
        else:
            target = stored(fn, "__enact_target__")
            if target is not None:
                inner = stored(fn, "__wrapped__") or getattr(target, "fn", None)
        if inner is None or inner is fn:
            break
        fn = inner
    return fn


# --- the project and the rest ---------------------------------------------------

_STDLIB = os.path.dirname(os.__file__) + os.sep
_ENACT = __name__.partition(".")[0]
_OS_PATH = {"posixpath": "os.path", "ntpath": "os.path"}


def file_of(space: Space) -> str | None:
    file = space.get("__file__")
    return file if isinstance(file, str) else None


def own_name(module: str) -> str:
    """The name of a module, also while it is the program itself."""
    if module not in ("__main__", "__mp_main__"):
        return module
    main = sys.modules.get(module)
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    if isinstance(file, str):
        return os.path.splitext(os.path.basename(file))[0]
    return module


def name_of(value: object) -> str:
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"{own_name(module)}:{name}" if isinstance(module, str) else str(name)


@functools.lru_cache(maxsize=4096)
def _origin(module: str, file: str | None) -> str:
    """Where a module that is no source of the project comes from, else ''."""
    top = module.partition(".")[0]
    if top == _ENACT:
        return f"package {top}"
    if file is not None and not file.startswith("<"):
        if {"site-packages", "dist-packages"}.intersection(file.split(os.sep)):
            return f"package {top}"
        if not file.startswith(_STDLIB):
            return ""
    elif top not in sys.stdlib_module_names or top == "__main__":
        return ""
    # Private parts of the standard library come and go: `pathlib._local`.
    return f"python {_OS_PATH.get(top, top.lstrip('_'))}"


def _package(module: str, file: str | None) -> str:
    """The top-level package of a module that is installed, else ''."""
    if not _origin(module, file).startswith("package "):
        return ""
    top = own_name(module).partition(".")[0]
    return top if top != _ENACT else ""


def package_of(value: types.FunctionType | type) -> str:
    """The top-level package of a function or class that is installed, else ''."""
    return _package(*_whereabouts(value))


def _whereabouts(value: types.FunctionType | type) -> tuple[str, str | None]:
    """Module and file that a function or class was defined in."""
    if isinstance(value, type):
        module = sys.modules.get(value.__module__)
        file = file_of(module.__dict__) if module is not None else None
        return value.__module__, file
    # `functools.wraps` gives a wrapper the module of what it wraps.
    return str(value.__globals__.get("__name__")), value.__code__.co_filename


# --- words ----------------------------------------------------------------------


class Describer:
    """Puts values into words.

    Attributes:
        home: an installed package that is part of the project nonetheless, or ''.
    """

    __slots__ = ("home",)

    def __init__(self, home: str) -> None:
        self.home = home

    def unit(self, value: object) -> str:
        """What stands for a function or class of the project."""
        return name_of(value)

    def origin(self, module: str, file: str | None) -> str:
        """Where a module that is no part of the project comes from, else ''."""
        if self.home and self.home == _package(module, file):
            return ""
        return _origin(module, file)

    def outside(self, value: Any, inside: tuple[int, ...] = ()) -> str:
        """Text for a function or class that is no part of the project, else ''."""
        origin = self.origin(*_whereabouts(value))
        if not origin:
            return ""
        is_class = isinstance(value, type)
        name = value.__qualname__ if is_class else value.__code__.co_qualname
        wrapped = stored(value, "__wrapped__")
        if wrapped is not None:
            return f"{origin} {name} of {self.describe(wrapped, inside)}"
        return f"{origin} {name}"

    def describe(self, value: Any, inside: tuple[int, ...] = ()) -> str:
        """Text for a value that was found in the containers ``inside``."""
        kind = type(value)
        atom = ATOMS.get(kind)
        if atom is not None:
            return atom(value)
        if kind in CONTAINERS:
            if id(value) in inside or len(inside) > 64:
                return f"deep {kind.__name__}"
            return self._container(value, (*inside, id(value)))
        if value is MISSING:
            return "unbound"
        # `isinstance` believes what mocks and proxies say.
        if issubclass(kind, types.ModuleType):
            return self._module(value)
        target = stored(value, "__enact_target__")
        if target is not None:
            return f"registered {getattr(target, 'name', None) or name_of(value)!a}"
        if issubclass(kind, (types.FunctionType, type)):
            return self.outside(value, inside) or f"unit {self.unit(value)}"
        return self._wrapper(value, inside) or _object(value)

    def _wrapper(self, value: Any, inside: tuple[int, ...]) -> str:
        """Text for what leads to a function, else ''."""
        kind = type(value)
        if kind is types.MethodType:
            owner = type(value.__self__).__qualname__
            return f"method of {owner} {self.describe(value.__func__, inside)}"
        if issubclass(kind, (staticmethod, classmethod)):
            return self.describe(value.__func__, inside)
        if issubclass(kind, functools.partial):
            parts = (value.func, value.args, tuple(sorted(value.keywords.items())))
            return f"partial {self.describe(parts, inside)}"
        if kind in _BUILTINS:
            return f"builtin {name_of(value)}"
        wrapped = stored(value, "__wrapped__")
        if wrapped is not None:
            return f"{kind.__qualname__} of {self.describe(wrapped, inside)}"
        return ""

    def _container(self, value: Any, inside: tuple[int, ...]) -> str:
        kind = type(value)
        if kind is dict:
            value = [part for item in value.items() for part in item]
        if kind is set or kind is frozenset:
            # No order to number units in, so these count by name.
            by_name = Describer(self.home)
            parts = sorted(by_name.describe(part, inside) for part in value)
        else:
            parts = [self.describe(part, inside) for part in value]
        return f"{kind.__name__}[{', '.join(parts)}]"

    def _module(self, module: types.ModuleType) -> str:
        name = module.__name__
        origin = self.origin(name, file_of(module.__dict__))
        return origin or f"module {own_name(name)}"

    def defaults(self, fn: types.FunctionType) -> str:
        if not fn.__defaults__ and not fn.__kwdefaults__:
            return ""
        keywords = sorted((fn.__kwdefaults__ or {}).items())
        return self.describe((fn.__defaults__ or (), tuple(keywords)))

    def captured(
        self, cells: dict[str, types.CellType], chain: Chain, note: Note | None = None
    ) -> tuple[object, Chain]:
        """What a name in a cell leads to: the value, and how much of the chain did."""
        value = content_of(cells[chain[0]])
        if chain[0] == "__class__" and isinstance(value, type):
            return value.__bases__, chain[:1]  # what `super()` leads to
        return self.follow(value, chain, note)

    def follow(
        self, value: object, chain: Chain, note: Note | None = None
    ) -> tuple[object, Chain]:
        """Go down the attributes of project modules: the value, and what led to it."""
        for depth in range(1, len(chain)):
            if not issubclass(type(value), types.ModuleType):
                return value, chain[:depth]
            assert isinstance(value, types.ModuleType)
            if self.origin(value.__name__, file_of(value.__dict__)):
                return value, chain[:depth]
            found = value.__dict__.get(chain[depth], MISSING)
            if note is not None:
                note(value, chain[depth], found)
            value = found
        return value, chain


def _object(value: Any) -> str:
    kind = type(value)
    if _is_enum(value):
        number = hex(value._value_) if type(value._value_) is int else ""
        return f"{kind.__qualname__} {value._name_!a} {number}"
    if f"{kind.__module__}.{kind.__qualname__}" in _IMMUTABLE:
        return repr(value)
    return f"object {kind.__qualname__}"
