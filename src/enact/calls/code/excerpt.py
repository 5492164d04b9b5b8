# SPDX-License-Identifier: Apache-2.0
"""The text of a statement or lambda, cut out of its file, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from enact.calls.code.syntax import makes_secret


def excerpt(lines: Sequence[str], node: Any) -> str:
    """What a node says in a file.

    Args:
        lines: of the file.
        node: a statement or an expression; decorators are part of a definition.

    Returns:
        Its text, with no indentation, and with ``...`` for what is in a secret.

    Example:
        >>> import ast
        >>> file = "if on:\\n    def f(x):\\n        return Secret('s3')\\n"
        >>> print(excerpt(file.splitlines(True), ast.parse(file).body[0].body[0]))
        def f(x):
            return Secret(...)
    """
    decorators = getattr(node, "decorator_list", ())
    first = min(part.lineno for part in (node, *decorators))
    text = "".join(lines[first - 1 : node.end_lineno])
    starts: list[int] = [0]
    for line in lines[first - 1 : node.end_lineno]:
        starts.append(starts[-1] + len(line))

    def place(line: int, column: int) -> int:
        before = lines[line - 1].encode()[:column]  # columns count bytes
        row: int = line - first
        return starts[row] + len(before.decode(errors="replace"))

    inside = set(_lines_in_strings(node))
    begin = place(first, node.col_offset)
    end = place(node.end_lineno, node.end_col_offset)
    if "Secret" in text:
        cuts = _secrets(node)
        if cuts is None:
            return "...  # it has a secret in it"
        inside = inside if not cuts else set()
        for call in cuts:
            cut = place(call.func.end_lineno, call.func.end_col_offset)
            stop = place(call.end_lineno, call.end_col_offset)
            text = f"{text[:cut]}(...){text[stop:]}"
            end += cut + len("(...)") - stop
    margin = text[:begin]
    text = text[begin:end]
    if margin and not margin.strip():
        rows = text.split("\n")
        for number, row in enumerate(rows[1:], 1):
            if first + number not in inside:
                rows[number] = row.removeprefix(margin)
        text = "\n".join(rows)
    return text


def _lines_in_strings(root: Any) -> Iterator[int]:
    """Numbers of lines that begin within a string, other than a docstring."""
    import ast

    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            yield from range(node.lineno + 1, (node.end_lineno or 0) + 1)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            todo += ast.iter_child_nodes(node)


def _secrets(root: Any) -> list[Any] | None:
    """The outermost ``Secret(...)``, last ones first; None if one has no position."""
    import ast

    found: list[Any] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if makes_secret(node):
            found.append(node)
        elif isinstance(node, ast.JoinedStr):  # positions in it are wrong before 3.12
            if any(map(makes_secret, ast.walk(node))):
                return None
        else:
            todo += ast.iter_child_nodes(node)
    found.sort(key=lambda call: (call.lineno, call.col_offset), reverse=True)
    return found
