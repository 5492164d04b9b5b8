# SPDX-License-Identifier: Apache-2.0
"""The digest of any callable: what it wraps, captures and calls."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable

from enact.calls.code.parts import part_of
from enact.calls.code.uses import Graph, below
from enact.calls.code.values import (
    Describer,
    hash_text,
    package_of,
    stored,
    unwrap,
)


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
    root = unwrap(fn)
    return _digest(root, (), home_of(root))


def home_of(value: object) -> str:
    """The installed package that the program is in, '' if it is not installed."""
    for _ in range(16):
        inner = None
        if issubclass(type(value), functools.partial):
            inner = value.func  # type: ignore[attr-defined]
        elif type(value) is not types.FunctionType:
            inner = stored(value, "__wrapped__")
        elif "<locals>" in value.__code__.co_qualname:
            inner = stored(value, "__wrapped__")  # a decorator may come from elsewhere
        if inner is None:
            break
        value = unwrap(inner)
    is_code = issubclass(type(value), (types.FunctionType, type))
    return package_of(value if is_code else type(value))  # type: ignore[arg-type]


def _digest(value: object, above: tuple[object, ...], home: str) -> str:
    """Digest of a function, class or other callable; ``above`` are being digested."""
    for depth, other in enumerate(above):
        if other is value:
            return f"recursion {depth}"
    if len(above) > 2 and type(value) is types.FunctionType:
        graph = Graph(home)  # which takes any depth, and meets shared parts once
        return hash_text(graph.text([graph.unit(value)]))
    inside = _Inside((*above, value), home)
    if type(value) is types.FunctionType:
        text = inside.outside(value) or _function_text(value, inside)
    elif issubclass(type(value), type):
        text = inside.outside(value) or below(value, home)  # type: ignore[arg-type]
    else:
        text = inside.describe(value)
        if text.startswith("object "):
            call = unwrap(stored(type(value), "__call__"))
            text = f"callable {inside.describe(call)}"
    return hash_text(text)


class _Inside(Describer):
    """What is found in a callable; functions and classes in it by their own digest."""

    __slots__ = ("_above",)

    def __init__(self, above: tuple[object, ...], home: str) -> None:
        super().__init__(home)
        self._above = above

    def unit(self, value: object) -> str:
        return _digest(value, self._above, self.home)


def _function_text(fn: types.FunctionType, inside: Describer) -> str:
    """Own source, defaults and captured values, then what the global names lead to."""
    part = part_of(fn)
    lines = [part.text, below(fn, inside.home), inside.defaults(fn)]
    if fn.__closure__:
        cells = dict(zip(fn.__code__.co_freevars, fn.__closure__, strict=True))
        for chain in part.captured:
            value, used = inside.captured(cells, chain)
            lines.append(f"{'.'.join(used)} = {inside.describe(value)}")
    return "\n".join(lines)
