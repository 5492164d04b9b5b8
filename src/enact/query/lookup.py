# SPDX-License-Identifier: Apache-2.0
"""From what people call things to the things: runs, calls, values."""

from __future__ import annotations

import base64
import fnmatch
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import Invocation
from enact.calls.invocation import from_cid
from enact.calls.layout import INVOCATION
from enact.errors import NoSuchCall, NotFound
from enact.query.places import Places
from enact.query.records import Run
from enact.stores import ValueStore
from enact.values import Ref, cid_text, decode_form

if TYPE_CHECKING:
    from enact.query.store import Store
    from enact.stores import RunRow

LATEST = "@latest"
"""Stands for the newest run, other than those within searches."""

WITHIN_SEARCH = "search"
"""How runs came about that a search made: there may be very many."""

SHORT_RUN = 8

# Beyond this it takes too long to look at all.
_MOST_RUNS = 1000
# So many characters of a run say when it began.
_MICROSECONDS = 14

_REF = "bafyrei"
_REF_LENGTH = 59
_MOST = 6
_PATH = re.compile(r"\d+(/\d+)*/?")


class Found(NamedTuple):
    """What a text stands for.

    Attributes:
        ref: to the value.
        invocation: the value, if it is one; a view in the tree that it was named by.
        run: that was named, if one was.
    """

    ref: Ref[Any]
    invocation: Invocation | None = None
    run: Run | None = None


def find(store: Store, text: str) -> Found:
    """Find what a text stands for.

    Args:
        store: where to look.
        text: a tag, a run or a ref (or the beginning of it, if nothing else begins
            so), or ``@latest`` for the newest run; a path such as ``/1/0`` behind it
            names a call.

    Returns:
        What was found. A run stands for what it recorded.

    Raises:
        NotFound: nothing is called so, or several things are.
        NoSuchCall: there is no call at the path.

    Example:
        >>> import enact
        >>> from enact.query.lookup import find
        >>> with enact.InMemoryStore() as store:
        ...     store.tag("prompt", "A line about {}:")
        ...     find(store, "prompt").ref.checkout()
        'A line about {}:'
    """
    name, path = _split(store, text)
    run, ref = _named(store, name)
    if run is not None:
        invocation = run.invocation
        if invocation is None:
            raise NotFound(
                f"run {run.id} of {run.name} was cut off before its first call began:"
                " nothing is recorded of it"
            )
        where = invocation._store()
        ref = Ref(invocation.ref.cid, where)
    else:
        assert ref is not None
        invocation = _invocation(store, ref.cid)
    if not path:
        return Found(ref, invocation, run)
    if invocation is None:
        raise NoSuchCall(f"{name} is no invocation: there are no calls in it")
    indices = tuple(int(part) for part in path.split("/") if part)
    view = Places(store, run).view(invocation, indices)
    return Found(view.ref, view, run)


def find_run(store: Store, text: str) -> Run:
    """Find a run by what people call it.

    Args:
        store: where to look.
        text: the identifier of a run, its beginning, a tag of its invocation, or
            ``@latest``.

    Raises:
        NotFound: no run is called so, or several are.
    """
    run, ref = _named(store, text.rstrip("/"))
    if run is None:
        assert ref is not None
        run = _run_of(store, ref)
        if run is None:
            raise NotFound(f"{text} is no run; `enact log` lists them")
    return run


def name_fits(name: str, pattern: str) -> bool:
    """Tell whether a function is the one that is meant.

    Args:
        name: in stored data, such as ``shop.orders:Order.total``.
        pattern: all of it, a part that begins at a dot, colon or slash, or either with
            ``*`` and ``?``.

    Example:
        >>> name_fits("shop:Order.total", "total"), name_fits("shop:draft", "sh*")
        (True, True)
        >>> name_fits("shop:redraft", "draft")
        False
    """
    if "*" in pattern or "?" in pattern:
        return any(fnmatch.fnmatchcase(part, pattern) for part in _parts(name))
    return pattern in _parts(name)


