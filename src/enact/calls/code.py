# SPDX-License-Identifier: Apache-2.0
"""Digests of the code that a function runs.

A digest covers the normalised source of the function, its default and captured values,
and what it uses of its own project by global name, transitively: helpers and classes
by their source, plain constants by value, any other global by the statement that binds
it. Registered functions count by their name; the standard library and installed
packages by the name of the module. It is the same on every supported version of
Python, and ignores comments, docstrings, layout, and where files are.

A function without source (``exec``, an old REPL) counts by its bytecode, which differs
between versions of Python; so does a lambda that cannot be told from others on its
line, as under ``-X no_debug_ranges``.

Not seen: what is found by other means than a name (``getattr``, attributes of
arguments; of ``self`` only what the class itself or its bases hold, not what a subclass
overrides), imports inside of functions, docstrings that a program
reads, changes that are made to classes, modules and mutable globals at run time, the
inside of captured objects that are not plain values, globals of a notebook that are
neither code nor plain constants, and data files.

How it works. ``_part`` reads, once per code object or class, the digest of its syntax
and the dotted names that it takes from outside. ``_Graph`` follows these names from
object to object. What it found on the way is kept as a list of checks, so that the next
closure with the same code only repeats the look-ups.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast

Chain = tuple[str, ...]
Space = dict[str, Any]

_MISSING = object()
_SELF = "."  # heads a chain that starts at the first argument of a method


def code_digest(fn: Callable[..., object]) -> str:
    """The version of the code that ``fn`` runs.

    Args:
        fn: a function, method, class, ``functools.partial``, builtin or other callable.
            Of a registered one, what it wraps.

    Returns:
        32 lower hex characters: the first 128 bits of a SHA-256.

    >>> code_digest(len) == code_digest(len) != code_digest(abs)
    True
    """
    return _digest(_unwrap(fn), ())


def _unwrap(fn: object) -> object:
    """What runs behind bound methods and registered wrappers."""
    for _ in range(16):
        inner = None
        if issubclass(type(fn), (types.MethodType, staticmethod, classmethod)):
            inner = fn.__func__  # type: ignore[attr-defined]
        else:
            target = _static(fn, "__enact_target__")
            if target is not None:
                inner = _static(fn, "__wrapped__") or getattr(target, "fn", None)
        if inner is None or inner is fn:
            break
        fn = inner
    return fn


def _digest(value: object, above: tuple[object, ...]) -> str:
    """Digest of a function, class or other callable; ``above`` are being digested."""
    for depth, other in enumerate(above):
        if other is value:
            return f"recursion {depth}"
    if len(above) > 2 and type(value) is types.FunctionType:
        graph = _Graph()  # which takes any depth, and meets shared parts once
        return _hash(graph.text([graph.unit(value)]))
    above = (*above, value)

    def unit(inner: object) -> str:
        return _digest(inner, above)

    if type(value) is types.FunctionType:
        text = _outside(value) or _function_text(value, unit)
    elif issubclass(type(value), type):
        text = _outside(value) or _below(value, value)  # type: ignore[arg-type]
    else:
        text = _describe(value, unit)
        if text.startswith("object "):
            call = _unwrap(_static(type(value), "__call__"))
            text = f"callable {_describe(call, unit)}"
    return _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("ascii", "backslashreplace")).hexdigest()[:32]


def _function_text(fn: types.FunctionType, unit: Callable[[object], str]) -> str:
    """Own source, defaults and captured values, then what the global names lead to."""
    part = _part(fn.__code__, fn)
    lines = [part.text, _below(fn.__code__, fn), _defaults(fn, unit)]
    if fn.__closure__:
        cells = dict(zip(fn.__code__.co_freevars, fn.__closure__, strict=True))
        for chain in part.captured:
            value, chain = _captured(cells, chain)
            lines.append(f"{'.'.join(chain)} = {_describe(value, unit)}")
    return "\n".join(lines)


def _defaults(fn: types.FunctionType, unit: Callable[[object], str]) -> str:
    if not fn.__defaults__ and not fn.__kwdefaults__:
        return ""
    keywords = sorted((fn.__kwdefaults__ or {}).items())
    return _describe((fn.__defaults__ or (), tuple(keywords)), unit)


def _captured(
    cells: dict[str, types.CellType],
    chain: Chain,
    note: Callable[[types.ModuleType, str, object], None] | None = None,
) -> tuple[object, Chain]:
    value = _content(cells[chain[0]])
    if chain[0] == "__class__" and isinstance(value, type):
        return value.__bases__, chain[:1]  # what `super()` leads to
    return _follow(value, chain, note)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return _MISSING


def _static(value: Any, name: str) -> Any:
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


# --- values -------------------------------------------------------------------

_ATOMS: dict[type, Callable[[Any], str]] = {
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
_CONTAINERS = (tuple, list, dict, set, frozenset)
_BUILTINS = (
    types.BuiltinFunctionType,
    types.ClassMethodDescriptorType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
)


def _is_constant(value: object) -> bool:
    kind = type(value)
    if kind is tuple or kind is frozenset:
        return all(map(_is_constant, value))  # type: ignore[call-overload]
    return kind in _ATOMS or _is_enum(value)


def _is_enum(value: object) -> bool:
    enum = sys.modules.get("enum")  # without it there are no members
    return enum is not None and issubclass(type(value), enum.Enum)


def _describe(
    value: Any, unit: Callable[[object], str], inside: tuple[int, ...] = ()
) -> str:
    """Text for a value; ``unit`` names the functions and classes in it."""
    kind = type(value)
    atom = _ATOMS.get(kind)
    if atom is not None:
        return atom(value)
    if kind in _CONTAINERS:
        if id(value) in inside or len(inside) > 64:
            return f"deep {kind.__name__}"
        return _describe_container(value, unit, (*inside, id(value)))
    if value is _MISSING:
        return "unbound"
    # `isinstance` believes what mocks and proxies say.
    if issubclass(kind, types.ModuleType):
        return _describe_module(value)
    target = _static(value, "__enact_target__")
    if target is not None:
        return f"registered {getattr(target, 'name', None) or _name(value)!a}"
    if issubclass(kind, (types.FunctionType, type)):
        origin = _outside(value)
        inner = _static(value, "__wrapped__") if origin else None
        if inner is not None:
            return f"{origin} of {_describe(inner, unit, inside)}"
        return origin or f"unit {unit(value)}"
    if kind is types.MethodType:
        owner = type(value.__self__).__qualname__
        return f"method of {owner} {_describe(value.__func__, unit, inside)}"
    if issubclass(kind, (staticmethod, classmethod)):
        return _describe(value.__func__, unit, inside)
    if issubclass(kind, functools.partial):
        parts = (value.func, value.args, tuple(sorted(value.keywords.items())))
        return f"partial {_describe(parts, unit, inside)}"
    if kind in _BUILTINS:
        return f"builtin {_name(value)}"
    wrapped = _static(value, "__wrapped__")
    if wrapped is not None:
        return f"{kind.__qualname__} of {_describe(wrapped, unit, inside)}"
    if _is_enum(value):
        number = hex(value._value_) if type(value._value_) is int else ""
        return f"{kind.__qualname__} {value._name_!a} {number}"
    if f"{kind.__module__}.{kind.__qualname__}" in _IMMUTABLE:
        return repr(value)
    return f"object {kind.__qualname__}"


def _describe_container(
    value: Any, unit: Callable[[object], str], inside: tuple[int, ...]
) -> str:
    kind = type(value)
    if kind is dict:
        value = [part for item in value.items() for part in item]
    if kind is set or kind is frozenset:
        # No order to number units in, so these count by name.
        parts = sorted(_describe(part, _name, inside) for part in value)
    else:
        parts = [_describe(part, unit, inside) for part in value]
    return f"{kind.__name__}[{', '.join(parts)}]"


def _describe_module(module: types.ModuleType) -> str:
    name = module.__name__
    return _origin(name, _file_of(module.__dict__)) or f"module {_own_name(name)}"


def _follow(
    value: object,
    chain: Chain,
    note: Callable[[types.ModuleType, str, object], None] | None = None,
) -> tuple[object, Chain]:
    """Go down the attributes of project modules: the value, and what led to it."""
    for depth in range(1, len(chain)):
        if not issubclass(type(value), types.ModuleType):
            return value, chain[:depth]
        assert isinstance(value, types.ModuleType)
        if _origin(value.__name__, _file_of(value.__dict__)):
            return value, chain[:depth]
        found = value.__dict__.get(chain[depth], _MISSING)
        if note is not None:
            note(value, chain[depth], found)
        value = found
    return value, chain


# --- the project and the rest ---------------------------------------------------

_STDLIB = os.path.dirname(os.__file__) + os.sep
_ENACT = __name__.partition(".")[0]
_OS_PATH = {"posixpath": "os.path", "ntpath": "os.path"}


def _file_of(space: Space) -> str | None:
    file = space.get("__file__")
    return file if isinstance(file, str) else None


def _own_name(module: str) -> str:
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


def _name(value: object) -> str:
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"{_own_name(module)}:{name}" if isinstance(module, str) else str(name)


@functools.lru_cache(maxsize=4096)
def _origin(module: str, file: str | None) -> str:
    """Where a module that is no part of the project comes from, else ''."""
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


def _outside(value: types.FunctionType | type) -> str:
    """Text for a function or class that is no part of the project, else ''."""
    if isinstance(value, type):
        module = sys.modules.get(value.__module__)
        file = _file_of(module.__dict__) if module is not None else None
        origin = _origin(value.__module__, file)
        return origin and f"{origin} {value.__qualname__}"
    # `functools.wraps` gives a wrapper the module of what it wraps.
    name = value.__globals__.get("__name__")
    origin = _origin(str(name), value.__code__.co_filename)
    return origin and f"{origin} {value.__code__.co_qualname}"


# --- from object to object ------------------------------------------------------


class _Place:
    """Where names are looked up: a module, or the globals and cells of a function."""

    __slots__ = ("cells", "how", "path", "ref", "space")

    def __init__(self, owner: object, space: Space, root: bool = False) -> None:
        self.space = space
        # What is remembered of a digest never keeps the objects of a program alive.
        self.ref = None if root else weakref.ref(owner)
        self.how = "module"
        self.path: list[str] = []  # to the class of a method
        if isinstance(owner, types.FunctionType):
            self.how = "global"
            path = owner.__code__.co_qualname.split(".")
            self.path = path[:-1] if "<locals>" not in path else []
        self.cells: dict[str, types.CellType] = {}


class _Binding:
    """A global that is neither code nor constant: the statements that bind it."""

    __slots__ = ("name", "place")

    def __init__(self, place: _Place, name: str) -> None:
        self.place = place
        self.name = name


# A look-up and what it found: in what (None: in the function itself), how and under
# which name; how to compare, and with what.
_Check = tuple["weakref.ref[Any] | None", str, Any, str, Any]


def _check(ref: weakref.ref[Any] | None, how: str, name: Any, value: object) -> _Check:
    if value is _MISSING or _is_constant(value):
        return ref, how, name, "same", value
    try:
        return ref, how, name, "ref", weakref.ref(value)
    except TypeError:  # a list, a dict: counts by the source that binds it
        return ref, how, name, "type", weakref.ref(type(value))


def _hold(checks: list[_Check], root: object) -> bool:
    """Whether the same look-ups find the same objects."""
    for ref, how, name, compare, expected in checks:
        owner: Any = root if ref is None else ref()
        if owner is None:
            return False
        value: object
        if how == "global":
            value = owner.__globals__.get(name, _MISSING)
        elif how == "module":
            value = owner.__dict__.get(name, _MISSING)
        elif how == "cell":
            value = _content(owner.__closure__[name])
        else:
            value = getattr(owner, name)
        if compare == "same":
            same = value is expected
        elif compare == "ref":
            same = value is expected()
        elif compare == "type":
            same = type(value) is expected()
        else:
            same = id(value) == expected
        if not same:
            return False
    return True


class _Graph:
    """What can be reached by global names, numbered in the order of discovery."""

    def __init__(self) -> None:
        self.checks: list[_Check] = []
        self.stable = True  # the checks see every change
        self._numbers: dict[object, int] = {}
        self._queue: list[object] = []
        self._indexes: dict[int, _Index | None] = {}

    def text(self, lines: list[str]) -> str:
        """The given lines, then those of every unit that they lead to."""
        for number, item in enumerate(self._queue):  # grows on the way
            lines.append(f"#{number}")
            if isinstance(item, _Binding):
                lines += self._lines_of_binding(item)
            elif isinstance(item, types.FunctionType):
                lines += self._lines_of_function(item)
            elif isinstance(item, type):
                lines += self._lines_of_class(item)
        return "\n".join(lines)

    def unit(self, value: object, key: object = None) -> str:
        key = id(value) if key is None else key
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._queue)
            self._queue.append(value)  # which also keeps the id from being used again
        return f"#{number}"

    def names(self, place: _Place, chains: Iterable[Chain]) -> list[str]:
        """A line for each name that means something here."""
        lines = []
        for chain in chains:
            if chain[0] == _SELF:
                text, used = self._own(place, chain[1]), chain
            elif chain[0] in place.cells:
                value, used = _captured(place.cells, chain, self._note)
                text = self._describe(value)
            else:
                text, used = self._global(place, chain)
            if text:
                lines.append(f"{'.'.join(used)} = {text}")
        return lines

    def _own(self, place: _Place, name: str) -> str:
        """What a method finds in its class: other methods, plain class attributes."""
        cls = None
        if place.path:
            head, *path = place.path
            cls = place.space.get(head)
            self.checks.append(_check(place.ref, place.how, head, cls))
            for part in path:
                cls = cls.__dict__.get(part) if isinstance(cls, type) else None
        if not isinstance(cls, type):
            return ""
        for base in cls.__mro__:
            value = base.__dict__.get(name)
            if value is None:
                continue
            self.checks.append(_check(weakref.ref(base), "module", name, value))
            if isinstance(value, property):
                value = value.fget
            elif isinstance(value, functools.cached_property):
                value = value.func
            elif type(value) in _CONTAINERS and not _is_constant(value):
                return ""  # by the source of the class, where that is used
            return self._describe(value)
        return ""

    def _lines_of_function(self, fn: types.FunctionType) -> list[str]:
        place = _Place(fn, fn.__globals__)
        self.checks.append(_check(place.ref, "attribute", "__code__", fn.__code__))
        for name in ("__defaults__", "__kwdefaults__"):
            self.checks.append(
                (place.ref, "attribute", name, "id", id(getattr(fn, name)))
            )
        self._add_cells(place, fn)
        part = _part(fn.__code__, fn)
        defaults = _defaults(fn, self.unit)
        self.stable = self.stable and not _may_change(defaults)
        return [part.text, defaults, *self.names(place, part.chains)]

    def _lines_of_class(self, cls: type) -> list[str]:
        part = _part(cls, cls)
        home = _home_of(cls)
        if home is None:
            self.stable = False
            return [part.text]
        place = _Place(home, _space_of(home))
        functions = [fn for fn in _functions_of(cls) if fn.__globals__ is place.space]
        for fn in functions:
            self._add_cells(place, fn)
        place.cells.pop("__class__", None)
        lines = [part.text]
        if not part.found:
            lines += [self.unit(fn) for fn in functions]
            if place.space.get(cls.__qualname__) is cls:
                lines.append(self._bound(place, cls.__qualname__))
        return lines + self.names(place, part.chains)

    def _add_cells(self, place: _Place, fn: types.FunctionType) -> None:
        for number, cell in enumerate(fn.__closure__ or ()):
            place.cells[fn.__code__.co_freevars[number]] = cell
            value = _content(cell)
            self.checks.append(_check(weakref.ref(fn), "cell", number, value))

    def _lines_of_binding(self, item: _Binding) -> list[str]:
        place, name = item.place, item.name
        index = self._index(place.space)
        if index is None:
            return []
        lines: list[str] = []
        for node in index.bindings.get(name, ()):
            source = index.imports.get(id(node))
            if source is not None:
                lines.append(self._imported(place, *source, name))
            else:
                part = index.part(node)
                chains = [chain for chain in part.chains if chain[0] != name]
                lines += [part.text, *self.names(place, chains)]
        if not lines:
            for level, module, _ in index.stars:
                lines.append(self._imported(place, level, module, {}, name))
        return lines

    def _imported(
        self, place: _Place, level: int, module: str, names: dict[str, str], name: str
    ) -> str:
        """What ``from module import name`` leads to."""
        name = names.get(name, name)
        if level:
            package = place.space.get("__package__") or place.space.get("__name__")
            parts = str(package).split(".")
            parts = parts[: len(parts) - level + 1]
            module = ".".join([*parts, module] if module else parts)
        source = sys.modules.get(module)
        space = source.__dict__ if source is not None else {}
        origin = _origin(module, _file_of(space))
        if origin or source is None or name not in space:
            return origin
        return self._global(_Place(source, space), (name,))[0]

    def _global(self, place: _Place, chain: Chain) -> tuple[str, Chain]:
        name = chain[0]
        value = place.space.get(name, _MISSING)
        self.checks.append(_check(place.ref, place.how, name, value))
        if value is _MISSING or (name.startswith("__") and name.endswith("__")):
            return "", chain  # of Python, of the module itself, or not there yet
        modules = [place]

        def note(module: types.ModuleType, name: str, value: object) -> None:
            modules.append(_Place(module, module.__dict__))
            self._note(module, name, value)

        value, used = _follow(value, chain, note)
        return self._text_of_global(modules[-1], used[-1], value), used

    def _text_of_global(self, place: _Place, name: str, value: object) -> str:
        index = self._index(place.space)
        if type(value) in _CONTAINERS and not _is_constant(value):
            text = type(value).__name__  # what is in it may be state of the program
            return f"{text} {self._bound(place, name)}" if index else text
        if not _is_constant(value):
            text = self._describe(value)
            direct = ("unit ", "registered ", "unbound")
            if text.startswith(direct) or isinstance(value, types.ModuleType):
                return text
            return f"{text} {self._bound(place, name)}" if index else text
        if index is not None and name in index.rebound:
            return self._bound(place, name)  # state of the program
        return _describe(_portable(value, place.space), self.unit)

    def _bound(self, place: _Place, name: str) -> str:
        return self.unit(_Binding(place, name), (id(place.space), name))

    def _describe(self, value: object) -> str:
        text = _describe(value, self.unit)
        if _may_change(text) and not _is_constant(value):
            self.stable = False
        return text

    def _note(self, module: types.ModuleType, name: str, value: object) -> None:
        self.checks.append(_check(weakref.ref(module), "module", name, value))

    def _index(self, space: Space) -> _Index | None:
        if id(space) not in self._indexes:
            file = _file_of(space)
            self._indexes[id(space)] = _index_of(file, space) if file else None
        return self._indexes[id(space)]


def _may_change(text: str) -> bool:
    """Whether a description holds something that can change in place."""
    return "list[" in text or "dict[" in text or "set[" in text


def _portable(value: object, space: Space) -> object:
    """A path beside, below or above its module, told from there."""
    file = _file_of(space)
    if type(value) is not str or not file or not os.path.isabs(value):
        return value
    folder = os.path.dirname(file)
    if value == file or f"{value}{os.sep}".startswith(folder + os.sep):
        return ("path", *os.path.relpath(value, folder).split(os.sep))
    if folder.startswith(value.rstrip(os.sep) + os.sep):
        return ("path", *os.path.relpath(value, folder).split(os.sep))
    return value


# --- what is remembered ---------------------------------------------------------


class _Part:
    """What the source of a function, class or statement says.

    Attributes:
        text: its digest.
        chains: names from outside, with attributes: ``("prompts", "SYSTEM")``.
        free, captured: those that are global, and those that are in cells.
        found: whether there is a source.
    """

    __slots__ = ("captured", "chains", "found", "free", "text")

    def __init__(
        self, text: str, chains: Iterable[Chain], found: bool, cells: Iterable[str] = ()
    ) -> None:
        self.text = text
        self.found = found
        names = {chain[0] for chain in chains}
        hidden = {(cell,) for cell in cells if cell not in names}  # `__class__`
        self.chains = tuple(sorted({*chains, *hidden}))
        self.captured = tuple(c for c in self.chains if c[0] in cells)
        self.free = tuple(c for c in self.chains if c[0] not in cells)


class _Known:
    """What is remembered of a code object or class, for as long as it lives."""

    __slots__ = ("below", "part", "ref")

    def __init__(self, ref: weakref.ref[Any]) -> None:
        self.ref = ref
        self.part: _Part | None = None
        self.below: tuple[str, list[_Check]] | None = None


# By id: code objects are equal when their instructions are.
_known: dict[int, _Known] = {}
_lock = threading.RLock()


def _forget(number: int, ref: weakref.ref[Any]) -> None:
    known = _known.get(number)
    if known is not None and known.ref is ref:
        del _known[number]


def _known_of(key: types.CodeType | type) -> _Known:
    known = _known.get(id(key))
    if known is None or known.ref() is not key:
        ref = weakref.ref(key, functools.partial(_forget, id(key)))
        known = _known[id(key)] = _Known(ref)
    return known


def _part(key: types.CodeType | type, owner: types.FunctionType | type) -> _Part:
    known = _known_of(key)
    part = known.part
    if part is None:
        with _lock:
            if isinstance(owner, type):
                part = known.part = _read_class(owner)
            else:
                part = known.part = _read_function(owner)
    return part


def _below(key: types.CodeType | type, owner: types.FunctionType | type) -> str:
    """Digest of all that global names lead to; of a class, with the class itself."""
    known = _known_of(key)
    below = known.below
    if below is not None and _hold(below[1], owner):
        return below[0]
    graph = _Graph()
    if isinstance(owner, type):
        lines = [graph.unit(owner)]
    else:
        place = _Place(owner, owner.__globals__, root=True)
        lines = graph.names(place, _part(key, owner).free)
    digest = _hash(graph.text(lines))
    if graph.stable:
        known.below = digest, graph.checks
    return digest


# --- sources --------------------------------------------------------------------

_STARTED = time.time()
_MAX_INDEXES = 128  # parsed files that are kept


class _Index:
    """Where things are in one source file.

    Attributes:
        functions: by first line and name, lambdas as ``<lambda>``.
        classes: by qualified name.
        bindings: statements of the module that bind or change a global.
        imports: of those, ``from`` imports by id: level, module, names.
        stars: ``from module import *``.
        rebound: globals that some function assigns to.
        codes: of a file that is younger than this program: what it compiles to, since
            the program may have been running an older text. Else None.
    """

    def __init__(self, tree: ast.Module, codes: frozenset[str] | None) -> None:
        self.codes = codes
        self.functions: dict[tuple[int, str], list[Any]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.bindings: dict[str, list[ast.AST]] = {}
        self.imports: dict[int, tuple[int, str, dict[str, str]]] = {}
        self.stars: list[tuple[int, str, dict[str, str]]] = []
        self.rebound: set[str] = set()
        self._parts: dict[int, _Part] = {}
        self._read(tree)

    def has(self, code: types.CodeType) -> bool:
        return self.codes is None or _bytecode(code) in self.codes

    def part(self, node: ast.AST) -> _Part:
        part = self._parts.get(id(node))
        if part is None:
            part = _Part(f"source {_syntax(node)}", _names(node, True), True)
            self._parts[id(node)] = part
        return part

    def _read(self, tree: ast.Module) -> None:
        import ast

        # Node, prefix of qualified names, whether it runs as part of the module.
        stack: list[tuple[ast.AST, str, bool]] = [(tree, "", True)]
        while stack:
            node, prefix, top = stack.pop()
            if top:
                self._bind(node)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = [part.lineno for part in node.decorator_list]
                key = min([node.lineno, *lines]), node.name
                self.functions.setdefault(key, []).append(node)
                prefix, top = f"{prefix}{node.name}.<locals>.", False
            elif isinstance(node, ast.Lambda):
                key = node.lineno, "<lambda>"
                self.functions.setdefault(key, []).append(node)
                prefix, top = f"{prefix}<lambda>.<locals>.", False
            elif isinstance(node, ast.ClassDef):
                self.classes.setdefault(prefix + node.name, []).append(node)
                prefix, top = f"{prefix}{node.name}.", False
            elif isinstance(node, ast.Global):
                self.rebound.update(node.names)
            children = list(ast.iter_child_nodes(node))
            stack += [(child, prefix, top) for child in reversed(children)]

    def _bind(self, node: ast.AST) -> None:
        import ast

        if isinstance(node, ast.ImportFrom):
            names = {alias.asname or alias.name: alias.name for alias in node.names}
            source = (node.level, node.module or "", names)
            if "*" in names:
                self.stars.append(source)
            self.imports[id(node)] = source
            pairs: list[tuple[ast.AST, ast.AST | str]] = [(node, n) for n in names]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            pairs = [(node, node.name)]
        elif isinstance(node, (ast.Assign, ast.Delete)):
            pairs = [(node, target) for target in node.targets]
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
            pairs = [(node, node.target)]
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            pairs = [(node.iter, node.target)]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            pairs = [
                (item.context_expr, item.optional_vars)
                for item in node.items
                if item.optional_vars is not None
            ]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            # `SETTINGS.update(...)` is a part of what `SETTINGS` is.
            called = node.value.func
            pairs = [(node, called)] if isinstance(called, ast.Attribute) else []
        else:
            return
        for statement, target in pairs:
            for name in [target] if isinstance(target, str) else _targets(target):
                self.bindings.setdefault(name, []).append(statement)


def _targets(node: ast.AST) -> list[str]:
    """Names that a target binds or changes: ``a, b.c, d[0] = ...``."""
    import ast

    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        return _targets(node.value)
    if isinstance(node, (ast.Tuple, ast.List)):
        return [name for part in node.elts for name in _targets(part)]
    return []


_indexes: dict[str, tuple[object, _Index | None]] = {}


def _index_of(file: str, space: Space) -> _Index | None:
    """The index of a source file, read again when the file has changed."""
    import linecache

    if file in ("<string>", "<stdin>", "<unknown>"):
        return None  # names of many sources
    with _lock:
        linecache.checkcache(file)
        lines = linecache.getlines(file, space)
        if not lines:
            return None
        entry: Any = linecache.cache.get(file)
        if entry is not None and len(entry) == 4 and entry[1] is not None:
            stamp: object = entry[:2]
        else:
            stamp = "".join(lines)
        known = _indexes.pop(file, None)
        if known is None or known[0] != stamp:
            young = entry is not None and (entry[1] or 0) > _STARTED
            known = stamp, _parse("".join(lines), file, young)
        _indexes[file] = known  # now the newest
        while len(_indexes) > _MAX_INDEXES:
            del _indexes[next(iter(_indexes))]
        return known[1]


def _parse(source: str, file: str, young: bool) -> _Index | None:
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said when the module was compiled
            tree = ast.parse(source, file)
            if not young:
                return _Index(tree, None)
            whole = compile(tree, file, "exec", dont_inherit=True)
            return _Index(tree, frozenset(_bytecodes(whole)))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _read_function(fn: types.FunctionType) -> _Part:
    code = fn.__code__
    index = _index_of(code.co_filename, fn.__globals__)
    node = None
    if index is not None and index.has(code):
        node = _node_of(code, index)
    if node is None:
        loose = [(name,) for name in (*code.co_names, *code.co_freevars)]
        return _Part(f"bytecode {_bytecode(code)}", loose, False, code.co_freevars)
    # What is evaluated where the function is defined can be local names there.
    outer = "<locals>" not in code.co_qualname
    names = _names(node, outer)
    return _Part(f"source {_syntax(node)}", names, True, code.co_freevars)


def _functions_of(cls: type) -> list[types.FunctionType]:
    """What the body of a class defined, below registered wrappers."""
    values = map(_unwrap, list(cls.__dict__.values()))
    return [value for value in values if isinstance(value, types.FunctionType)]


def _home_of(cls: type) -> types.FunctionType | types.ModuleType | None:
    """Where the globals of a class are; its methods know best, after a reload."""
    for fn in _functions_of(cls):
        if fn.__globals__.get("__name__") == cls.__module__:
            return fn
    return sys.modules.get(cls.__module__)


def _space_of(home: types.FunctionType | types.ModuleType) -> Space:
    return home.__globals__ if isinstance(home, types.FunctionType) else home.__dict__


def _read_class(cls: type) -> _Part:
    home = _home_of(cls)
    space = {} if home is None else _space_of(home)
    file = _file_of(space)
    if file is None and isinstance(home, types.FunctionType):
        file = home.__code__.co_filename  # in a notebook each cell is a file
    codes = [fn.__code__ for fn in _functions_of(cls)]
    codes = [code for code in codes if code.co_filename == file]
    index = _index_of(file, space) if file is not None else None
    nodes: list[ast.ClassDef] = []
    if index is not None and all(map(index.has, codes)):
        nodes = index.classes.get(cls.__qualname__, [])
    if not nodes:
        return _Part(f"class {cls.__qualname__!a}", (), False)
    node = nodes[-1]
    lines = [code.co_firstlineno for code in codes]
    for other in nodes:
        if any(other.lineno <= n <= (other.end_lineno or n) for n in lines):
            node = other
    outer = "<locals>" not in cls.__qualname__
    return _Part(f"source {_syntax(node)}", _names(node, outer), True)


def _bytecode(code: types.CodeType) -> str:
    """Digest of a function without source; differs between versions of Python."""

    def describe(value: object) -> str:
        if isinstance(value, types.CodeType):
            return _bytecode(value)
        return _describe(value, _name)

    parts = (
        code.co_name,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        code.co_varnames,
        code.co_names,
        code.co_freevars,
        code.co_code,
    )
    consts = [describe(value) for value in code.co_consts]
    return _hash("\n".join([*map(describe, parts), *consts]))


def _bytecodes(code: types.CodeType) -> Iterator[str]:
    """Digests of all code objects in a module."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield _bytecode(inner)
            yield from _bytecodes(inner)


