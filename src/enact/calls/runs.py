# SPDX-License-Identifier: Apache-2.0
"""A run: one execution of an invokable from outside, and where it is written."""

from __future__ import annotations

import contextvars
import itertools
import secrets
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from enact.calls import layout
from enact.calls.callers import stacklevel
from enact.calls.environment import describe_process, installed_packages
from enact.calls.frames import clock
from enact.calls.listing import SourceKeeper
from enact.calls.targets import warn_if_ambiguous
from enact.calls.versions import encode_versions
from enact.errors import UnstorableValue
from enact.stores import RunRow, SharesFlushes, ValueStore
from enact.values import Encoder, Opaque

if TYPE_CHECKING:
    from enact.calls.flushing import Group
    from enact.calls.frames import Frame
    from enact.calls.layout import Blocks
    from enact.calls.sampling import Watcher
    from enact.calls.session import Session
    from enact.calls.targets import Target


# Whether somebody is there who will answer the questions of what runs.
ATTENDED: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "enact_attended", default=False
)


class Ordering(Protocol):
    """Says when an awaited call that is about to end does so."""

    async def hold(self) -> None:
        """Wait until it may end."""


# What orders the ends of awaited calls; see ``enact.testing.schedule``.
SCHEDULE: contextvars.ContextVar[Ordering | None] = contextvars.ContextVar(
    "enact_schedule", default=None
)


class UnstorableWarning(UserWarning):
    """A part of a call cannot be stored, so the call cannot be answered later."""


_warned: set[tuple[str, str, type]] = set()


# Told of each run that pauses: the store, the run, the invocation.
ON_PAUSE: list[Callable[[ValueStore, str, bytes], None]] = []

# Runs that this process executes at the moment.
LIVE: set[str] = set()


class Origin(NamedTuple):
    """Where a run comes from.

    Attributes:
        derived_from: the invocation that it replays.
        how: ``replay``, or what else was done.
        branch: the run whose calls these are tries of, for idempotency keys; None for
            the run itself.
        within: the call of another run that this run is made in, by its key.
        row: of the run that is resumed, in place of a new one.
        next_number: of the first call that is new to it.
        changed: an earlier try of it took another way than what it replays.
        meta: further facts to note of the run.
    """

    derived_from: bytes | None = None
    how: str | None = None
    branch: str | None = None
    within: str | None = None
    row: RunRow | None = None
    next_number: int = 0
    changed: bool = False
    meta: Mapping[str, Any] | None = None


