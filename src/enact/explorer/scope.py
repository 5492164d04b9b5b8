# SPDX-License-Identifier: Apache-2.0
"""What a page is about: a run, or a recorded tree of calls that a ref names."""

from __future__ import annotations

from enact.calls import Invocation
from enact.errors import NoSuchCall, NotFound
from enact.explorer.growing import Growing, Path
from enact.query import Place, Places, Run, Store, find

TOP = "."

# A tree that goes on is put together anew for each look, so it must not be large.
MOST_LIVE = 20_000


class Scope:
    """A tree of calls, and where its pages are.

    Args:
        store: that it is in.
        base: path of its pages.
        run: that recorded it, if one is meant.
        root: the call at its top; None while there is nothing, or too much to be put
            together before it ends.
        growing: what there is in place of that then.
    """

    def __init__(
        self,
        store: Store,
        base: str,
        run: Run | None,
        root: Invocation | None,
        growing: Growing | None = None,
    ) -> None:
        self.store = store
        self.base = base
        self.run = run
        self.root = root
        self.growing = growing
        self.places = Places(store, run)

    @property
    def live(self) -> bool:
        """Whether it goes on."""
        return self.run is not None and self.run.status == "running"

    def place(self, path: Path) -> Place:
        """A call with what the journal knows of it.

        Raises:
            NoSuchCall: there is none.
        """
        if self.growing is not None:
            row = self.growing.at(path)
            view = self.growing.view(row, path)
            if view is None:
                raise NoSuchCall(f"call {path_text(path)} goes on, or was cut off")
            return Place(view, row, row.verdict)
        if self.root is None:
            raise NoSuchCall("nothing is recorded of this run yet")
        return self.places.top(self.places.view(self.root, path))


def scope_at(store: Store, kind: str, id: str) -> Scope:
    """What an address such as ``/run/ID`` is about.

    Raises:
        NotFound: there is no such thing.
    """
    if kind == "run":
        return scope_of_run(store, id)
    if kind == "ref":
        return scope_of_ref(store, id)
    raise NotFound("there is no such page")


def scope_of_run(store: Store, id: str) -> Scope:
    """A run by its whole identifier.

    Raises:
        NotFound: there is none.
    """
    rows = store.backend.runs(run=id)
    if not rows:
        raise NotFound(f"there is no run {id} in this store")
    run = Run(store, rows[0])
    base = f"/run/{run.id}"
    if run.status in ("running", "interrupted"):
        growing = Growing(store, run)
        if growing.count > MOST_LIVE:
            return Scope(store, base, run, None, growing)
    return Scope(store, base, run, run.invocation)


def scope_of_ref(store: Store, id: str) -> Scope:
    """A recorded call by its whole ref.

    Raises:
        NotFound: there is none.
    """
    found = find(store, id)
    if found.invocation is None:
        raise NotFound(f"{id} is no call")
    return Scope(store, f"/ref/{found.ref.id}", None, found.invocation)


def path_in(text: str) -> Path:
    """The path that an address has, such as ``1.0``.

    Raises:
        NoSuchCall: it is none.
    """
    if text in ("", TOP):
        return ()
    try:
        return tuple(_index(part) for part in text.split("."))
    except ValueError:
        raise NoSuchCall(f"{text!r} is no path of a call") from None


def _index(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError
    return int(text)


def path_text(path: Path) -> str:
    """A path as addresses have it."""
    return ".".join(map(str, path)) or TOP
