# SPDX-License-Identifier: Apache-2.0
"""Causes: where the code of a function depends on what nobody records.

Asked when a replay has left its record. The source of the function and of plain helpers
in its own project is looked through for the clock, chance, the environment, and the
order of sets. What is found may be the cause; it is named with its line. Where there is
nothing of that kind, globals are named that calls can change.
"""

from __future__ import annotations

import builtins
import inspect
import os
import sys
import time
import types
from collections import deque
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
        (os.getcwd, "os.getcwd()", _REGISTER),
        (os.listdir, "os.listdir()", _REGISTER),
        (os.scandir, "os.scandir()", _REGISTER),
        (open, "open()", _REGISTER),
        (input, "input()", "enact.request_input()"),
        (sys.stdin, "sys.stdin", "enact.request_input()"),
        (sys.argv, "sys.argv", _REGISTER),
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
    changing: dict[str, str] = {}
    while todo and len(seen) < _MOST_FUNCTIONS and len(found) < _MOST_CAUSES:
        function = todo.pop(0)
        node = find_function(function)[0]
        if node is None:
            continue
        file = os.path.basename(function.__code__.co_filename)
        for line, what, remedy in _in_order(_look(node, function, known)):
            found.setdefault(f"{what} at line {line} of {file} (use {remedy})")
        for line, name in sorted(set(_changing(node, function))):
            said = (
                f"the global {name} at line {line} of {file} (pass it as an argument)"
            )
            changing.setdefault(name, said)
        for helper in _helpers(node, function):
            if helper in seen or id(helper) in known or _is_foreign(helper):
                continue
            if home_of(helper) == home:
                seen.add(helper)
                todo.append(helper)
    return [*(found or changing.values())][:_MOST_CAUSES]


def _is_foreign(function: types.FunctionType) -> bool:
    package = str(function.__module__).partition(".")[0]
    return package == "enact" or package in sys.stdlib_module_names


