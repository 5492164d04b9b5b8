# SPDX-License-Identifier: Apache-2.0
"""What a search tried, as it is recorded: nothing of it runs again.

Each step of a search is a call that extends one execution to another; each score is a
call as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.calls import CallArgs, Invocation
from enact.calls.invocation import from_cid
from enact.errors import EnactError, NotFound
from enact.explorer.arranged import arranged
from enact.explorer.pages import Pages
from enact.explorer.runs import head_fields
from enact.explorer.scope import Scope, path_text, scope_of_run
from enact.render import load, outcome_text, visible
from enact.values import Ref, Unknown, redact

SEARCH = "enact/search"
_STEP = "enact/search/Extend"
_SCORE = "enact/search/Score"
_MOST = 2_000
_WIDTH = 70
_HEIGHT = 140.0


class Node(NamedTuple):
    """An execution that a search came to.

    Attributes:
        number: of the step that made it.
        parent: number of the step that made what it extends; None at a root.
        level: in the tree.
        link: to the execution.
        call: path of the step in the search.
        ending: as the search has it: ``parked``, ``completed``, ``failed``, ...
        outcome: in words.
        score: of it; None if it has none.
        spent: calls that the search had spent by then.
        best: it is on the way to the best one.
    """

    number: int
    parent: int | None
    level: int
    link: str
    call: str
    ending: str
    outcome: str
    score: float | None
    spent: int
    best: bool


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/run/{id}/search")
    def search(request: Request, id: str) -> Response:
        with pages.source.opened() as store:
            scope = scope_of_run(store, id)
            if scope.run is None or scope.run.name != SEARCH or scope.root is None:
                raise NotFound(f"run {id} is no search, or nothing is recorded of it")
            fields = head_fields(scope) | {"search": search_fields(scope, scope.root)}
            return pages.show(request, "search.html", **fields)


def search_fields(scope: Scope, root: Invocation) -> dict[str, Any]:
    """What is shown of a search.

    Args:
        scope: of the page.
        root: the search.
    """
    nodes, more = _nodes(root)
    found = _parts(load(root, root._recorded().output))
    best = found.get("best")
    chosen = next(
        (n for n in nodes if isinstance(best, Ref) and n.link.endswith(best.id)), None
    )
    way = set[int]()
    by_number = {node.number: node for node in nodes}
    while chosen is not None:
        way.add(chosen.number)
        chosen = None if chosen.parent is None else by_number[chosen.parent]
    nodes = [node._replace(best=node.number in way) for node in nodes]
    return {
        "nodes": [
            node
            for node, _ in arranged(
                nodes, lambda n: n.number, lambda n: n.parent, lambda n: not n.best
            )
        ],
        "more": more,
        "stopped": visible(str(found.get("stopped") or "")),
        "best_score": found.get("score"),
        "best_link": f"/ref/{best.id}" if isinstance(best, Ref) else None,
        **_chart(nodes),
    }


def _nodes(root: Invocation) -> tuple[list[Node], bool]:
    nodes: list[Node] = []
    made: dict[bytes, int] = {}  # who made an execution, by its identifier
    completed: list[tuple[int, Invocation]] = []
    known: dict[bytes | None, Any] = {}  # scores, by what was scored
    spent = 0
    for view in root.children:
        if len(nodes) >= _MOST:
            break
        recorded = view._recorded()
        given = load(view, recorded.input)
        above = given.args[0] if isinstance(given, CallArgs) and given.args else None
        step = _parts(load(view, recorded.output))
        if view.name == _SCORE and isinstance(above, Ref):
            known[above.cid] = step.get("score")
        execution = step.get("invocation")
        if view.name != _STEP or not isinstance(execution, Ref):
            continue
        parent = made.get(above.cid) if isinstance(above, Ref) else None
        spent += int(_parts(step.get("spent")).get("calls") or 0)
        number = len(nodes)
        made.setdefault(execution.cid, number)
        made_by = from_cid(execution.cid, view._store())
        nodes.append(
            Node(
                number, parent, 0 if parent is None else nodes[parent].level + 1,
                f"/ref/{execution.id}", path_text(view.path),
                visible(str(step.get("ending"))), _outcome(made_by, step.get("why")),
                step.get("score"), spent, False,
            )
        )  # fmt: skip
        if step.get("ending") == "completed":
            completed.append((number, made_by))
    # Equal outputs are scored once.
    for number, execution in completed:
        for cid in (execution._recorded().output, execution.ref.cid):
            score = known.get(cid)
            if isinstance(score, (int, float)):
                nodes[number] = nodes[number]._replace(score=float(score))
                break
    return nodes, len(nodes) >= _MOST


def _outcome(execution: Invocation, why: Any) -> str:
    if why:
        return visible(redact(str(why)))[:_WIDTH]
    try:
        return outcome_text(execution, _WIDTH)
    except EnactError as error:
        return f" ({type(error).__name__})"


def _parts(value: Any) -> dict[str, Any]:
    """The fields of a recorded object, whether its type is known here or not."""
    if isinstance(value, Unknown):
        return value.fields
    return dict(getattr(value, "__dict__", {}))


def _chart(nodes: list[Node]) -> dict[str, Any]:
    """Scores over what was spent; places in percent and pixels."""
    scored = [node for node in nodes if node.score is not None]
    if not scored:
        return {"dots": [], "steps": []}
    scores = [node.score or 0.0 for node in scored]
    low, high = min(scores), max(scores)
    most = max(1, max(node.spent for node in nodes))

    def place(spent: int, score: float) -> tuple[float, float]:
        share = 0.5 if high == low else (score - low) / (high - low)
        return round(2 + spent / most * 96, 2), round(_HEIGHT - 20 - share * 105, 1)

    dots, steps, best = [], [], None
    for node, score in zip(scored, scores, strict=True):
        x, y = place(node.spent, score)
        dots.append((x, y, node, f"step {node.number}: {score:.6g}"))
        if node.ending == "completed" and (best is None or score > best[2]):
            if best is not None:
                steps += [(best[0], best[1], x, best[1]), (x, best[1], x, y)]
            best = (x, y, score)
    if best is not None:
        steps.append((best[0], best[1], 98.0, best[1]))
    return {"dots": dots, "steps": steps, "low": low, "high": high, "most": most}