# --- code objects and syntax ----------------------------------------------------


def _node_of(code: types.CodeType, index: _Index) -> Any:
    """The function or lambda that was compiled into ``code``, None if undecidable."""
    found = index.functions.get((code.co_firstlineno, code.co_name), [])
    nodes = [node for node in found if _fits(node, code)]
    if len(nodes) > 1:
        nodes = _enclosing(nodes, code)
    if len({_syntax(node) for node in nodes} if len(nodes) > 1 else nodes) != 1:
        return None
    return nodes[0]


def _fits(node: Any, code: types.CodeType) -> bool:
    """Whether arguments and lines agree: the file may have been edited since."""
    args = node.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    names += [arg.arg for arg in (args.vararg, args.kwarg) if arg is not None]
    if len(code.co_varnames) < len(names):
        return False
    for name, own in zip(names, code.co_varnames, strict=False):
        # Names with two underscores are changed in classes.
        if own != name and not (name.startswith("__") and own.endswith(name)):
            return False
    last = node.end_lineno or node.lineno
    lines = [line for _, _, line in code.co_lines() if line]
    return all(code.co_firstlineno <= line <= last for line in lines)


def _enclosing(nodes: list[Any], code: types.CodeType) -> list[Any]:
    """Of functions that start on one line, the smallest that holds all positions."""
    places = set()
    for line, end_line, column, end_column in code.co_positions():
        if None in (line, end_line, column, end_column) or not end_column:
            continue
        places.add(((line, column), (end_line, end_column)))
    if not places:  # a constant on Python 3.12, or there are no positions at all
        return [node for node in nodes if _compiles_to(node, code)]
    best: list[Any] = []
    for node in nodes:
        body = node.body if isinstance(node.body, list) else [node.body]
        start = body[0].lineno, body[0].col_offset
        end = body[-1].end_lineno, body[-1].end_col_offset
        if all(start <= place[0] and place[1] <= end for place in places):
            best.append(((start, end), node))
    # The innermost: it starts last.
    return [max(best, key=lambda found: found[0][0])[1]] if best else []


