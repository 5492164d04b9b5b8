# SPDX-License-Identifier: Apache-2.0
"""What a digest covers, as text: the sources behind a function, and how they hang
together."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Iterable
from typing import Any

from enact.calls.code.digest import home_of
from enact.calls.code.excerpt import excerpt
from enact.calls.code.parts import find_class, find_function, module_of, space_of
from enact.calls.code.statements import import_of, innermost, literal, typed
from enact.calls.code.syntax import names_of
from enact.calls.code.uses import Binding, Graph, Place, portable
from enact.calls.code.values import (
    MISSING,
    Chain,
    file_of,
    is_constant,
    own_name,
    stored,
    unwrap,
)
from enact.values import Secret, name_rule, redact, shape_rule, without_live

_FUTURE_ANNOTATIONS = 0x1000000  # of code flags; the same since Python 3.7
NO_SOURCE = "# its source is not to be had"
_ENVIRONMENT = ("environ", "getenv", "getpass", "keyring", "Secret")
_NEVER_STORED = "a secret, which is never stored"


class Listing(Graph):
    """Collects sources while it follows names, just as for a digest.

    Attributes:
        own: the key of the function that it began with; '' if that has no source.
        texts: by key, which is ``module:qualname``, of all that was found.
        needs: keys of what each of them uses.
        meanings: of global names: a key, a statement that imports them, or
            ``registered`` and the name of a registered function.
        spaces: for modules of the project, the attributes in use and their keys.
        missing: what stands against running the texts on their own, in words.
        future: annotations are not evaluated.
    """

    def __init__(self, home: str) -> None:
        super().__init__(home)
        self.own = ""
        self.texts: dict[str, str] = {}
        self.needs: dict[str, dict[str, None]] = {}
        self.meanings: dict[str, str] = {}
        self.spaces: dict[str, dict[str, str]] = {}
        self.missing: dict[str, None] = {}
        self.future = False
        self._current = ""
        self._values: set[str] = set()  # keys of globals that are no code

    def collect(self, root: object) -> None:
        """Follow everything from a callable on."""
        own = innermost(root)
        if issubclass(type(own), (types.FunctionType, type)):
            assert isinstance(own, (types.FunctionType, type))
            if not self.outside(own):
                self.own = _key(own)
                self.unit(own)
                self._look_at(own)
        if not self.own:
            self._lack(f"the source of {self.describe(root)}")
        text = self.describe(root)
        if text.startswith("object "):
            self.describe(unwrap(stored(type(root), "__call__")))
        self.text([])
        self._tidy()

    def order(self) -> list[str]:
        """Keys in an order in which each comes after what it uses."""
        done: dict[str, None] = {}
        seen = {self.own}
        path = [(self.own, iter(self.needs.get(self.own, ())))]
        while path:
            key, rest = path[-1]
            inner = next((need for need in rest if need not in seen), None)
            if inner is None:
                done[key] = None
                path.pop()
            else:
                seen.add(inner)
                path.append((inner, iter(self.needs.get(inner, ()))))
        return [key for key in done if key in self.texts]

    def _lack(self, what: str) -> None:
        self.missing[what] = None

    def _put(self, key: str, text: str) -> None:
        clean = without_live(text)
        if shape_rule(clean) is not None:
            clean = redact(clean)
        if clean != text:
            text = clean
            self._lack(f"a credential in {key}, which is never stored")
        known, number = self.texts.get(key), 1
        while known is not None and text not in known:
            if known in text:
                break
            number += 1  # closures, definitions of a notebook
            key = f"{key.partition('#')[0]}#{number}"
            known = self.texts.get(key)
        if known is None or known in text:
            self.texts[key] = text

    def _tidy(self) -> None:
        """Drop what is part of another text, and what secrets are made of."""
        indexes = [index for index in self._indexes.values() if index is not None]
        hidden = {name for index in indexes for name in index.hidden}
        for key in self._values:
            name = key.partition(":")[2]
            if name in hidden and key in self.texts:
                del self.texts[key]
                self._secret(key, name)
        for key in list(self.texts):
            if key == self.own:
                continue
            module, _, path = key.partition(":")
            outer = path.partition(".")[0]
            if "." in path and f"{module}:{outer}" in self.texts:
                del self.texts[key]
            elif path.endswith("<lambda>"):
                others = (text for other, text in self.texts.items() if other != key)
                if any(self.texts[key] in text for text in others):
                    del self.texts[key]

    # --- units ----------------------------------------------------------------------

    def _look_at(self, own: types.FunctionType | type) -> None:
        """Note what of the function itself is not in its text."""
        if isinstance(own, type):
            return
        path = own.__code__.co_qualname
        for name in own.__code__.co_freevars:
            self._lack(f"the value that it captured as {name!r}")
        inside = "<locals>" in path
        if "." in path and not inside:
            self._lack(f"the class of the method {path!r}")
        if inside and (own.__defaults__ or own.__kwdefaults__):
            if not is_constant((own.__defaults__, tuple(own.__kwdefaults__ or ()))):
                self._lack("a default value that its text does not say")

    def _lines_of_function(self, fn: types.FunctionType) -> list[str]:
        key = self._current = _key(fn)
        node, index = find_function(fn)
        if fn.__code__.co_flags & _FUTURE_ANNOTATIONS:
            self.future = True
        if node is None or index is None:
            self._put(key, NO_SOURCE)
            self._lack(f"the source of {key}")
        else:
            self._put(key, excerpt(index.lines, node))
            self._defaults_of(Place(fn, fn.__globals__), node)
        return super()._lines_of_function(fn)

    def _lines_of_class(self, cls: type) -> list[str]:
        key = self._current = _key(cls)
        node, index = find_class(cls)
        if node is None and index is not None and cls.__qualname__ in index.bindings:
            pass  # a named tuple or the like: the statement that makes it follows
        elif node is None or index is None:
            self._put(key, NO_SOURCE)
            self._lack(f"the source of {key}")
        else:
            self._put(key, excerpt(index.lines, node))
            module = module_of(cls)
            if module is not None and _is_future(space_of(module)):
                self.future = True
        return super()._lines_of_class(cls)

    def _lines_of_binding(self, item: Binding) -> list[str]:
        place, name = item.place, item.name
        key = self._current = _key_of_global(place, name)
        value = place.space.get(name)
        if _is_secret(value) or name_rule(name, value) is not None:
            self._secret(key, name)
            return []
        index = self._index(place.space)
        if index is not None:
            nodes = index.bindings.get(name, ())
            own = [node for node in nodes if id(node) not in index.imports]
            for node in own:
                self._defaults_of(place, node)
            if own:
                texts = (excerpt(index.lines, node) for node in nodes)
                self._put(key, "\n".join(texts))
        return super()._lines_of_binding(item)

    def _secret(self, key: str, name: str) -> None:
        self._put(key, f"{name} = ...  # {_NEVER_STORED}")
        self._lack(f"the value of {name!r}, {_NEVER_STORED}")

    def _defaults_of(self, place: Place, node: Any) -> None:
        """Follow names in default values, which a digest has by value."""
        args: Any = getattr(node, "args", None)
        if args is None or not hasattr(args, "kw_defaults"):
            return
        for default in (*args.defaults, *args.kw_defaults):
            if default is not None:
                self._follow_all(place, names_of(default, True))

    # --- names ----------------------------------------------------------------------

    def _follow_all(self, place: Place, chains: Iterable[Chain]) -> None:
        for chain in chains:
            if chain[0] in place.space:
                self._global(place, chain)

    def _global(self, place: Place, chain: Chain) -> tuple[str, Chain]:
        name = chain[0]
        value = place.space.get(name, MISSING)
        if value is MISSING:
            if not hasattr(builtins, name):
                self._lack(f"the global name {name!r}")
        elif name.startswith("__") and name.endswith("__"):
            if name not in ("__name__", "__doc__"):
                self._lack(f"{name}, which depends on the file")
        elif isinstance(value, types.ModuleType):
            self._meet_module(place, value, chain)
        else:
            self._meet(place, name, name)
        if _is_secret(value):
            return "", chain[:1]  # nothing that it is made of is looked at
        return super()._global(place, chain)

    def _meet_module(self, place: Place, value: types.ModuleType, chain: Chain) -> None:
        name = chain[0]
        if self.origin(value.__name__, file_of(value.__dict__)):
            found = self._home(place, name)
            self._mean(
                name, found if isinstance(found, str) else import_of(value, chain)
            )
            return
        attribute = chain[1] if len(chain) > 1 else ""
        inner = value.__dict__.get(attribute, MISSING)
        if inner is MISSING or isinstance(inner, types.ModuleType):
            self._lack(f"the module {own_name(value.__name__)!r}")
            return
        key = self._meet(Place(value, value.__dict__), attribute, attribute)
        space = self.spaces.setdefault(name, {})
        if space.setdefault(attribute, key) != key:
            self._lack(f"one meaning of {name}.{attribute}")

    def _meet(self, place: Place, name: str, alias: str) -> str:
        """Note what the global ``name`` is, which is used as ``alias``; its key."""
        value = place.space.get(name, MISSING)
        target = stored(value, "__enact_target__")
        if target is not None:
            return self._mean(alias, f"registered {getattr(target, 'name', name)}")
        home = self._home(place, name)
        if isinstance(home, str):
            self._mean(alias, home if alias == name else f"{home} as {alias}")
            return ""
        place, name = home
        key = _key_of_global(place, name)
        self._mean(alias, key)
        self._mean(name, key)
        self.needs.setdefault(self._current, {})[key] = None
        if not _is_unit(value):
            self._values.add(key)
        if _is_secret(value) or name_rule(name, value) is not None:
            self._secret(key, name)
        elif is_constant(value):
            self._constant(place, name, key, value)
        elif not _is_unit(value) or _key(value) != key:
            self._bound(place, name)
        return key

    def _mean(self, name: str, meaning: str) -> str:
        if self.meanings.setdefault(name, meaning) != meaning:
            self._lack(f"one meaning of the name {name!r}")
        return meaning

    def _home(self, place: Place, name: str) -> tuple[Place, str] | str:
        """The module of the project that binds a global, or how it is imported."""
        for _ in range(16):
            index = self._index(place.space)
            if index is None:
                return place, name
            nodes = index.bindings.get(name, [])
            sources = [
                index.imports[id(n)] for n in nodes[-1:] if id(n) in index.imports
            ]
            if not nodes:
                sources = [source for source in index.stars if "*" in source[2]]
            for level, module_name, names in sources:
                module_name = place.absolute(level, module_name)
                source = names.get(name, name)
                module = sys.modules.get(module_name)
                if module is None or source not in module.__dict__:
                    continue
                space = module.__dict__
                if self.origin(module_name, file_of(space)):
                    rename = "" if source == name else f" as {name}"
                    return f"from {module_name} import {source}{rename}"
                place, name = Place(module, space), source
                break
            else:
                return place, name
        return place, name

    def _constant(self, place: Place, name: str, key: str, value: object) -> None:
        """A constant, by the statement that binds it, else by value."""
        index = self._index(place.space)
        nodes: list[Any] = [] if index is None else index.bindings.get(name, [])
        if index is not None and len(nodes) == 1:
            text = excerpt(index.lines, nodes[0])
            expression = getattr(nodes[0], "value", None)
            if literal(expression) == typed(value):
                self._put(key, text)
                return
            if any(word in text for word in _ENVIRONMENT):
                self._bound(place, name)
                return
        if portable(value, place.space) is not value:
            self._bound(place, name)
        elif index is not None and name in index.rebound:
            self._bound(place, name)  # state of the program
        elif literal(repr(value)) == typed(value):
            self._put(key, f"{name} = {value!r}")
        else:
            self._bound(place, name)


def list_sources(fn: object) -> Listing:
    """Collect the sources behind a callable.

    Args:
        fn: as for ``code_digest``.

    Returns:
        What was found; of a callable without source, that there is none.
    """
    root = unwrap(fn)
    listing = Listing(home_of(root))
    listing.collect(root)
    return listing


def _is_unit(value: object) -> bool:
    return issubclass(type(value), (types.FunctionType, type))


def _key(unit: Any) -> str:
    if isinstance(unit, type):
        return f"{own_name(unit.__module__)}:{unit.__qualname__}"
    module = own_name(str(unit.__globals__.get("__name__")))
    return f"{module}:{unit.__code__.co_qualname}"


def _key_of_global(place: Place, name: str) -> str:
    return f"{own_name(str(place.space.get('__name__')))}:{name}"


def _is_secret(value: object) -> bool:
    return type(value) is Secret


def _is_future(space: dict[str, Any]) -> bool:
    import __future__

    return space.get("annotations") is __future__.annotations
