# SPDX-License-Identifier: Apache-2.0
"""A run: one execution of an invokable from outside, and where it is written."""

from __future__ import annotations

import contextvars
import itertools
import os
import platform
import secrets
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.calls.frames import clock
from enact.calls.targets import warn_if_ambiguous
from enact.errors import UnstorableValue
from enact.stores import RunRow, ValueStore
from enact.values import Encoder, Opaque

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.layout import Blocks
    from enact.calls.targets import Target


# Whether somebody is there who will answer the questions of what runs.
ATTENDED: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "enact_attended", default=False
)


class UnstorableWarning(UserWarning):
    """A part of a call cannot be stored, so the call cannot be answered later."""


_warned: set[tuple[str, str, type]] = set()


class Run:
    """Where the calls of one execution are written.

    Attributes:
        store: that was active when it began.
        record: the backend's way in for a finished call.
        known: invokables whose blocks were written already.
        epoch: what turns ``clock()`` into seconds since the epoch.
        on_unstorable: ``"warn"`` or ``"error"``.
        attended: whether somebody is there to answer questions.
    """

    __slots__ = (
        "attended",
        "derived_from",
        "epoch",
        "how",
        "id",
        "known",
        "next_number",
        "on_unstorable",
        "record",
        "started",
        "store",
    )

    def __init__(
        self,
        store: ValueStore,
        derived_from: bytes | None = None,
        on_unstorable: str = "warn",
    ) -> None:
        self.store = store
        self.record = store.backend.record
        self.known: set[bytes] = set()
        self.next_number = itertools.count().__next__
        self.started = time.time()
        self.epoch = self.started - clock()
        self.id = f"{int(self.started * 1e6):014x}{secrets.token_hex(5)}"
        self.derived_from = derived_from
        self.how = None if derived_from is None else "replay"
        self.on_unstorable = on_unstorable
        # Threads of the program do not see the context that it was begun in.
        self.attended = ATTENDED.get()

    def begin(self, name: str) -> None:
        """Write that the run has begun."""
        self.store.note_types()
        self.store.backend.begin_run(self._row(name, "running", None, 0.0))

    def end(self, name: str, status: str, invocation: bytes | None) -> None:
        """Write how the run ended."""
        duration = time.time() - self.started
        self.store.backend.end_run(self._row(name, status, invocation, duration))
        self.store.note_types()

    def _row(
        self, name: str, status: str, invocation: bytes | None, duration: float
    ) -> RunRow:
        return RunRow(
            self.id, name, status, invocation, self.started, duration,
            self.derived_from, self.how, _process(),
        )  # fmt: skip

    def introduce(self, target: Target) -> None:
        """Store a function that the run has not called before."""
        target.refresh_code()
        warn_if_ambiguous(target)
        self.known.add(target.cid)
        self.store.backend.put([(target.cid, target.block)])

    def encode(
        self, value: Any, blocks: Blocks, frame: Frame | None, what: str
    ) -> tuple[bytes, bool]:
        """The block of ``value``, and whether a part of it could not be stored.

        Args:
            value: what to encode.
            blocks: takes the chunks that it shares with others.
            frame: within which it occurs; None, or the frame above the first call,
                makes what cannot be stored an error.
            what: the part of the call that it is, for messages.

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
            return Encoder(emit, self.store.adopt).encode(value), False

        def opaque(path: str, part: object, error: UnstorableValue) -> Opaque:
            found.append(path)
            _warn(frame, what, path, part, error)
            return Opaque.of(part)

        return Encoder(emit, self.store.adopt, opaque).encode(value), bool(found)

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


def _warn(
    frame: Frame, what: str, path: str, part: object, error: UnstorableValue
) -> None:
    name = frame.target.name if frame.target is not None else "?"
    key = (name, path, type(part))
    if key in _warned:
        return
    _warned.add(key)
    warnings.warn(
        f"the {what} of a call in {name!r} cannot be stored at {path}: {error.reason}. "
        "The call ran as usual, but a replay must run it again. Register the type "
        "(`@enact.register`), or wrap it with an `enact.TypeWrapper`",
        UnstorableWarning,
        stacklevel=6,
    )


def _process() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": sys.platform,
        "pid": os.getpid(),
        "argv": list(sys.argv),
    }