def _compiles_to(node: Any, code: types.CodeType) -> bool:
    import ast

    if not isinstance(node, ast.Lambda):
        return False
    outer = compile(ast.Expression(node), "<string>", "eval", dont_inherit=True)
    inner = [c for c in outer.co_consts if isinstance(c, types.CodeType)]
    return _bytecode(code) in map(_bytecode, inner)


_SKIPPED = {"ctx", "kind", "type_comment", "type_ignores"}


def _syntax(root: ast.AST) -> str:
    """Digest of a tree: names of nodes and fields, without what is empty.

    What a version of Python adds to the syntax is empty in code for older ones.
    """
    import ast

    out: list[str] = []
    stack: list[ast.AST | str] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            out.append(node)
            continue
        if isinstance(node, ast.Constant):
            out.append(f"<{_ATOMS[type(node.value)](node.value)}>")
            continue
        if isinstance(node, ast.JoinedStr):
            parts = _merged(node)
            if len(parts) == 1 and isinstance(parts[0], str):
                out.append(f"<{parts[0]}>")
                continue
            out.append("(JoinedStr")
            stack.append(")")
            stack += [f"<{p}>" if isinstance(p, str) else p for p in reversed(parts)]
            continue
        out.append(f"({type(node).__name__}")
        stack.append(")")
        for name in reversed(node._fields):
            value = getattr(node, name, None)
            if name in _SKIPPED or value is None:
                continue
            if name == "format_spec" and not _merged(value):
                continue
            if isinstance(value, list):
                items = [item for item in value if not _is_silent(item)]
                if name == "decorator_list":
                    items = [item for item in items if not _is_register(item)]
                if items:
                    stack.append("]")
                    stack += [_item(item) for item in reversed(items)]
                    stack.append(f".{name}[")
            else:
                stack += [_item(value), f".{name}="]
    return _hash("".join(out))


