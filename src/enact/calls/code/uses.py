# SPDX-License-Identifier: Apache-2.0
"""What a function uses by global name: from object to object, through the project.

What was found on the way is kept as a list of checks, so that the next closure with
the same code only repeats the look-ups.
"""

from __future__ import annotations

import functools
import os
import sys
import types
import weakref
from collections.abc import Iterable
from typing import Any

from enact.calls.code.parts import (
    Memory,
    functions_of,
    module_of,
    part_of,
    space_of,
)
from enact.calls.code.sources import Index, index_of
from enact.calls.code.syntax import SELF
from enact.calls.code.values import (
    CONTAINERS,
    MISSING,
    Chain,
    Describer,
    Space,
    content_of,
    file_of,
    hash_text,
    is_constant,
)

# Per code object or class and home: the digest, and what it is true for.
_known: Memory[dict[str, tuple[str, list[_Check]]]] = Memory()


def below(owner: types.FunctionType | type, home: str) -> str:
    """Digest of all that global names lead to; of a class, with the class itself."""
    known = _known.get(owner)
    if known is None:
        known = {}
        _known.put(owner, known)
    found = known.get(home)
    if found is not None and _hold(found[1], owner):
        return found[0]
    graph = Graph(home)
    if isinstance(owner, type):
        lines = [graph.unit(owner)]
    else:
        place = Place(owner, owner.__globals__, root=True)
        lines = graph.names(place, part_of(owner).free)
    digest = hash_text(graph.text(lines))
    if graph.stable:
        known[home] = digest, graph.checks
    return digest


class Place:
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

    def absolute(self, level: int, module: str) -> str:
        """The full name of a module that is imported from here."""
        if not level:
            return module
        package = self.space.get("__package__") or self.space.get("__name__")
        parts = str(package).split(".")
        parts = parts[: len(parts) - level + 1]
        return ".".join([*parts, module] if module else parts)


class Binding:
    """A global that is neither code nor constant: the statements that bind it."""

    __slots__ = ("name", "place")

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name


# A look-up and what it found: in what (None: in the function itself), how and under
# which name; how to compare, and with what.
_Check = tuple["weakref.ref[Any] | None", str, Any, str, Any]


def _check(ref: weakref.ref[Any] | None, how: str, name: Any, value: object) -> _Check:
    if value is MISSING or is_constant(value):
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
            value = owner.__globals__.get(name, MISSING)
        elif how == "module":
            value = owner.__dict__.get(name, MISSING)
        elif how == "cell":
            value = content_of(owner.__closure__[name])
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


