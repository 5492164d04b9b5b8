# SPDX-License-Identifier: Apache-2.0
"""The stores that users hold: values, and the journal of what ran."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import Any

from enact.calls import Invocation, Request
from enact.calls.invocation import from_cid
from enact.calls.verdicts import BANKED
from enact.calls.views import name_of_invokable
from enact.errors import FrameworkError, MalformedBlock, NotFound
from enact.human import PendingRequest, pending_requests
from enact.query.affected import Affected, affected
from enact.query.calls import Calls
from enact.query.care import CaredFor
from enact.query.records import Run
from enact.stores import (
    Backend,
    backend_for,
    file_backend,
    memory_backend,
    sqlite_backend,
)
from enact.values import Ref, cid_from_text


class Store(CaredFor):
    """Values in a backend, and the journal of the executions that made them.

    Inside its ``with`` block a store is the active one: ``commit``, ``checkout`` and
    ``invoke`` use it. It can be entered again, and nested in others.

    Args:
        backend: where the data lives; by default in memory.

    Example:
        >>> import enact
        >>> with enact.Store() as store:
        ...     ref = enact.commit(["sea", 3])
        ...     store.has(ref), ref.checkout()
        (True, ['sea', 3])
    """

    def __init__(self, backend: Backend | None = None) -> None:
        super().__init__(memory_backend() if backend is None else backend)

    # --- the journal ----------------------------------------------------------------

    def runs(
        self,
        *,
        name: Any = None,
        status: str | None = None,
        tag: str | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Executions from outside, newest first.

        Args:
            name: of the invokable, or the registered callable itself.
            status: as in ``Run.status``.
            tag: only the one whose invocation has this tag.
            since: only those that started then or later, seconds since the epoch.
            limit: at most so many.

        Example:
            >>> import enact
            >>> @enact.register
            ... def double(n):
            ...     return 2 * n
            >>> with enact.InMemoryStore() as store:
            ...     inv = enact.invoke(double, (4,))
            ...     [run.status for run in store.runs(name=double)]
            ['completed']
        """
        self._check_open()
        # Whether a run goes on or was cut off is not in its row.
        derived = status in ("running", "interrupted")
        rows = self.backend.runs(
            name=_name(name),
            status=None if derived else status,
            since=since,
            limit=None if derived or tag is not None else limit,
        )
        wanted = None if tag is None else self._tagged(tag)
        found = (Run(self, row) for row in rows if wanted in (None, row.invocation))
        chosen = (run for run in found if status in (None, run.status))
        return list(islice(chosen, limit))

    def run(self, id: str) -> Run:
        """One run.

        Args:
            id: of the run, or the beginning of it if no other begins so.

        Raises:
            NotFound: there is none, or several begin so.
        """
        self._check_open()
        rows = self.backend.runs(run=id)
        if not rows:
            rows = [row for row in self.backend.runs() if row.id.startswith(id)]
        if len(rows) != 1:
            found = "no run" if not rows else f"{len(rows)} runs"
            raise NotFound(f"{found} in this store begin with {id!r}")
        return Run(self, rows[0])

    def calls(
        self,
        *,
        invokable: Any = None,
        status: str | None = None,
        run: Run | str | None = None,
        since: float | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Calls:
        """Executed calls, run by run in order of start. Reused calls have no row.

        They are read one by one; ``to_pandas()`` makes a table of them.

        Args:
            invokable: only calls of this name, or of this registered callable.
            status: only calls with this status.
            run: only calls of this run.
            since: only those that started then or later, seconds since the epoch.
            newest_first: the other way round.
            limit: at most so many.
        """
        self._check_open()
        rows = self.backend.calls(
            run=run.id if isinstance(run, Run) else run,
            invokable=_name(invokable),
            status=status,
            since=since,
            newest_first=newest_first,
            limit=limit,
        )
        return Calls(self, rows)

    def samples(self, request: Any) -> list[Invocation]:
        """Every outcome that was ever drawn for a request, oldest first.

        Args:
            request: a ``Request``, a ref to one, or an invocation or view that made it.

        Returns:
            The calls that returned or raised.

        Example:
            >>> import enact, random
            >>> @enact.register
            ... def throw(sides):
            ...     return random.randint(1, sides)
            >>> with enact.InMemoryStore() as store:
            ...     inv = [enact.invoke(throw, (6,)) for _ in range(3)][0]
            ...     len(store.samples(inv)), store.samples(inv)[0] == inv
            (3, True)
        """
        self._check_open()
        if isinstance(request, Invocation):
            request = request.request
        elif isinstance(request, Request):
            request = self.commit(request)
        elif not isinstance(request, Ref):
            raise FrameworkError(
                "samples takes a request, a ref to one, or an invocation, not "
                f"{type(request).__qualname__}"
            )
        rows = self.backend.calls(request=request.cid)
        ended = [row for row in rows if row.status in ("completed", "failed")]
        ended = [row for row in ended if row.verdict != BANKED]  # drawn once
        ended.sort(key=lambda row: (row.started, row.run, row.number))
        return [from_cid(row.invocation, self) for row in ended if row.invocation]

    def pending(self) -> list[PendingRequest]:
        """The questions to people that nobody has answered, oldest first.

        They outlive the process that asked: answer them from any other, then go on
        with ``enact.resume(pending.run)``.

        Example:
            >>> import enact
            >>> @enact.register
            ... def greet():
            ...     return f"Hello, {enact.request_input(str, context='Your name?')}!"
            >>> with enact.InMemoryStore() as store:
            ...     inv = enact.invoke(greet)
            ...     question = store.pending()[0]
            ...     question.answer("Ada")
            ...     question.context, enact.resume(question.run).output
            ('Your name?', 'Hello, Ada!')
        """
        self._check_open()
        return pending_requests(self)

    def affected(self, *functions: Any) -> list[Affected]:
        """Which recorded executions the code of now would do otherwise.

        Nothing runs: the versions of code in the journal and in the records are
        compared with those of now.

        Args:
            functions: registered callables, or names; by default all that differ.

        Returns:
            An item for each recorded version of a function that is not the one of now:
            also of functions that are not here any more, or that nobody has imported.

        Example:
            >>> import enact
            >>> def load(text):
            ...     return enact.Program(text).load(allow=True)
            >>> with enact.InMemoryStore() as store:
            ...     inv = enact.invoke(load("def solve(n): return n + 1"), (1,))
            ...     store.affected()  # the code is what it was
            []
        """
        self._check_open()
        return affected(self, functions)

    # --- tags -----------------------------------------------------------------------

    def tag(self, name: str, value: Any) -> None:
        """Give something a name in this store; a name that is taken moves.

        Args:
            name: any text.
            value: an invocation, a ref, a run, or any value, which is stored.

        Example:
            >>> import enact
            >>> with enact.InMemoryStore() as store:
            ...     store.tag("prompt", "A line about {}:")
            ...     store["prompt"]
            'A line about {}:'
        """
        self._check_open()
        if isinstance(value, Run):
            value = value.invocation
        ref = value if isinstance(value, Ref) else self.commit(value)
        self.adopt(ref)
        text = json.dumps({"ref": ref.id})
        while not self.backend.swap("tag", name, self._tag(name), text):
            pass  # somebody else has just moved it

    def untag(self, name: str) -> None:
        """Take a name away; what it named stays.

        Raises:
            NotFound: there is no such tag.
        """
        self._tagged(name)
        while not self.backend.swap("tag", name, self._tag(name), None):
            pass

    def tags(self) -> dict[str, Ref[Any]]:
        """All names with what they stand for."""
        self._check_open()
        return {
            name: Ref(_named_by(name, text), self)
            for name, text in self.backend.entries("tag").items()
        }

    def tags_of(self, ref: Ref[Any]) -> list[str]:
        """The names that a value has."""
        return [name for name, known in self.tags().items() if known == ref]

    def __getitem__(self, name: str) -> Any:
        """What a tag stands for, fresh from the store.

        Raises:
            NotFound: there is no such tag.
        """
        return self.checkout(Ref(self._tagged(name), self))

    def _tag(self, name: str) -> str | None:
        return self.backend.entries("tag", name).get(name)

    def _tagged(self, name: str) -> bytes:
        self._check_open()
        text = self._tag(name)
        if text is None:
            raise NotFound(f"there is no tag {name!r}: `store.tags()` lists all")
        return _named_by(name, text)


def _named_by(tag: str, text: str) -> bytes:
    """The identifier that the entry of a tag holds."""
    try:
        return cid_from_text(json.loads(text)["ref"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise MalformedBlock(
            f"the entry of the tag {tag!r} is not as enact writes it: give the tag anew"
        ) from None


def _name(invokable: Any) -> str | None:
    if invokable is None or isinstance(invokable, str):
        return invokable
    return name_of_invokable(invokable)


class InMemoryStore(Store):
    """A store that lives as long as its process."""

    def __init__(self) -> None:
        super().__init__(memory_backend())


class SQLiteStore(Store):
    """A store in one SQLite file.

    Args:
        path: of the file; it is made, with its directory, if it does not exist.
        durability: ``"call"`` (each call is on disk before it returns), ``"adaptive"``
            (each call that took longer than that takes), or ``"end"``.

    Raises:
        NotAStore: the file is something else.
        StoreVersionError: a newer enact made it.
        StoreUnavailable: it cannot be opened or written.
    """

    def __init__(
        self, path: str | os.PathLike[str], durability: str = "adaptive"
    ) -> None:
        super().__init__(sqlite_backend(path, durability=durability))


class FileStore(Store):
    """A ``SQLiteStore`` named by the directory that its file ``enact.db`` is in.

    Args:
        directory: is made if it does not exist.
        durability: as for ``SQLiteStore``.
    """

    def __init__(
        self, directory: str | os.PathLike[str], durability: str = "adaptive"
    ) -> None:
        super().__init__(file_backend(directory, durability=durability))


def open_store(
    url: str | os.PathLike[str] | None = None, *, read_only: bool = False
) -> Store:
    """Open the store at an address.

    Args:
        url: a path (``runs.db``), ``sqlite:///runs.db`` or ``memory:``; by default
            ``$ENACT_STORE``, else ``./.enact/enact.db``.
        read_only: only look: no file is made, changed or tidied up; what would change
            the store raises `StoreUnavailable`.

    Raises:
        StoreError: the kind of store is not known.
        NotAStore, StoreVersionError, StoreUnavailable: as for ``SQLiteStore``.

    >>> with open_store("memory:") as store:
    ...     store.runs()
    []
    """
    return Store(backend_for(url, read_only=read_only))