def _item(value: object) -> ast.AST | str:
    import ast

    if isinstance(value, ast.AST):
        return value
    return f"<{_ATOMS[type(value)](value)}>"


def _merged(node: Any) -> list[ast.AST | str]:
    """Parts of an f-string; how literal text is split depends on the version."""
    import ast

    parts: list[ast.AST | str] = []
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        if text:
            parts.append(ascii(text))
        text = ""
        parts.append(part)
    return [*parts, ascii(text)] if text else parts


def _is_silent(node: object) -> bool:
    """Docstrings and other statements that do nothing."""
    import ast

    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _is_register(node: ast.AST) -> bool:
    """Whether a decorator is ``@register``, ``@enact.register(...)`` or the like."""
    import ast

    if isinstance(node, ast.Call):
        node = node.func
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "register"


# --- names ----------------------------------------------------------------------


class _Scope:
    __slots__ = ("bound", "elsewhere", "globals", "is_root", "kind", "outer", "uses")

    def __init__(self, kind: str, outer: _Scope | None) -> None:
        self.kind = kind  # module, class, function or comprehension
        self.outer = outer
        self.is_root = False  # the body of the function that is looked at
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.elsewhere: set[str] = set()  # declared nonlocal
        self.uses: list[Chain] = []

    def home(self, name: str) -> _Scope | None:
        """The scope inside of the tree that ``name``, used here, is bound in."""
        scope: _Scope | None = self
        while scope is not None and scope.kind != "module":
            if name in scope.globals:
                return None
            visible = scope is self or scope.kind != "class"
            if visible and name in scope.bound and name not in scope.elsewhere:
                return scope
            scope = scope.outer
        return None


