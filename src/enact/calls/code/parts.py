# SPDX-License-Identifier: Apache-2.0
"""What the source of a function or class says, read once for as long as it lives."""

from __future__ import annotations

import functools
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from enact.calls.code.sources import LOCK, Index, bytecode, index_of
from enact.calls.code.syntax import Part, parameters, read, syntax_digest
from enact.calls.code.values import Space, file_of, unwrap

if TYPE_CHECKING:
    import ast

T = TypeVar("T")


class Memory(Generic[T]):
    """Something for the code object of a function, or for a class, while that lives.

    By id: code objects are equal when their instructions are.
    """

    def __init__(self) -> None:
        self._items: dict[int, tuple[weakref.ref[Any], T]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, owner: types.FunctionType | type) -> T | None:
        key = _key(owner)
        item = self._items.get(id(key))
        return item[1] if item is not None and item[0]() is key else None

    def put(self, owner: types.FunctionType | type, value: T) -> None:
        key = _key(owner)
        ref = weakref.ref(key, functools.partial(self._forget, id(key)))
        self._items[id(key)] = ref, value

    def _forget(self, number: int, ref: weakref.ref[Any]) -> None:
        item = self._items.get(number)
        if item is not None and item[0] is ref:
            del self._items[number]


def _key(owner: types.FunctionType | type) -> types.CodeType | type:
    return owner if isinstance(owner, type) else owner.__code__


_parts: Memory[Part] = Memory()


def part_of(owner: types.FunctionType | type) -> Part:
    """What a function or class says."""
    part = _parts.get(owner)
    if part is None:
        with LOCK:
            if isinstance(owner, type):
                part = _read_class(owner)
            else:
                part = _read_function(owner)
            _parts.put(owner, part)
    return part


def _read_function(fn: types.FunctionType) -> Part:
    code = fn.__code__
    node = find_function(fn)[0]
    if node is None:
        loose = [(name,) for name in (*code.co_names, *code.co_freevars)]
        return Part(f"bytecode {bytecode(code)}", loose, False, code.co_freevars)
    # What is evaluated where the function is defined can be local names there.
    outer = "<locals>" not in code.co_qualname
    return read(node, outer, code.co_freevars)


def find_function(fn: types.FunctionType) -> tuple[Any, Index | None]:
    """The node that a function was made of, None if undecidable, and its file."""
    code = fn.__code__
    index = index_of(code.co_filename, fn.__globals__)
    if index is None or not index.has(code):
        return None, index
    return _node_of(code, index), index


def functions_of(cls: type) -> list[types.FunctionType]:
    """What the body of a class defined, below registered wrappers."""
    values = map(unwrap, list(cls.__dict__.values()))
    return [value for value in values if isinstance(value, types.FunctionType)]


def module_of(cls: type) -> types.FunctionType | types.ModuleType | None:
    """Where the globals of a class are; its methods know best, after a reload."""
    for fn in functions_of(cls):
        if fn.__globals__.get("__name__") == cls.__module__:
            return fn
    return sys.modules.get(cls.__module__)


def space_of(owner: types.FunctionType | types.ModuleType) -> Space:
    is_module = isinstance(owner, types.ModuleType)
    return owner.__dict__ if is_module else owner.__globals__


def _read_class(cls: type) -> Part:
    node = find_class(cls)[0]
    if node is None:
        return Part(f"class {cls.__qualname__!a}", (), False)
    return read(node, "<locals>" not in cls.__qualname__)


def find_class(cls: type) -> tuple[ast.ClassDef | None, Index | None]:
    """The node that a class was made of, None if there is none, and its file."""
    module = module_of(cls)
    space = {} if module is None else space_of(module)
    file = file_of(space)
    if file is None and isinstance(module, types.FunctionType):
        file = module.__code__.co_filename  # in a notebook each cell is a file
    codes = [fn.__code__ for fn in functions_of(cls)]
    codes = [code for code in codes if code.co_filename == file]
    index = index_of(file, space) if file is not None else None
    nodes: list[ast.ClassDef] = []
    if index is not None and all(map(index.has, codes)):
        nodes = index.classes.get(cls.__qualname__, [])
    if not nodes:
        return None, index
    node = nodes[-1]
    lines = [code.co_firstlineno for code in codes]
    for other in nodes:
        if any(other.lineno <= n <= (other.end_lineno or n) for n in lines):
            node = other
    return node, index


# --- code objects and trees ---------------------------------------------------


def _node_of(code: types.CodeType, index: Index) -> Any:
    """The function or lambda that was compiled into ``code``, None if undecidable."""
    found = index.functions.get((code.co_firstlineno, code.co_name), [])
    nodes = [node for node in found if _fits(node, code)]
    if len(nodes) > 1:
        nodes = _enclosing(nodes, code)
    if len({syntax_digest(node) for node in nodes} if len(nodes) > 1 else nodes) != 1:
        return None
    return nodes[0]


def _fits(node: Any, code: types.CodeType) -> bool:
    """Whether arguments and lines agree: the file may have been edited since."""
    names = [arg.arg for arg in parameters(node.args)]
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
    return bytecode(code) in map(bytecode, inner)
