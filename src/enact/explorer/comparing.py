# SPDX-License-Identifier: Apache-2.0
"""Two runs, or two calls, beside each other."""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.calls import Invocation, code_diff
from enact.errors import EnactError, NotFound
from enact.explorer.pages import Pages
from enact.explorer.scope import path_text
from enact.query import Difference, Found, Store, compare, find
from enact.query.sums import sums_of
from enact.render import visible
from enact.render.differences import changed_parts
from enact.render.lines import call_parts
from enact.values import redact

_MOST = 1_000
_MOST_LINES = 400
_WIDTH = 60


class Side(NamedTuple):
    """A call on one side."""

    path: str
    link: str
    call: str
    outcome: str
    status: str


class Pair(NamedTuple):
    """How a call of one tree relates to a call of another."""

    kind: str
    level: int
    equal: int
    before: Side | None
    after: Side | None
    parts: list[tuple[str, list[tuple[str, str]]]]


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/compare")
    def comparing(request: Request, before: str = "", after: str = "") -> Response:
        chosen = [one for one in request.query_params.getlist("run") if one]
        if len(chosen) == 2:
            # The list has the newest first.
            after, before = chosen
        fields: dict[str, Any] = {"before": before, "after": after, "wrong": None}
        if len(chosen) not in (0, 2):
            fields["wrong"] = f"choose two runs to compare, not {len(chosen)}"
        with pages.source.opened() as store:
            if before and after:
                fields.update(_fields(store, before, after))
            return pages.show(request, "compare.html", **fields)


def _fields(store: Store, before: str, after: str) -> dict[str, Any]:
    old, new = _found(store, before), _found(store, after)
    assert old.invocation is not None and new.invocation is not None
    found = list(islice(compare(old.invocation, new.invocation), _MOST + 1))
    bases = _base(old), _base(new)
    return {
        "pairs": [_pair(one, *bases) for one in found[:_MOST]],
        "more": len(found) > _MOST,
        "same": old.ref == new.ref,
        "facts": _facts(store, old, new),
        "code": _code(old.invocation, new.invocation),
    }


def _found(store: Store, text: str) -> Found:
    found = find(store, text)
    if found.invocation is None:
        raise NotFound(f"{text} is no run and no call, so it has no calls to compare")
    return found


def _base(found: Found) -> str:
    assert found.invocation is not None
    if found.run is not None:
        return f"/run/{found.run.id}"
    return f"/ref/{found.invocation.root.ref.id}"


def _pair(one: Difference, old_base: str, new_base: str) -> Pair:
    parts: list[tuple[str, list[tuple[str, str]]]] = []
    if one.kind == "changed":
        assert one.before is not None and one.after is not None
        parts = [
            (label, list(marked(lines[:_MOST_LINES])))
            for label, lines in changed_parts(one.before, one.after)
        ]
    return Pair(
        one.kind, one.depth, one.equal,
        _side(one.before, old_base), _side(one.after, new_base), parts,
    )  # fmt: skip


def _side(view: Invocation | None, base: str) -> Side | None:
    if view is None:
        return None
    path = path_text(view.path)
    return Side(path, f"{base}?call={path}", *call_parts(view, _WIDTH))


def marked(lines: list[str]) -> list[tuple[str, str]]:
    """Lines of a text difference, each with what it is."""
    kinds = {"+": "added", "-": "removed", "@": "hunk"}
    return [
        ("head" if line.startswith(("+++", "---")) else kinds.get(line[:1], ""), line)
        for line in lines
    ]


def _facts(store: Store, old: Found, new: Found) -> list[tuple[str, str, str, str]]:
    """What two runs took and used, and how much more the second did."""
    if old.run is None or new.run is None:
        return []
    if any(one.invocation is None or one.invocation.path for one in (old, new)):
        return []
    sums = sums_of(store, old.run), sums_of(store, new.run)
    rows = [("took (s)", old.run.duration, new.run.duration)]
    rows.append(("calls that ran", sums[0].calls, sums[1].calls))
    for name in dict.fromkeys([*sums[0].usage, *sums[1].usage]):
        rows.append((name, sums[0].usage.get(name, 0), sums[1].usage.get(name, 0)))
    return [
        (visible(name), f"{a:.6g}", f"{b:.6g}", _change(a, b)) for name, a, b in rows
    ]


def _change(before: float, after: float) -> str:
    if before == after:
        return "="
    share = f" ({(after - before) / before:+.0%})" if before else ""
    return f"{after - before:+.6g}{share}"


def _code(before: Invocation, after: Invocation) -> list[tuple[str, str]]:
    try:
        text = visible(redact(code_diff(before, after)))
    except EnactError as error:
        text = f"# {error}"
    return marked(text.splitlines()[: _MOST_LINES * 5])
