# SPDX-License-Identifier: Apache-2.0
"""Functions that a search is given, as ones that can be part of a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from enact.calls import name_of, register
from enact.calls.code import code_digest
from enact.calls.execution import resolve
from enact.calls.targets import is_nameless, live, target_of
from enact.errors import NotReplayable, SearchError
from enact.values import qualified_name, shown


def require_registered(program: Any) -> None:
    """See that a program can be replayed.

    Raises:
        NotReplayable: it is not registered.
        InvokableTypeError: it cannot be called.
    """
    target, _ = resolve(program, ())
    if not target.registered:
        raise NotReplayable(
            f"{name_of(program) if callable(program) else shown(program)} is not "
            "registered, so it cannot be replayed: decorate it with `@enact.register`"
        )


def registered_function(fn: Any) -> Any:
    """A function as one that can be part of a record."""
    if fn is None or target_of(fn) is not None or not callable(fn):
        return fn
    if hasattr(type(fn), "__enact_target_of_class__"):
        return fn
    if isinstance(fn, type):
        if fn not in _of_types:
            name = f"enact/search/{fn.__module__}.{fn.__qualname__}"
            _of_types[fn] = register(_calling(fn), name=name)
        return _of_types[fn]
    name = qualified_name(fn)
    if not is_nameless(name):
        return register(fn)
    # Functions made in a loop share a name, and differ in what they captured.
    name = f"{name}.{code_digest(fn)[:12]}"
    known = live(name)
    return known[0].wrapper if known else register(fn, name=name)


_of_types: dict[type, Any] = {}


def _calling(kind: type) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        return kind(value)

    return apply


def registered_name(one: Any) -> str:
    """The name that a function, or an invokable class, is registered by.

    Raises:
        SearchError: it is not registered.
    """
    if isinstance(one, str):
        return one
    if isinstance(one, type):
        of_class = getattr(one, "__enact_target_of_class__", None)
        if of_class is not None:
            return str(of_class().name)
    target, _ = resolve(one, ())
    if not target.registered:
        raise SearchError(
            f"branch_on: {target.name!r} is not registered, so its calls are not seen"
        )
    return target.name
