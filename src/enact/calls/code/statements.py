# SPDX-License-Identifier: Apache-2.0
"""Statements for values: what imports a module, what is a literal."""

from __future__ import annotations

import functools
import types
from typing import Any

from enact.calls.code.values import Chain, stored, unwrap


def innermost(value: Any) -> Any:
    """The function below decorators that say what they wrap."""
    for _ in range(16):
        if issubclass(type(value), functools.partial):
            inner = value.func
        else:
            inner = stored(value, "__wrapped__")
        if inner is None:
            break
        value = unwrap(inner)
    return value


def literal(expression: Any) -> object:
    """The typed value of a literal, None if it is none."""
    import ast

    try:
        return typed(ast.literal_eval(expression))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def typed(value: object) -> tuple[str, str]:
    return type(value).__name__, repr(value)


def import_of(module: types.ModuleType, chain: Chain) -> str:
    """The statement that makes a module known as the head of a chain."""
    name = _PLATFORM.get(module.__name__, module.__name__)
    if name != chain[0]:
        parent, _, last = name.rpartition(".")
        if parent and last == chain[0]:
            return f"from {parent} import {last}"
        return f"import {name} as {chain[0]}"
    for part in chain[1:]:
        inner = module.__dict__.get(part)
        if not isinstance(inner, types.ModuleType):
            break
        if inner.__name__ != f"{name}.{part}":
            break
        module, name = inner, inner.__name__
    return f"import {name}"


_PLATFORM = {"posixpath": "os.path", "ntpath": "os.path"}
