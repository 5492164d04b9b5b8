# SPDX-License-Identifier: Apache-2.0
"""Causes: where the code of a function depends on what nobody records.

Asked when a replay has left its record. The source of the function and of plain helpers
in its own project is looked through for the clock, chance, the environment, and the
order of sets. What is found may be the cause; it is named with its line.
"""

from __future__ import annotations

import builtins
import os
import time
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from enact.calls.code.digest import home_of
from enact.calls.code.parts import find_function
from enact.calls.code.values import content_of, unwrap

if TYPE_CHECKING:
    import ast

_MOST_FUNCTIONS = 50
_MOST_CAUSES = 3

_CLOCK = "enact.now()"
_CHANCE = "enact.random()"
_REGISTER = "a registered function that reads it"


def _known() -> dict[int, tuple[str, str]]:
    """What depends on time, chance or the machine: by id, its name and the remedy."""
    import random
    import secrets
    import uuid

    known: list[tuple[Any, str, str]] = [
        (os.environ, "os.environ", _REGISTER),
        (os.getenv, "os.getenv()", _REGISTER),
        (os.getpid, "os.getpid()", _REGISTER),
        (os.urandom, "os.urandom()", _REGISTER),
        (uuid.uuid1, "uuid.uuid1()", "enact.uuid4()"),
        (uuid.uuid4, "uuid.uuid4()", "enact.uuid4()"),
        (id, "id()", "a number of your own"),
        (hash, "hash()", "hashlib"),
    ]
    clocks = "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"
    for name in (*clocks, "perf_counter_ns", "localtime", "gmtime", "ctime"):
        known.append((getattr(time, name), f"time.{name}()", _CLOCK))
    for module, remedy in ((random, _CHANCE), (secrets, _REGISTER)):
        for name in module.__all__:
            known.append((getattr(module, name), f"{module.__name__}.{name}()", remedy))
    return {id(one): (name, remedy) for one, name, remedy in known}


def causes(fn: object) -> list[str]:
    """What may make a function do something else when it runs again.

    Args:
        fn: a function; of anything else nothing is known.

    Returns:
        At most three, as in ``time.time() at line 12 of jobs.py (use enact.now())``.
    """
    found: dict[str, None] = {}
    first = unwrap(fn)
    if not isinstance(first, types.FunctionType):
        return []
    home = home_of(first)
    known = _known()
    todo, seen = [first], {first}
    while todo and len(seen) < _MOST_FUNCTIONS and len(found) < _MOST_CAUSES:
        function = todo.pop(0)
        node = find_function(function)[0]
        if node is None:
            continue
        file = os.path.basename(function.__code__.co_filename)
        for line, what, remedy in _in_order(_look(node, function, known)):
            found.setdefault(f"{what} at line {line} of {file} (use {remedy})")
        for helper in _helpers(node, function):
            if helper in seen or helper.__module__.startswith("enact."):
                continue
            if home_of(helper) == home:
                seen.add(helper)
                todo.append(helper)
    return list(found)[:_MOST_CAUSES]


def _in_order(found: Iterator[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    return sorted(set(found))


def _look(
    root: ast.AST, function: types.FunctionType, known: dict[int, tuple[str, str]]
) -> Iterator[tuple[int, str, str]]:
    import ast
    import datetime

    for node in _body(root):
        if isinstance(node, (ast.Name, ast.Attribute)):
            value = _value_of(node, function)
            if id(value) in known:
                yield node.lineno, *known[id(value)]
            elif isinstance(node, ast.Attribute) and node.attr in _NOW:
                owner = _value_of(node.value, function)
                if owner in (datetime.datetime, datetime.date):
                    name = f"{owner.__name__}.{node.attr}()"
                    yield node.lineno, name, _CLOCK
        for one in _walked(node):
            if _is_set(one):
                yield one.lineno, "the order of a set", "sorted()"


_NOW = ("now", "utcnow", "today")


def _body(root: Any) -> Iterator[ast.AST]:
    """All that runs when the function does: not its decorators and defaults."""
    import ast

    body = root.body if isinstance(root.body, list) else [root.body]
    for part in body:
        yield from ast.walk(part)


def _walked(node: ast.AST) -> list[ast.expr]:
    """What is gone through in its own order here."""
    import ast

    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        return [node.iter]
    if isinstance(node, ast.Call) and len(node.args) == 1:
        called = node.func
        if isinstance(called, ast.Name) and called.id in ("list", "tuple", "enumerate"):
            return list(node.args)
        if isinstance(called, ast.Attribute) and called.attr == "join":
            return list(node.args)
    return []


def _is_set(node: ast.expr) -> bool:
    import ast

    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("set", "frozenset")
    return isinstance(node, (ast.Set, ast.SetComp))


def _helpers(root: ast.AST, function: types.FunctionType) -> list[types.FunctionType]:
    import ast

    found = []
    for node in _body(root):
        if isinstance(node, ast.Call):
            value = _value_of(node.func, function)
            # A registered function is a call of its own: its outcome is recorded.
            if isinstance(value, types.FunctionType):
                if getattr(value, "__enact_target__", None) is None:
                    found.append(value)
    return found


def _value_of(node: ast.AST, function: types.FunctionType) -> Any:
    """What a dotted name stands for; only modules and classes are looked into."""
    import ast

    if isinstance(node, ast.Name):
        code = function.__code__
        if node.id in code.co_freevars and function.__closure__:
            cell = function.__closure__[code.co_freevars.index(node.id)]
            return content_of(cell)
        if node.id in code.co_varnames:
            return None
        return function.__globals__.get(node.id, vars(builtins).get(node.id))
    if isinstance(node, ast.Attribute):
        owner = _value_of(node.value, function)
        if isinstance(owner, types.ModuleType):
            return vars(owner).get(node.attr)
    return None