def _names(root: ast.AST, outer: bool) -> tuple[Chain, ...]:
    """Names that the tree takes from outside, each with the attributes after it.

    Attributes of the first argument of ``root`` come as ``(_SELF, attribute)``.

    Args:
        root: a function, class, statement or expression.
        outer: whether to count decorators and annotations of ``root`` itself.
    """
    import ast

    module = _Scope("module", None)
    scopes = [module]
    stack: list[tuple[ast.AST, _Scope]] = []
    first: str | None = None

    def inside(kind: str, scope: _Scope) -> _Scope:
        scopes.append(_Scope(kind, scope))
        return scopes[-1]

    def push(nodes: Iterable[ast.AST | None], scope: _Scope) -> None:
        stack.extend((node, scope) for node in nodes if node is not None)

    def function(node: Any, scope: _Scope) -> None:
        nonlocal first
        body = inside("function", scope)
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        every += [arg for arg in (args.vararg, args.kwarg) if arg is not None]
        body.bound.update(arg.arg for arg in every)
        if node is root:
            body.is_root = True
            first = every[0].arg if args.posonlyargs or args.args else None
        lambda_ = isinstance(node, ast.Lambda)
        push([node.body] if lambda_ else node.body, body)
        if node is not root:  # values of defaults count; the names may be local
            push([*args.defaults, *args.kw_defaults], scope)
        if not lambda_ and (outer or node is not root):
            decorators = [d for d in node.decorator_list if not _is_register(d)]
            push(decorators, scope)
            typed = inside("function", scope)
            for param in getattr(node, "type_params", ()):
                typed.bound.add(param.name)
                body.bound.add(param.name)
                push([param], typed)
            push([node.returns, *(arg.annotation for arg in every)], typed)

    def comprehension(node: Any, scope: _Scope) -> None:
        own = inside("comprehension", scope)
        first = node.generators[0]
        push([first.iter], scope)
        push([first.target, *first.ifs, *node.generators[1:]], own)
        if isinstance(node, ast.DictComp):
            push([node.key, node.value], own)
        else:
            push([node.elt], own)

    push([root], module)
    while stack:
        node, scope = stack.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                scope.uses.append((node.id,))
            else:
                scope.bound.add(node.id)
        elif isinstance(node, ast.Attribute):
            attributes, inner = [node.attr], node.value
            while isinstance(inner, ast.Attribute):
                attributes.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name):
                scope.uses.append((inner.id, *reversed(attributes)))
            else:
                push([inner], scope)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            scope.bound.add(node.name)
            function(node, scope)
        elif isinstance(node, ast.Lambda):
            function(node, scope)
        elif isinstance(node, ast.ClassDef):
            scope.bound.add(node.name)
            own = inside("class", scope)
            params = getattr(node, "type_params", [])
            own.bound.update(param.name for param in params)
            push([*node.body, *params], own)
            push([*node.bases, *node.keywords], own if params else scope)
            push([d for d in node.decorator_list if not _is_register(d)], scope)
        elif isinstance(
            node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
            comprehension(node, scope)
        elif isinstance(node, ast.NamedExpr):
            target = scope
            while target.kind == "comprehension" and target.outer is not None:
                target = target.outer
            target.bound.add(node.target.id)
            push([node.value], scope)
        else:
            if isinstance(node, ast.Global):
                scope.globals.update(node.names)
            elif isinstance(node, ast.Nonlocal):
                scope.elsewhere.update(node.names)
            elif isinstance(node, ast.alias):
                scope.bound.add(node.asname or node.name.partition(".")[0])
            elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
                if node.name is not None:
                    scope.bound.add(node.name)
            elif isinstance(node, ast.MatchMapping) and node.rest is not None:
                scope.bound.add(node.rest)
            push(ast.iter_child_nodes(node), scope)
    found: set[Chain] = set()
    for scope in scopes:
        for chain in scope.uses:
            home = scope.home(chain[0])
            if home is None:
                found.add(chain)
            elif home.is_root and chain[0] == first and len(chain) > 1:
                found.add((_SELF, chain[1]))
    return tuple(sorted(found))
