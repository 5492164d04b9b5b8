# SPDX-License-Identifier: Apache-2.0
"""A store that writes nothing to the one that it reads from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enact.errors import MissingBlock
from enact.stores.backend import Backend
from enact.stores.memory import MemoryBackend
from enact.stores.store import ValueStore
from enact.values import Ref


class Overlay(ValueStore):
    """Reads from a store, and keeps what is written to itself.

    Args:
        base: the store.
    """

    def __init__(self, base: ValueStore) -> None:
        super().__init__(MemoryBackend())
        self.sources = None
        self._base = base

    @property
    def journal(self) -> Backend:
        return self._base.journal

    def adopt(self, ref: Ref[Any]) -> None:
        if not self.has_block(ref.cid):
            super().adopt(ref)

    def load_block(self, cid: bytes) -> bytes:
        try:
            return super().load_block(cid)
        except MissingBlock:
            return self._base.load_block(cid)

    def load_blocks(self, cids: Sequence[bytes]) -> dict[bytes, bytes]:
        found = self.backend.get(cids)
        missing = [cid for cid in cids if cid not in found]
        return {**found, **self._base.load_blocks(missing)} if missing else found

    def has_block(self, cid: bytes) -> bool:
        return super().has_block(cid) or self._base.has_block(cid)
