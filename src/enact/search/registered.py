# SPDX-License-Identifier: Apache-2.0
"""Functions that a search is given, as ones that can be part of a record."""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable
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
    """A function as one that can be part of a record.

    Raises:
        SearchError: it is none that another process could find again.
    """
    if fn is None or target_of(fn) is not None or not callable(fn):
        return fn
    if hasattr(type(fn), "__enact_target_of_class__"):
        return fn
    if isinstance(fn, Hashable) and fn in _BUILTINS:
        return _BUILTINS[fn]
    if not isinstance(fn, types.FunctionType):
        named = getattr(fn, "__qualname__", None) or shown(fn)
        raise SearchError(
            f"{named} is no function that a record could name, so the search could not "
            "be resumed. Next: register a function that calls it, as in "
            "`@enact.register def judge(output): ...`, and give that"
        )
    name = qualified_name(fn)
    if not is_nameless(name):
        return register(fn)
    # Functions made in a loop share a name, and differ in what they captured.
    name = f"{name}.{code_digest(fn)[:12]}"
    known = live(name)
    return known[0].wrapper if known else register(fn, name=name)


def _calling(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        return fn(value)

    return apply


# Python's own, of one argument and without effects. They are here for whoever loads a
# search, so no program has to register them.
_BUILTINS: dict[Any, Any] = {
    fn: register(
        _calling(fn), name=f"enact/search/builtins.{fn.__name__}", deterministic=True
    )
    for fn in (abs, all, any, bool, float, int, len, max, min, sum)
}


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
