# SPDX-License-Identifier: Apache-2.0
"""What was recorded and is not in the database yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from enact.errors import StoreError
from enact.stores.backend import RunRow
from enact.stores.fold import CheckedCall
from enact.stores.rows import encode_call, encode_run
from enact.stores.tail import BLOCKS, CALL, RUN, TailWriter, encode_record


class Batch:
    """The content of one tail, held in memory until it is folded.

    Attributes:
        tail: where it is on disk.
        blocks: by identifier, in the order in which they came.
        calls: call rows with their checksums, in the order in which they came.
        runs: run rows, likewise.
    """

    def __init__(self, tail: TailWriter) -> None:
        self.tail = tail
        self.blocks: dict[bytes, bytes] = {}
        self.calls: list[CheckedCall] = []
        self.runs: list[RunRow] = []

    def sync(self, renew: Callable[[], TailWriter]) -> None:
        """Returns when all that was taken in before is on the disk.

        Args:
            renew: makes a tail to take the place of one that cannot be relied on.

        Raises:
            StoreUnavailable: the disk does not take it.
        """
        if self.tail.doubtful:
            self._move_to(renew())
        else:
            self.tail.sync()

    def _move_to(self, tail: TailWriter) -> None:
        records = [encode_record(BLOCKS, b"", self.blocks.values())]
        records += [encode_record(RUN, encode_run(row), ()) for row in self.runs]
        records += [encode_record(CALL, encode_call(row), ()) for row, _ in self.calls]
        try:
            tail.append(b"".join(records))
            tail.sync()
        except BaseException:
            with suppress(StoreError):
                tail.remove()
            raise
        old, self.tail = self.tail, tail
        old.remove()
