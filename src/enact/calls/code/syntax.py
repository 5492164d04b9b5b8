# SPDX-License-Identifier: Apache-2.0
"""Trees: a digest of what they say, and the names that they take from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from enact.calls.code.values import ATOMS, Chain, hash_text

if TYPE_CHECKING:
    import ast

SELF = "."  # heads a chain that starts at the first argument of a method


class Part:
    """What the source of a function, class or statement says.

    Attributes:
        text: its digest.
        chains: names from outside, with attributes: ``("prompts", "SYSTEM")``.
        free, captured: those that are global, and those that are in cells.
        found: whether there is a source.
    """

    __slots__ = ("captured", "chains", "found", "free", "text")

    def __init__(
        self, text: str, chains: Iterable[Chain], found: bool, cells: Iterable[str] = ()
    ) -> None:
        self.text = text
        self.found = found
        names = {chain[0] for chain in chains}
        hidden = {(cell,) for cell in cells if cell not in names}  # `__class__`
        self.chains = tuple(sorted({*chains, *hidden}))
        self.captured = tuple(c for c in self.chains if c[0] in cells)
        self.free = tuple(c for c in self.chains if c[0] not in cells)


def read(node: ast.AST, outer: bool, cells: Iterable[str] = ()) -> Part:
    """What a tree says; ``outer`` as in ``names_of``."""
    text = f"source {syntax_digest(node)}"
    return Part(text, names_of(node, outer), True, cells)


_SKIPPED = {"ctx", "kind", "type_comment", "type_ignores"}


def syntax_digest(root: ast.AST) -> str:
    """Digest of a tree: names of nodes and fields, without what is empty.

    What a version of Python adds to the syntax is empty in code for older ones.
    """
    import ast

    out: list[str] = []
    stack: list[ast.AST | str] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            out.append(node)
            continue
        if isinstance(node, ast.Constant):
            out.append(f"<{ATOMS[type(node.value)](node.value)}>")
            continue
        if isinstance(node, ast.JoinedStr):
            parts = _merged(node)
            if len(parts) == 1 and isinstance(parts[0], str):
                out.append(f"<{parts[0]}>")
                continue
            out.append("(JoinedStr")
            stack.append(")")
            stack += [f"<{p}>" if isinstance(p, str) else p for p in reversed(parts)]
            continue
        out.append(f"({type(node).__name__}")
        stack.append(")")
        for name in reversed(node._fields):
            stack += reversed(_field(node, name))
    return hash_text("".join(out))


def _field(node: ast.AST, name: str) -> list[ast.AST | str]:
    """What a field of a node adds to the digest."""
    value = getattr(node, name, None)
    if name in _SKIPPED or value is None:
        return []
    if name == "format_spec" and not _merged(value):
        return []
    if not isinstance(value, list):
        return [f".{name}=", _item(value)]
    items = [item for item in value if not _is_silent(item)]
    if name == "decorator_list":
        items = [item for item in items if not is_register(item)]
    return [f".{name}[", *map(_item, items), "]"] if items else []


def _item(value: object) -> ast.AST | str:
    import ast

    if isinstance(value, ast.AST):
        return value
    return f"<{ATOMS[type(value)](value)}>"


def _merged(node: Any) -> list[ast.AST | str]:
    """Parts of an f-string; how literal text is split depends on the version."""
    import ast

    parts: list[ast.AST | str] = []
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        if text:
            parts.append(ascii(text))
        text = ""
        parts.append(part)
    return [*parts, ascii(text)] if text else parts


def _is_silent(node: object) -> bool:
    """Docstrings and other statements that do nothing."""
    import ast

    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def is_register(node: ast.AST) -> bool:
    """Whether a decorator is ``@register``, ``@enact.register(...)`` or the like."""
    import ast

    if isinstance(node, ast.Call):
        node = node.func
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "register"


def makes_secret(node: Any) -> bool:
    """Whether a node is ``Secret(...)``, ``enact.Secret[str](...)`` or the like."""
    import ast

    if not isinstance(node, ast.Call):
        return False
    func = node.func
    if isinstance(func, ast.Subscript):
        func = func.value
    return getattr(func, "attr", getattr(func, "id", "")) == "Secret"


# --- names ----------------------------------------------------------------------


def names_of(root: ast.AST, outer: bool) -> tuple[Chain, ...]:
    """Names that the tree takes from outside, each with the attributes after it.

    Attributes of the first argument of ``root`` come as ``(SELF, attribute)``.

    Args:
        root: a function, class, statement or expression.
        outer: whether to count decorators and annotations of ``root`` itself.
    """
    return _Names(root, outer).found()


class _Scope:
    __slots__ = ("bound", "elsewhere", "globals", "is_root", "kind", "outer", "uses")

    def __init__(self, kind: str, outer: _Scope | None) -> None:
        self.kind = kind  # module, class, function or comprehension
        self.outer = outer
        self.is_root = False  # the body of the function that is looked at
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.elsewhere: set[str] = set()  # declared nonlocal
        self.uses: list[Chain] = []

    def home(self, name: str) -> _Scope | None:
        """The scope inside of the tree that ``name``, used here, is bound in."""
        scope: _Scope | None = self
        while scope is not None and scope.kind != "module":
            if name in scope.globals:
                return None
            visible = scope is self or scope.kind != "class"
            if visible and name in scope.bound and name not in scope.elsewhere:
                return scope
            scope = scope.outer
        return None


class _Names:
    """A walk over a tree that keeps track of scopes: a method for each kind of node."""

    def __init__(self, root: ast.AST, outer: bool) -> None:
        import ast

        self._children = ast.iter_child_nodes
        self._root = root
        self._outer = outer
        self._first: str | None = None  # the first argument of the root
        module = _Scope("module", None)
        self._scopes = [module]
        self._stack: list[tuple[ast.AST, _Scope]] = [(root, module)]

    def found(self) -> tuple[Chain, ...]:
        while self._stack:
            node, scope = self._stack.pop()
            visit = getattr(self, f"_{type(node).__name__}", None)
            if visit is not None:
                visit(node, scope)
            else:
                self._push(self._children(node), scope)
        found: set[Chain] = set()
        for scope in self._scopes:
            for chain in scope.uses:
                home = scope.home(chain[0])
                if home is None:
                    found.add(chain)
                elif home.is_root and chain[0] == self._first and len(chain) > 1:
                    found.add((SELF, chain[1]))
        return tuple(sorted(found))

    def _inside(self, kind: str, scope: _Scope) -> _Scope:
        self._scopes.append(_Scope(kind, scope))
        return self._scopes[-1]

    def _push(self, nodes: Iterable[ast.AST | None], scope: _Scope) -> None:
        self._stack.extend((node, scope) for node in nodes if node is not None)

    def _Name(self, node: ast.Name, scope: _Scope) -> None:
        if type(node.ctx).__name__ == "Load":
            scope.uses.append((node.id,))
        else:
            scope.bound.add(node.id)

    def _Attribute(self, node: ast.Attribute, scope: _Scope) -> None:
        import ast

        attributes, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            attributes.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            scope.uses.append((inner.id, *reversed(attributes)))
        else:
            self._push([inner], scope)

    def _Lambda(self, node: ast.Lambda, scope: _Scope) -> None:
        self._push([node.body], self._body(node, scope))

    def _FunctionDef(self, node: ast.FunctionDef, scope: _Scope) -> None:
        scope.bound.add(node.name)
        body = self._body(node, scope)
        self._push(node.body, body)
        if node is self._root and not self._outer:
            return
        self._push([d for d in node.decorator_list if not is_register(d)], scope)
        typed = self._inside("function", scope)
        for param in getattr(node, "type_params", ()):
            typed.bound.add(param.name)
            body.bound.add(param.name)
            self._push([param], typed)
        annotations = [arg.annotation for arg in parameters(node.args)]
        self._push([node.returns, *annotations], typed)

    _AsyncFunctionDef = _FunctionDef

    def _body(self, node: ast.FunctionDef | ast.Lambda, scope: _Scope) -> _Scope:
        """The scope of a function, with its parameters."""
        body = self._inside("function", scope)
        args = node.args
        every = parameters(args)
        body.bound.update(arg.arg for arg in every)
        if node is self._root:
            body.is_root = True
            self._first = every[0].arg if args.posonlyargs or args.args else None
        else:  # values of defaults count; the names may be local
            self._push([*args.defaults, *args.kw_defaults], scope)
        return body

    def _ClassDef(self, node: ast.ClassDef, scope: _Scope) -> None:
        scope.bound.add(node.name)
        own = self._inside("class", scope)
        params = getattr(node, "type_params", [])
        own.bound.update(param.name for param in params)
        self._push([*node.body, *params], own)
        self._push([*node.bases, *node.keywords], own if params else scope)
        self._push([d for d in node.decorator_list if not is_register(d)], scope)

    def _ListComp(self, node: Any, scope: _Scope) -> None:
        own = self._inside("comprehension", scope)
        first, *others = node.generators
        self._push([first.iter], scope)
        self._push([first.target, *first.ifs, *others], own)
        is_dict = type(node).__name__ == "DictComp"
        self._push([node.key, node.value] if is_dict else [node.elt], own)

    _SetComp = _DictComp = _GeneratorExp = _ListComp

    def _NamedExpr(self, node: ast.NamedExpr, scope: _Scope) -> None:
        target = scope
        while target.kind == "comprehension" and target.outer is not None:
            target = target.outer
        target.bound.add(node.target.id)
        self._push([node.value], scope)

    def _Global(self, node: ast.Global, scope: _Scope) -> None:
        scope.globals.update(node.names)

    def _Nonlocal(self, node: ast.Nonlocal, scope: _Scope) -> None:
        scope.elsewhere.update(node.names)

    def _alias(self, node: ast.alias, scope: _Scope) -> None:
        scope.bound.add(node.asname or node.name.partition(".")[0])

    def _MatchAs(self, node: Any, scope: _Scope) -> None:
        if node.name is not None:
            scope.bound.add(node.name)
        self._push(self._children(node), scope)

    _MatchStar = _ExceptHandler = _MatchAs

    def _MatchMapping(self, node: ast.MatchMapping, scope: _Scope) -> None:
        if node.rest is not None:
            scope.bound.add(node.rest)
        self._push(self._children(node), scope)


def parameters(args: ast.arguments) -> list[ast.arg]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return every + [arg for arg in (args.vararg, args.kwarg) if arg is not None]
