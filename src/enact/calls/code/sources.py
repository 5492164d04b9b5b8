# SPDX-License-Identifier: Apache-2.0
"""Source files: where functions, classes and the bindings of globals are in them."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from enact.calls.code.syntax import Part, makes_secret, read
from enact.calls.code.values import Describer, Space, hash_text

if TYPE_CHECKING:
    import ast

LOCK = threading.RLock()  # a file is parsed once
_STARTED = time.time()
_MAX_INDEXES = 128  # parsed files that are kept


class Index:
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
        lines: of the file.
        hidden: names of what secrets are made of, as in ``Secret(KEY)``.
    """

    def __init__(
        self, tree: ast.Module, codes: frozenset[str] | None, lines: list[str]
    ) -> None:
        self.codes = codes
        self.lines = lines
        self.hidden: set[str] = set()
        self.functions: dict[tuple[int, str], list[Any]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.bindings: dict[str, list[ast.AST]] = {}
        self.imports: dict[int, tuple[int, str, dict[str, str]]] = {}
        self.stars: list[tuple[int, str, dict[str, str]]] = []
        self.rebound: set[str] = set()
        self._parts: dict[int, Part] = {}
        self._read(tree)

    def has(self, code: types.CodeType) -> bool:
        return self.codes is None or bytecode(code) in self.codes

    def part(self, node: ast.AST) -> Part:
        part = self._parts.get(id(node))
        if part is None:
            part = self._parts[id(node)] = read(node, True)
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
            elif isinstance(node, ast.Call) and makes_secret(node):
                self.hidden.update(map(_last_name, ast.walk(node)))
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


def _last_name(node: Any) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


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


_indexes: dict[str, tuple[object, Index | None]] = {}


def index_of(file: str, space: Space) -> Index | None:
    """The index of a source file, read again when the file has changed."""
    import linecache

    if file in ("<string>", "<stdin>", "<unknown>"):
        return None  # names of many sources
    with LOCK:
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
            known = stamp, _parse(lines, file, young)
        _indexes[file] = known  # now the newest
        while len(_indexes) > _MAX_INDEXES:
            del _indexes[next(iter(_indexes))]
        return known[1]


def _parse(lines: list[str], file: str, young: bool) -> Index | None:
    import ast
    import warnings

    source = "".join(lines)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said when the module was compiled
            tree = ast.parse(source, file)
            if not young:
                return Index(tree, None, lines)
            whole = compile(tree, file, "exec", dont_inherit=True)
            return Index(tree, frozenset(_bytecodes(whole)), lines)
    except (SyntaxError, ValueError, RecursionError):
        return None


def bytecode(code: types.CodeType) -> str:
    """Digest of a function without source; differs between versions of Python."""

    words = Describer("")

    def describe(value: object) -> str:
        if isinstance(value, types.CodeType):
            return bytecode(value)
        return words.describe(value)

    parts = (
        code.co_name,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        code.co_varnames,
        code.co_names,
        code.co_freevars,
        code.co_code,
    )
    consts = [describe(value) for value in code.co_consts]
    return hash_text("\n".join([*map(describe, parts), *consts]))


def _bytecodes(code: types.CodeType) -> Iterator[str]:
    """Digests of all code objects in a module."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield bytecode(inner)
            yield from _bytecodes(inner)
