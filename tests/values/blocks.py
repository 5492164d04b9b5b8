# SPDX-License-Identifier: Apache-2.0
"""The smallest store: what values need of one, over a dict."""

from __future__ import annotations

from typing import Any

from enact.errors import MissingBlock
from enact.values import ACTIVE, Encoder, Ref, cid_of, cid_text, decode


class Blocks:
    """Blocks in memory; active inside its ``with`` statement."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.loads = 0

    def emit(self, cid: bytes, data: bytes) -> None:
        assert cid == cid_of(data)
        self.held[cid] = data

    def load_block(self, cid: bytes, /) -> bytes:
        self.loads += 1
        try:
            return self.held[cid]
        except KeyError:
            raise MissingBlock(f"no block {cid_text(cid)}") from None

    def has_block(self, cid: bytes, /) -> bool:
        return cid in self.held

    def commit(self, value: Any, /) -> Ref[Any]:
        return Ref(Encoder(self.emit).commit(value), self)

    def checkout(self, ref: Ref[Any], /) -> Any:
        return decode(self.load_block(ref.cid), self)

    @property
    def size(self) -> int:
        return sum(map(len, self.held.values()))

    def __enter__(self) -> Blocks:
        self._token = ACTIVE.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        ACTIVE.reset(self._token)


def encode(value: object) -> bytes:
    return Encoder(lambda cid, data: None).encode(value)


def roundtrip(value: Any) -> Any:
    blocks = Blocks()
    return blocks.checkout(blocks.commit(value))
