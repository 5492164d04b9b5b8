# SPDX-License-Identifier: Apache-2.0
"""What a search found, to look at and to go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from enact.render import html_of_text, show
from enact.values import Displayed, redact, shown

if TYPE_CHECKING:
    from enact.calls import Invocation
    from enact.search.budget import Spent
    from enact.search.spec import Found
    from enact.search.tree import Node, Tree
    from enact.stores import ValueStore

_BESIDE = 4
_LEVELS = 8


class Best:
    """The best execution of a search.

    Attributes:
        invocation: complete, with all its calls.
        score: of it.
        node: in the tree.
    """

    def __init__(self, tree: Tree, node: Node, score: float | None) -> None:
        self.node = node
        self.score = score
        self.invocation: Invocation = tree.invocation(node)

    @property
    def output(self) -> Any:
        """What the program returned."""
        return self.invocation.output

    def __repr__(self) -> str:
        score = "" if self.score is None else f"score {self.score:.4g}, "
        return f"<best: {score}{shown(self.output)}>"


class Result(Displayed):
    """What a search found.

    Attributes:
        best: the best execution; None while a person's answer is missing, and
            nothing else has come to its end.
        tree: all executions.
        spent: calls, seconds, USD and tokens.
        stopped: why the search ended.
        strategy: as it is at the end.
        run: identifier of the recorded search.
        invocation: the recorded search itself.
    """

    def __init__(
        self,
        tree: Tree,
        found: Found | None,
        strategy: Any,
        spent: Spent,
        stopped: str,
        run: str,
        store: ValueStore,
        invocation: Invocation | None,
    ) -> None:
        self.tree = tree
        self.strategy = strategy
        self.spent = spent
        self.stopped = stopped
        self.run = run
        self.store = store
        self.invocation = invocation
        self.best: Any = None
        if found is not None:
            self.best = Best(tree, tree[found.node], found.score)

    @property
    def counts(self) -> dict[str, int]:
        """How many nodes there are of each kind."""
        counts: dict[str, int] = {}
        for node in self.tree:
            counts[node.kind] = counts.get(node.kind, 0) + 1
        return counts

    @property
    def failures(self) -> dict[str, int]:
        """Why executions failed or were given up, with how many did."""
        counts: dict[str, int] = {}
        for node in self.tree:
            if node.kind in ("failed", "discarded"):
                why = node.why or "no reason given"
                counts[why] = counts.get(why, 0) + 1
        return counts

    def __repr__(self) -> str:
        best = "nothing yet" if self.best is None else repr(self.best)
        return f"<search: {best}, {len(self.tree)} nodes>"

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(self.counts.items()))
        rows = [("stopped", self.stopped), ("spent", str(self.spent))]
        rows.append(("nodes", f"{len(self.tree)} ({counts})"))
        if self.best is not None:
            if self.best.score is not None:
                rows.insert(0, ("score", f"{self.best.score:.6g}"))
            rows.insert(0, ("best", _line(self.best.output, 60)))
        for why, count in sorted(self.failures.items(), key=lambda item: -item[1])[:3]:
            rows.append((f"{count} x", _line(why, 60, quote=False)))
        width = max(len(name) for name, _ in rows)
        lines = [f"{name.rjust(width)}  {text}" for name, text in rows]
        return "\n".join([*lines, "", *draw(self.tree, self.best)])


def draw(tree: Tree, best: Best | None = None) -> list[str]:
    """A tree in lines of text: the way to the best node, and what lies beside it."""
    if not len(tree):
        return []
    way = tree.path(best.node) if best is not None else [tree.root]
    lines = [_describe(tree, way[0], best)]
    lead = ""
    for place, node in enumerate(way):
        further = way[place + 1] if place + 1 < len(way) else None
        if _LEVELS < place < len(way) - 3:
            if place == _LEVELS + 1:
                lines.append(f"{lead}:  {len(way) - 4 - _LEVELS} levels")
            continue
        beside = [child for child in tree.children(node) if child is not further]
        beside.sort(key=lambda child: (-child.value, child.id))
        for child in beside[:_BESIDE]:
            below = _size(tree, child)
            more = f" (+{below} below)" if below else ""
            lines.append(f"{lead}|- {_describe(tree, child, best)}{more}")
        if len(beside) > _BESIDE:
            lines.append(f"{lead}|- ... {len(beside) - _BESIDE} more")
        if further is not None:
            lines.append(f"{lead}'- {_describe(tree, further, best)}")
            lead += "   "
    return lines


def _size(tree: Tree, node: Node) -> int:
    """How many nodes there are below one, as far as it is worth counting."""
    count, todo = 0, list(node.children)
    while todo and count < 10_000:
        count += 1
        todo += tree[todo.pop()].children
    return count


def _describe(tree: Tree, node: Node, best: Best | None) -> str:
    parts = [f"{node.id}"]
    if node.kind == "open":
        parts.append("start" if node.parent is None else "open")
    elif node.kind == "complete":
        parts.append(_line(tree.output(node), 40))
    else:
        parts.append(
            node.kind + (f": {_line(node.why, 40, False)}" if node.why else "")
        )
    if node.score is not None:
        parts.append(f"[{node.score:.4g}]")
    if best is not None and best.node.id == node.id:
        parts.append("<- best")
    return " ".join(parts)


def _line(value: Any, width: int, quote: bool = True) -> str:
    text = shown(value) if quote else redact(str(value))
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


show(Result, html_of_text)