class Run:
    """Where the calls of one execution are written.

    Attributes:
        store: that was active when it began.
        session: its policy, and how it goes.
        origin: where it comes from.
        id: later runs sort after earlier ones.
        branch: the run whose calls these are tries of.
        attempt: how often it was resumed.
        cautious: live calls are looked at before they run.
        record: the backend's way in for a finished call.
        flusher: the backend, where calls may wait for flushes that they share.
        group: calls that wait for the next flush.
        sampler: is told of calls that ended; see ``Policy``.
        schedule: orders the ends of awaited calls; None where they come as they come.
        tells_order: rows tell how calls overlap, for those who resume it elsewhere.
        known: invokables whose blocks were written already.
        withheld: exceptions of which not all is written.
        sources: writes those of what is called.
        epoch: what turns ``clock()`` into seconds since the epoch.
        on_unstorable: ``"warn"`` or ``"error"``.
        attended: whether somebody is there to answer questions.
    """

    __slots__ = (
        "_meta",
        "_subtrees",
        "attempt",
        "attended",
        "branch",
        "cautious",
        "epoch",
        "flusher",
        "group",
        "id",
        "known",
        "next_number",
        "on_unstorable",
        "origin",
        "record",
        "sampler",
        "schedule",
        "session",
        "sources",
        "started",
        "tells_order",
        "store",
        "withheld",
    )

    def __init__(
        self,
        store: ValueStore,
        session: Session,
        origin: Origin,
        on_unstorable: str = "warn",
    ) -> None:
        self.store = store
        self.session = session
        self.origin = origin
        policy = session.policy
        self.cautious = (
            policy.memoize
            or policy.live == "forbid"
            or policy.forecast is not None
            or policy.sampler is not None
        )
        self.sampler: Watcher | None = policy.sampler
        backend = store.backend
        self.record = backend.record
        self.flusher: SharesFlushes | None = None
        self.group: Group | None = None
        self.schedule = SCHEDULE.get()
        # What a search draws, it counts when it has ended.
        if policy.sampler is None and isinstance(backend, SharesFlushes):
            self.flusher = backend
        self.tells_order = getattr(store.backend, "outlives_process", True)
        self.known: set[bytes] = set()
        self.withheld: set[bytes] = set()
        self.sources = SourceKeeper(store)
        self._subtrees: dict[frozenset[Any], bytes] = {}
        self.next_number = itertools.count(origin.next_number).__next__
        now = time.time()
        self.epoch = now - clock()
        row = origin.row
        self.started = now if row is None else row.started
        self.id = _new_id(now) if row is None else row.id
        self.attempt = 0 if row is None else row.attempt + 1
        self.branch = origin.branch or self.id
        self.on_unstorable = on_unstorable
        # Threads of the program do not see the context that it was begun in.
        self.attended = ATTENDED.get()
        self._meta = self._describe()

    def begin(self, name: str) -> None:
        """Write that the run has begun."""
        LIVE.add(self.id)
        self.store.note_types()
        self.store.backend.begin_run(self._row(name, "running", None, 0.0))

    def end(self, name: str, status: str, invocation: bytes | None) -> None:
        """Write how the run ended."""
        LIVE.discard(self.id)
        self.sources.write()
        duration = time.time() - self.started
        self.store.backend.end_run(self._row(name, status, invocation, duration))
        # What a search asks, it asks itself, once for all that wait for the answer.
        sampled = self.session.policy.sampler is not None
        if status == "paused" and invocation is not None and not sampled:
            for tell in ON_PAUSE:
                tell(self.store, self.id, invocation)
        self.store.note_types()

    def _describe(self) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "owner": self.store.backend.owner,
            "packages": _packages_in(self.store),
        }
        if self.branch != self.id:
            meta["branch"] = self.branch
        if self.origin.within is not None:
            meta["within"] = self.origin.within
        meta.update(self.origin.meta or {})
        return meta

    def _row(
        self, name: str, status: str, invocation: bytes | None, duration: float
    ) -> RunRow:
        meta = {**self._meta, **describe_process()}
        return RunRow(
            self.id, name, status, invocation, self.started, duration,
            self.origin.derived_from, self.origin.how, meta, self.attempt,
        )  # fmt: skip

    def subtree(self, versions: set[Any]) -> bytes | None:
        """Identifier of the block that lists these versions; writes it when new."""
        key = frozenset(versions)
        known = self._subtrees.get(key)
        if known is None:
            known = b""
            if named := key - {None}:
                blocks: Blocks = []
                known = encode_versions(named, blocks)
                self.store.backend.put(blocks)
            self._subtrees[key] = known  # from here on other threads rely on the block
        return known or None

    def introduce(self, target: Target) -> None:
        """Store a function that the run has not called before."""
        target.refresh_code()
        warn_if_ambiguous(target)
        self.store.backend.put([(target.cid, target.block)])
        self.sources.keep(target)
        self.known.add(target.cid)  # from here on other threads rely on the block

    def encode(
        self,
        value: Any,
        blocks: Blocks,
        frame: Frame | None,
        what: str,
        withheld: list[object] | None = None,
    ) -> tuple[bytes, bool]:
        """The block of ``value``, and whether a part of it could not be stored.

        Args:
            value: what to encode.
            blocks: takes the chunks that it shares with others.
            frame: within which it occurs; None, or the frame above the first call,
                makes what cannot be stored an error.
            what: the part of the call that it is, for messages.
            withheld: takes the secrets in it; without it, a secret counts as a part
                that could not be stored.

        Raises:
            UnstorableValue: see ``frame``.
        """
        data = layout.plain_scalar(value)
        if data is not None:
            return data, False
        found: list[str] = []

        def emit(cid: bytes, chunk: bytes) -> None:
            blocks.append((cid, chunk))

        if frame is None or frame.caller is None or self.on_unstorable == "error":
            encoder = Encoder(emit, self.store.adopt)
            data = encoder.encode(value)
            return data, _noted(encoder.withheld, withheld)

        def opaque(path: str, part: object, error: UnstorableValue) -> Opaque:
            found.append(path)
            _warn(frame, what, path, part, error)
            return Opaque.of(part)

        encoder = Encoder(emit, self.store.adopt, opaque)
        data = encoder.encode(value)
        return data, _noted(encoder.withheld, withheld) or bool(found)

    def overlay(self, blocks: Blocks) -> _Overlay:
        """Reads blocks that are not written yet, and those of the store."""
        return _Overlay(dict(blocks), self.store)


class _Overlay:
    def __init__(self, blocks: dict[bytes, bytes], store: ValueStore) -> None:
        self._blocks = blocks
        self._store = store

    def load_block(self, cid: bytes) -> bytes:
        data = self._blocks.get(cid)
        return self._store.load_block(cid) if data is None else data


def _noted(found: list[object] | None, withheld: list[object] | None) -> bool:
    """Whether parts that were found and withheld make a call run again."""
    if found is None:
        return False
    if withheld is None:
        return True
    withheld += found
    return False


def _warn(
    frame: Frame, what: str, path: str, part: object, error: UnstorableValue
) -> None:
    name = frame.target.name if frame.target is not None else "?"
    key = (name, path, type(part))
    if key in _warned:
        return
    _warned.add(key)
    # Some reasons say what to do.
    advice = ". Register the type (`@enact.register`), or wrap it with a TypeWrapper"
    if "; " in error.reason:
        advice = ""
    warnings.warn(
        f"the {what} of a call in {name!r} cannot be stored at {path}: {error.reason}"
        f"{advice}. The call ran as usual, but a replay must run it again",
        UnstorableWarning,
        stacklevel=stacklevel(),
    )


def _new_id(now: float) -> str:
    return f"{int(now * 1e6):014x}{secrets.token_hex(5)}"


# By the backend: identifiers alone, since a ref would keep its store alive.
_told: weakref.WeakKeyDictionary[Any, tuple[bytes, str]] = weakref.WeakKeyDictionary()


def _packages_in(store: ValueStore) -> str:
    """Identifier of the value that says which packages are installed here."""
    known = _told.get(store.backend)
    if known is None or not store.has_block(known[0]):
        ref = store.commit(installed_packages())
        known = _told[store.backend] = ref.cid, ref.id
    return known[1]
