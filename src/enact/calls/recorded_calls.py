# SPDX-License-Identifier: Apache-2.0
"""The recorded children of one call, read a batch at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from enact.calls import layout
from enact.calls.layout import Recorded
from enact.values import ATOMIC, decode

_BATCH = 128

_BEFORE = 8  # other lanes may not have come as far

# First bytes of CBOR: lists, maps and tags are between these.
_LISTS, _SIMPLE = 0x80, 0xE0


class RecordedCalls:
    """Recorded calls, by index; safe for threads.

    Args:
        cids: identifiers of their invocations.
        source: the store.

    Attributes:
        cids: the same.
        batch: some of them, as read: a ``Recorded`` or a tuple (see ``layout.Leaf``).
        start: index of the first of these.
    """

    __slots__ = ("_lock", "_outputs", "_source", "batch", "cids", "start")

    def __init__(self, cids: Sequence[bytes], source: Any) -> None:
        self.cids = cids
        self.batch: list[Any] = []
        self.start = 0
        self._source = source
        self._lock = threading.RLock()
        # Blocks of outputs, read for a batch at a time.
        self._outputs: dict[Any, bytes] = {}

    def __len__(self) -> int:
        return len(self.cids)

    def __getitem__(self, index: int) -> Recorded:
        with self._lock:
            place = index - self.start
            if not 0 <= place < len(self.batch):
                start = max(0, index - _BEFORE)
                cids = list(self.cids[start : start + _BATCH])
                self.batch, self.start = layout.read_ready(cids, self._source), start
                place = index - start
            recorded = self.batch[place]
            if type(recorded) is tuple:
                recorded = Recorded.of_leaf(self.cids[index], recorded)
                self.batch[place] = recorded
            return recorded  # type: ignore[no-any-return]  # a leaf was just replaced

    def value(self, recorded: Recorded) -> Any:
        """The output of a recorded call: a fresh one, if it can change in place."""
        value = recorded.value
        if value is not layout.NOT_READ:
            return value
        value = decode(self._output(recorded), self._source)
        if type(value) in ATOMIC:
            recorded.value = value
        return value

    def read_scalar(self, recorded: Recorded) -> None:
        """Read the output of a call just found here, if it is a scalar of CBOR.

        When its turn has come to be handed out, others may have been read since.
        """
        if recorded.value is layout.NOT_READ:
            data = self._output(recorded)
            if data[0] < _LISTS or data[0] >= _SIMPLE:
                recorded.value = decode(data, self._source)

    def _output(self, recorded: Recorded) -> bytes:
        data = self._outputs.get(recorded.output)
        if data is None:
            self._outputs = self._source.load_blocks(
                [
                    known.output
                    for known in self.batch
                    if type(known) is not tuple and known.simple
                ]
                or [recorded.output]
            )
            data = self._outputs[recorded.output]
        return data