class Graph(Describer):
    """What can be reached by global names, numbered in the order of discovery."""

    def __init__(self, home: str) -> None:
        super().__init__(home)
        self.checks: list[_Check] = []
        self.stable = True  # the checks see every change
        self._numbers: dict[object, int] = {}
        self._queue: list[object] = []
        self._indexes: dict[int, Index | None] = {}

    def text(self, lines: list[str]) -> str:
        """The given lines, then those of every unit that they lead to."""
        for number, item in enumerate(self._queue):  # grows on the way
            lines.append(f"#{number}")
            if isinstance(item, Binding):
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

    def names(self, place: Place, chains: Iterable[Chain]) -> list[str]:
        """A line for each name that means something here."""
        lines = []
        for chain in chains:
            if chain[0] == SELF:
                text, used = self._own(place, chain[1]), chain
            elif chain[0] in place.cells:
                value, used = self.captured(place.cells, chain, self._note)
                text = self._watched(value)
            else:
                text, used = self._global(place, chain)
            if text:
                lines.append(f"{'.'.join(used)} = {text}")
        return lines

    def _own(self, place: Place, name: str) -> str:
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
            elif type(value) in CONTAINERS and not is_constant(value):
                return ""  # by the source of the class, where that is used
            return self._watched(value)
        return ""

    def _lines_of_function(self, fn: types.FunctionType) -> list[str]:
        place = Place(fn, fn.__globals__)
        self.checks.append(_check(place.ref, "attribute", "__code__", fn.__code__))
        for name in ("__defaults__", "__kwdefaults__"):
            self.checks.append(
                (place.ref, "attribute", name, "id", id(getattr(fn, name)))
            )
        self._add_cells(place, fn)
        part = part_of(fn)
        defaults = self.defaults(fn)
        self.stable = self.stable and not _may_change(defaults)
        return [part.text, defaults, *self.names(place, part.chains)]

    def _lines_of_class(self, cls: type) -> list[str]:
        part = part_of(cls)
        module = module_of(cls)
        if module is None:
            self.stable = False
            return [part.text]
        place = Place(module, space_of(module))
        functions = [fn for fn in functions_of(cls) if fn.__globals__ is place.space]
        for fn in functions:
            self._add_cells(place, fn)
        place.cells.pop("__class__", None)
        lines = [part.text]
        if not part.found:
            lines += [self.unit(fn) for fn in functions]
            if place.space.get(cls.__qualname__) is cls:
                lines.append(self._bound(place, cls.__qualname__))
        return lines + self.names(place, part.chains)

    def _add_cells(self, place: Place, fn: types.FunctionType) -> None:
        for number, cell in enumerate(fn.__closure__ or ()):
            place.cells[fn.__code__.co_freevars[number]] = cell
            value = content_of(cell)
            self.checks.append(_check(weakref.ref(fn), "cell", number, value))

    def _lines_of_binding(self, item: Binding) -> list[str]:
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
        self, place: Place, level: int, module: str, names: dict[str, str], name: str
    ) -> str:
        """What ``from module import name`` leads to."""
        name = names.get(name, name)
        module = place.absolute(level, module)
        source = sys.modules.get(module)
        space = source.__dict__ if source is not None else {}
        origin = self.origin(module, file_of(space))
        if origin or source is None or name not in space:
            return origin
        return self._global(Place(source, space), (name,))[0]

    def _global(self, place: Place, chain: Chain) -> tuple[str, Chain]:
        name = chain[0]
        value = place.space.get(name, MISSING)
        self.checks.append(_check(place.ref, place.how, name, value))
        if value is MISSING or (name.startswith("__") and name.endswith("__")):
            return "", chain  # of Python, of the module itself, or not there yet
        modules = [place]

        def note(module: types.ModuleType, name: str, value: object) -> None:
            modules.append(Place(module, module.__dict__))
            self._note(module, name, value)

        value, used = self.follow(value, chain, note)
        return self._text_of_global(modules[-1], used[-1], value), used

    def _text_of_global(self, place: Place, name: str, value: object) -> str:
        index = self._index(place.space)
        if type(value) in CONTAINERS and not is_constant(value):
            text = type(value).__name__  # what is in it may be state of the program
            return f"{text} {self._bound(place, name)}" if index else text
        if not is_constant(value):
            text = self._watched(value)
            direct = ("unit ", "registered ", "unbound")
            if text.startswith(direct) or isinstance(value, types.ModuleType):
                return text
            return f"{text} {self._bound(place, name)}" if index else text
        if index is not None and name in index.rebound:
            return self._bound(place, name)  # state of the program
        return self.describe(portable(value, place.space))

    def _bound(self, place: Place, name: str) -> str:
        return self.unit(Binding(place, name), (id(place.space), name))

    def _watched(self, value: object) -> str:
        text = self.describe(value)
        if _may_change(text) and not is_constant(value):
            self.stable = False
        return text

    def _note(self, module: types.ModuleType, name: str, value: object) -> None:
        self.checks.append(_check(weakref.ref(module), "module", name, value))

    def _index(self, space: Space) -> Index | None:
        if id(space) not in self._indexes:
            file = file_of(space)
            self._indexes[id(space)] = index_of(file, space) if file else None
        return self._indexes[id(space)]


def _may_change(text: str) -> bool:
    """Whether a description holds something that can change in place."""
    return "list[" in text or "dict[" in text or "set[" in text


def portable(value: object, space: Space) -> object:
    """A path beside, below or above its module, told from there."""
    file = file_of(space)
    if type(value) is not str or not file or not os.path.isabs(value):
        return value
    folder = os.path.dirname(file)
    if value == file or f"{value}{os.sep}".startswith(folder + os.sep):
        return ("path", *os.path.relpath(value, folder).split(os.sep))
    # "/" or "/srv" is a separator or a system folder rather than the program's own.
    above = value.rstrip(os.sep)
    if above.count(os.sep) > 1 and folder.startswith(above + os.sep):
        return ("path", *os.path.relpath(value, folder).split(os.sep))
    return value