def _in_order(found: Iterator[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    return sorted(set(found))


def _look(
    root: ast.AST, function: types.FunctionType, known: dict[int, tuple[str, str]]
) -> Iterator[tuple[int, str, str]]:
    import ast
    import datetime

    sets = _names_of_sets(root)
    for node in _body(root):
        if isinstance(node, (ast.Name, ast.Attribute)):
            value = _value_of(node, function)
            if id(value) in known:
                yield node.lineno, *known[id(value)]
            elif isinstance(node, ast.Attribute):
                owner = _value_of(node.value, function)
                if node.attr in _NOW and owner in (datetime.datetime, datetime.date):
                    name = f"{owner.__name__}.{node.attr}()"
                    yield node.lineno, name, _CLOCK
                elif _is_random(owner):
                    said = ast.unparse(node)
                    yield node.lineno, f"{said}()", _CHANCE
                elif node.attr in _FILES:
                    yield node.lineno, f".{node.attr}()", _REGISTER
        for one in _walked(node):
            if _is_set(one, sets, function):
                yield one.lineno, "the order of a set", "sorted()"


_NOW = ("now", "utcnow", "today")
# Methods of paths, whose names say enough.
_FILES = ("read_text", "read_bytes", "iterdir", "rglob")


def _is_random(owner: object) -> bool:
    """Whether numbers are drawn from this: a generator of them, or numpy's module."""
    import random

    if isinstance(owner, types.ModuleType):
        return owner.__name__ == "numpy.random"
    return isinstance(owner, random.Random) or (
        type(owner).__module__.startswith("numpy.random")
    )


def _changing(root: ast.AST, function: types.FunctionType) -> Iterator[tuple[int, str]]:
    """Globals that may be other ones in another execution."""
    import ast

    for node in _body(root):
        if isinstance(node, ast.Global):
            for name in node.names:
                yield node.lineno, name
        elif isinstance(node, ast.Name) and node.id in function.__globals__:
            if node.id in function.__code__.co_varnames:
                continue
            value = function.__globals__[node.id]
            if isinstance(value, (list, dict, set, bytearray, deque)):
                yield node.lineno, node.id


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


def _is_set(
    node: ast.expr, names: frozenset[str], function: types.FunctionType | None
) -> bool:
    import ast

    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("set", "frozenset")
    if isinstance(node, ast.BinOp):
        operands = node.left, node.right
        return any(_is_set(one, names, function) for one in operands)
    if isinstance(node, ast.Name):
        if node.id in names:
            return True
        value = None if function is None else _value_of(node, function)
        return isinstance(value, (set, frozenset))
    return isinstance(node, (ast.Set, ast.SetComp))


def _names_of_sets(root: ast.AST) -> frozenset[str]:
    """Local names that stand for sets."""
    import ast

    found: frozenset[str] = frozenset()
    for node in _body(root):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            name, value = node.targets[0], node.value
            if isinstance(name, ast.Name) and not isinstance(value, ast.Name):
                if _is_set(value, found, None):
                    found |= {name.id}
    return found


def _helpers(root: ast.AST, function: types.FunctionType) -> list[types.FunctionType]:
    import ast

    found: list[types.FunctionType] = []
    for node in _body(root):
        if isinstance(node, ast.Call):
            value = _value_of(node.func, function)
            if value is None and isinstance(node.func, ast.Attribute):
                value = _method(node.func, function)
            made = _made_by(value) if isinstance(value, type) else [_unwrapped(value)]
            # A registered function is a call of its own: its outcome is recorded.
            found += [one for one in made if isinstance(one, types.FunctionType)]
    return found


def _unwrapped(value: object) -> object:
    """The function behind a value; None behind a registered one."""
    if getattr(value, "__enact_target__", None) is not None:
        return None
    return getattr(value, "__func__", value)


def _method(node: ast.Attribute, function: types.FunctionType) -> object:
    """What ``Class.name``, ``Class(...).name`` and ``self.name`` stand for."""
    import ast

    owner: Any = None
    if isinstance(node.value, ast.Call):
        owner = _value_of(node.value.func, function)
    elif isinstance(node.value, ast.Name):
        owner = _value_of(node.value, function)
        if owner is None and node.value.id in ("self", "cls"):
            name = function.__qualname__.rpartition(".")[0]
            owner = function.__globals__.get(name)
    if not isinstance(owner, type):
        owner = type(owner)
    if owner.__module__ == "builtins":
        return None
    return _unwrapped(inspect.getattr_static(owner, node.attr, None))


def _made_by(cls: type) -> list[object]:
    """What runs when an object of a class is made."""
    found = [vars(cls).get(name) for name in ("__init__", "__post_init__")]
    for field in getattr(cls, "__dataclass_fields__", {}).values():
        found.append(field.default_factory)
    return list(map(_unwrapped, found))


def _value_of(node: ast.AST, function: types.FunctionType) -> Any:
    """What a dotted name stands for; only modules and classes are looked into."""
    import ast

    if isinstance(node, ast.Name):
        code = function.__code__
        if node.id in code.co_freevars and function.__closure__:
            cell = function.__closure__[code.co_freevars.index(node.id)]
            return content_of(cell)
        if node.id in code.co_varnames:
            return _imported(node.id, function)
        return function.__globals__.get(node.id, vars(builtins).get(node.id))
    if isinstance(node, ast.Attribute):
        owner = _value_of(node.value, function)
        if isinstance(owner, types.ModuleType):
            return vars(owner).get(node.attr)
    return None


def _imported(name: str, function: types.FunctionType) -> Any:
    """What a local name stands for that an import within the function binds."""
    import ast

    node = find_function(function)[0]
    if node is None:
        return None
    for one in _body(node):
        if isinstance(one, ast.Import):
            for alias in one.names:
                if alias.asname == name or (
                    alias.asname is None and alias.name == name
                ):
                    return sys.modules.get(alias.name)
        elif isinstance(one, ast.ImportFrom) and not one.level:
            for alias in one.names:
                if name == (alias.asname or alias.name):
                    module = sys.modules.get(one.module or "")
                    return None if module is None else vars(module).get(alias.name)
    return None
