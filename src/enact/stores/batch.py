# SPDX-License-Identifier: Apache-2.0
"""What was recorded and is not in the database yet."""

from __future__ import annotations

from enact.stores.backend import RunRow
from enact.stores.fold import CheckedCall
from enact.stores.tail import TailWriter


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
