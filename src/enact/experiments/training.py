# SPDX-License-Identifier: Apache-2.0
"""Rows for training, from recorded executions and from search trees.

Each row names the invocations that it comes from, and the request at the root, by which
rows are split so that nothing leaks. Credentials are taken out of all of them.

What a call was asked is its one argument that is no number; if there are several, it is
all of them, as JSON. Other programs say it with ``prompt=``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any

from enact.calls import CallArgs, Invocation
from enact.calls.views import name_of_invokable
from enact.errors import SearchError
from enact.search import Node, Result
from enact.values import redact, redacted_form

_SETTINGS = (int, float, NoneType)  # of a model, such as its temperature

Row = dict[str, Any]
_Part = Callable[[Invocation], Any]


def prompt_completions(
    invocations: Iterable[Invocation],
    call: Any,
    *,
    prompt: _Part | None = None,
    completion: _Part | None = None,
) -> list[Row]:
    """Rows with ``prompt`` and ``completion``, one for each call of a function.

    Args:
        invocations: executions, or views of them.
        call: the registered function that asks the model, or its name.
        prompt: of such a call; by default its argument, see above.
        completion: of such a call; by default its output.

    Example:
        >>> import enact
        >>> @enact.register
        ... def model(prompt: str) -> str:
        ...     return prompt.upper()
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(model, ("a sea",))
        >>> rows = prompt_completions([inv], model)
        >>> rows[0]["prompt"], rows[0]["completion"]
        ('a sea', 'A SEA')
    """
    return [
        _safe(
            {
                "prompt": _text((prompt or _prompt)(view)),
                "completion": _text((completion or _completion)(view)),
                "invocation": view.ref.id,
                "root": root.request.id,
            }
        )
        for root, view in _calls(invocations, call)
    ]


def chats(
    invocations: Iterable[Invocation],
    call: Any,
    *,
    messages: Callable[[Invocation], list[dict[str, str]]] | None = None,
) -> list[Row]:
    """Rows with ``messages``: what a chat model was asked, and what it answered.

    Args:
        invocations: executions, or views of them.
        call: the registered function that asks the model, or its name.
        messages: of such a call, dicts with ``role`` and ``content``; by default its
            argument that is such a list, or its one text, and its output behind that.

    Raises:
        SearchError: it is not clear what the messages are.
    """
    return [
        _safe(
            {
                "messages": (messages or _messages)(view),
                "invocation": view.ref.id,
                "root": root.request.id,
            }
        )
        for root, view in _calls(invocations, call)
    ]


def preferences(
    result: Result,
    *,
    margin: float = 0.0,
    prompt: _Part | None = None,
    completion: _Part | None = None,
) -> list[Row]:
    """Rows with ``prompt``, ``chosen`` and ``rejected``, as for DPO.

    They are pairs of samples that were drawn at one node, so under the same prefix: the
    one with the best score below it, against each that is worse.

    Args:
        result: of a search.
        margin: by how much the scores must differ.
        prompt, completion: of a sample, as for ``prompt_completions``.
    """
    asked, said = prompt or _prompt, completion or _completion
    rows: list[Row] = []
    for node, drawn in _siblings(result):
        ranked = sorted(drawn, key=lambda one: -one[1])
        for other in ranked[1:]:
            best = ranked[0]
            same = said(best[2]) == said(other[2])
            if same or not best[1] - other[1] > margin:
                continue
            rows.append(
                _safe(
                    {
                        "prompt": _text(asked(best[2])),
                        "chosen": _text(said(best[2])),
                        "rejected": _text(said(other[2])),
                        "chosen_score": best[1],
                        "rejected_score": other[1],
                        "invocation": [best[2].ref.id, other[2].ref.id],
                        "root": _root(result, node),
                    }
                )
            )
    return rows


def groups(
    result: Result, *, prompt: _Part | None = None, completion: _Part | None = None
) -> list[Row]:
    """Rows with ``prompt``, ``completions`` and ``rewards``, as for GRPO.

    A group is what was drawn at one node; the reward is the mean score below it.

    Args:
        result: of a search.
        prompt, completion: of a sample, as for ``prompt_completions``.
    """
    asked, said = prompt or _prompt, completion or _completion
    return [
        _safe(
            {
                "prompt": _text(asked(drawn[0][2])),
                "completions": [_text(said(view)) for _, _, view, _ in drawn],
                "rewards": [average for _, _, _, average in drawn],
                "invocation": [view.ref.id for _, _, view, _ in drawn],
                "root": _root(result, node),
            }
        )
        for node, drawn in _siblings(result)
        if len(drawn) > 1
    ]


def step_values(
    result: Result, *, prompt: _Part | None = None, completion: _Part | None = None
) -> list[Row]:
    """Rows with ``prompt``, ``completion``, ``value`` and ``count``, for value models.

    The value of a sample is the mean score of the complete executions below it, and
    ``count`` is their number.

    Args:
        result: of a search, as by ``mcts``.
        prompt, completion: of a sample, as for ``prompt_completions``.
    """
    asked, said = prompt or _prompt, completion or _completion
    counts = _below(result)
    return [
        _safe(
            {
                "prompt": _text(asked(view)),
                "completion": _text(said(view)),
                "value": average,
                "count": counts[child.id][0],
                "invocation": view.ref.id,
                "root": _root(result, node),
            }
        )
        for node, drawn in _siblings(result)
        for child, _, view, average in drawn
    ]


def split(
    rows: Iterable[Row], test: float = 0.1, seed: int = 0
) -> tuple[list[Row], list[Row]]:
    """Rows for training and for tests; those with one root stay together.

    Args:
        rows: as made here.
        test: share of roots for tests, 0..1.
        seed: another one gives another split.

    Example:
        >>> rows = [{"root": str(n // 2), "n": n} for n in range(100)]
        >>> train, test = split(rows, 0.2)
        >>> roots = [{row["root"] for row in part} for part in (train, test)]
        >>> len(train) + len(test), roots[0] & roots[1]
        (100, set())
    """
    train: list[Row] = []
    held: list[Row] = []
    for row in rows:
        digest = hashlib.sha256(f"{seed}/{row['root']}".encode()).digest()
        is_held = int.from_bytes(digest[:8], "big") < test * 2**64
        (held if is_held else train).append(row)
    return train, held


# --- calls ----------------------------------------------------------------------------


def _calls(
    invocations: Iterable[Invocation], call: Any
) -> Iterator[tuple[Invocation, Invocation]]:
    name = call if isinstance(call, str) else name_of_invokable(call)
    for invocation in invocations:
        for view in invocation.walk():
            if view.name == name and view.status == "completed":
                yield invocation.root, view


def _prompt(view: Invocation) -> Any:
    given = _arguments(view)
    asked = [one for one in given if not isinstance(one, _SETTINGS)]
    if len(asked) == 1 or len(given) == 1:
        return (asked or given)[0]
    if isinstance(view.input, CallArgs) and view.input.kwargs:
        return {"args": list(view.input.args), **view.input.kwargs}
    return given


def _arguments(view: Invocation) -> list[Any]:
    given = view.input
    if isinstance(given, CallArgs):
        return [*given.args, *given.kwargs.values()]
    return [given]


def _completion(view: Invocation) -> Any:
    return view.output


def _messages(view: Invocation) -> list[dict[str, str]]:
    answer = {"role": "assistant", "content": _text(_completion(view))}
    given = _arguments(view)
    chats = [one for one in given if _is_chat(one)]
    texts = [one for one in given if isinstance(one, str)]
    if chats:
        return [*chats[0], answer]
    if len(texts) == 1:
        return [{"role": "user", "content": texts[0]}, answer]
    raise SearchError(
        f"among the arguments of {view.name!r} there is neither one text nor a list of "
        "messages with role and content: say what it is with `messages=`"
    )


def _is_chat(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(one, dict) and {"role", "content"} <= set(one) for one in value
        )
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError):
        return repr(value)


def _safe(row: Row) -> Row:
    safe: Any = redacted_form(row, redact)
    assert isinstance(safe, dict)
    return safe


# --- trees ----------------------------------------------------------------------------

_Drawn = tuple[Node, float, Invocation, float]
"""A child, the best score below it, the call that was drawn, the mean score below."""


def _below(result: Result) -> dict[int, tuple[int, float, float]]:
    """Of each node: how many complete ones are below, the sum and the best score."""
    found = {node.id: (0, 0.0, -math.inf) for node in result.tree}
    for node in reversed(list(result.tree)):  # parents come before their children
        count, total, best = found[node.id]
        if node.kind == "complete" and node.score is not None:
            count, total = count + 1, total + node.score
            best = max(best, node.score)
            found[node.id] = count, total, best
        if node.parent is not None and count:
            above = found[node.parent]
            found[node.parent] = (
                above[0] + count, above[1] + total, max(above[2], best),
            )  # fmt: skip
    return found


def _siblings(result: Result) -> Iterator[tuple[Node, list[_Drawn]]]:
    """Each node with what was drawn at it, where that led to complete executions."""
    below = _below(result)
    for node in result.tree:
        drawn: list[_Drawn] = []
        for child in result.tree.children(node):
            count, total, best = below[child.id]
            if count:
                view = _drawn_call(result, node, child)
                if view is not None:
                    drawn.append((child, best, view, total / count))
        if drawn:
            yield node, drawn


def _drawn_call(result: Result, node: Node, child: Node) -> Invocation | None:
    """The call that was drawn at ``node`` to get to ``child``."""
    before = sum(1 for _ in _made(result, node, node.request))
    for place, view in enumerate(_made(result, child, node.request)):
        if place == before:
            return view
    return None


def _made(result: Result, node: Node, request: bytes | None) -> Iterator[Invocation]:
    for view in result.tree.invocation(node).walk():
        if view.request.cid == request and view.status == "completed":
            yield view


def _root(result: Result, node: Node) -> str:
    return result.tree.invocation(node).request.id