def short_runs(store: Store, ids: Sequence[str]) -> int:
    """How many characters of these runs tell them from all others in a store."""
    length = SHORT_RUN
    rows = store.backend.runs(limit=_MOST_RUNS + 1)
    if len(rows) > _MOST_RUNS:
        length = _MICROSECONDS  # two that began in the same one are rare
    else:
        ids = [*ids, *(row.id for row in rows)]
    ordered = sorted(set(ids))
    for one, other in pairwise(ordered):
        same = 0
        while one[same : same + 1] == other[same : same + 1]:
            same += 1
        length = max(length, same + 1)
    return length


def tags_by_ref(store: Store) -> dict[bytes | None, list[str]]:
    """The names that things have in a store, by their identifiers."""
    found: dict[bytes | None, list[str]] = {}
    for name, ref in store.tags().items():
        found.setdefault(ref.cid, []).append(name)
    return found


def _parts(name: str) -> list[str]:
    starts = [match.end() for match in re.finditer(r"[:./]", name)]
    return [name, *(name[start:] for start in starts)]


def _split(store: Store, text: str) -> tuple[str, str]:
    """The name and the path behind it; names of tags may have slashes."""
    text = text.strip()
    tags = store.backend.entries("tag") if "/" in text else {}
    name, path = text, ""
    while name not in tags:
        before, slash, index = name.rpartition("/")
        if not slash or not (index.isdigit() or not index):
            break
        name, path = before, f"{index}/{path}" if path else index
    if not name or (path and not _PATH.fullmatch(path)):
        return text, ""
    return name, path


def _named(store: Store, name: str) -> tuple[Run | None, Ref[Any] | None]:
    tag = store.tags().get(name) if store.backend.entries("tag", name) else None
    if tag is not None:
        return _run_of(store, tag), tag
    if name == LATEST:
        rows = store.backend.runs(limit=1)
        if rows and rows[0].how == WITHIN_SEARCH:
            rows = store.backend.runs()
        chosen = next((row for row in rows if row.how != WITHIN_SEARCH), None)
        if chosen is None:
            raise NotFound("there are no runs in this store yet")
        return Run(store, chosen), None
    if name.startswith(_REF):
        return None, _by_ref(store, name)
    runs = _runs(store, name)
    if len(runs) == 1:
        return Run(store, runs[0]), None
    if runs:
        listed = ", ".join(row.id for row in runs[:_MOST])
        more = ", ..." if len(runs) > _MOST else ""
        raise NotFound(f"{len(runs)} runs begin with {name}: {listed}{more}")
    raise NotFound(
        f"nothing is called {name!r} here: it is no tag, and no run or ref begins so;"
        " `enact log` lists runs, `enact tag` tags"
    )


def _runs(store: Store, name: str) -> list[RunRow]:
    if not re.fullmatch("[0-9a-f]+", name):
        return []
    exact = store.backend.runs(run=name)
    return exact or [row for row in store.backend.runs() if row.id.startswith(name)]


def _run_of(store: Store, ref: Ref[Any]) -> Run | None:
    """The run that recorded what a tag names: the first, since others replayed it."""
    if _invocation(store, ref.cid) is None:
        return None
    rows = [row for row in store.backend.runs() if row.invocation == ref.cid]
    return Run(store, rows[-1]) if rows else None


def _by_ref(store: Store, text: str) -> Ref[Any]:
    if len(text) >= _REF_LENGTH:
        ref = Ref.from_id(text)
        store.load_block(ref.cid)  # tells if it is not here
        return Ref(ref.cid, store)
    try:
        low, high = (
            base64.b32decode(text[1:].upper().ljust(58, fill) + "======")
            for fill in ("A", "7")
        )
    except ValueError:
        raise NotFound(f"{text} is no beginning of a ref") from None
    found = store.backend.between(low[:36], high[:36], _MOST + 1)
    if len(found) == 1:
        return Ref(found[0], store)
    if not found:
        raise NotFound(f"no ref in this store begins with {text}")
    listed = ", ".join(cid_text(cid)[: len(text) + 4] for cid in found[:_MOST])
    more = ", ..." if len(found) > _MOST else ""
    raise NotFound(f"several refs begin with {text}: {listed}{more}")


def _invocation(store: ValueStore, cid: bytes) -> Invocation | None:
    form: Any = decode_form(store.load_block(cid))
    if type(form) is dict and form.get("$") == INVOCATION:
        return from_cid(cid, store)
    return None
