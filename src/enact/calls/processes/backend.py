# SPDX-License-Identifier: Apache-2.0
"""The backend of a store that is open in the process that started this one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from enact.errors import StoreError
from enact.stores import Block, CallRow, CodeCount, RunRow


class AwayBackend:
    """The backend at home.

    Args:
        ask: answers a question about it: the method, arguments, and options.
    """

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._asks = ask

    def _ask(self, what: str, *args: Any, **options: Any) -> Any:
        return self._asks("store", what, args, options)

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self._ask("get", tuple(cids))
        return found

    def has(self, cids: Iterable[bytes]) -> set[bytes]:
        found: set[bytes] = self._ask("has", tuple(cids))
        return found

    def keep(self, cids: Iterable[bytes]) -> set[bytes]:
        found: set[bytes] = self._ask("keep", tuple(cids))
        return found

    def between(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        found: list[bytes] = self._ask("between", low, high, limit)
        return found

    def put(self, blocks: Sequence[Block]) -> None:
        self._ask("put", list(blocks))

    def record(self, blocks: Sequence[Block], row: CallRow | None) -> None:
        self._ask("record", list(blocks), row)

    def begin_run(self, row: RunRow) -> None:
        self._ask("begin_run", row)

    def end_run(self, row: RunRow) -> None:
        self._ask("end_run", row)

    def runs(self, **conditions: Any) -> list[RunRow]:
        found: list[RunRow] = self._ask("runs", **conditions)
        return found

    def calls(self, **conditions: Any) -> Iterator[CallRow]:
        return iter(self._ask("calls", **conditions))

    def codes(self) -> list[CodeCount]:
        found: list[CodeCount] = self._ask("codes")
        return found

    def entries(self, kind: str, key: str | None = None) -> dict[str, str]:
        found: dict[str, str] = self._ask("entries", kind, key)
        return found

    def swap(self, kind: str, key: str, old: str | None, new: str | None) -> bool:
        return bool(self._ask("swap", kind, key, old, new))

    def write_entries(self, kind: str, entries: Mapping[str, str]) -> None:
        self._ask("write_entries", kind, dict(entries))

    @property
    def owner(self) -> str:
        owner: str = self._ask("owner")
        return owner

    def find_owner(self, token: str) -> str | None:
        found: str | None = self._ask("find_owner", token)
        return found

    def claim(self, run: str) -> contextlib.AbstractContextManager[None]:
        raise StoreError(
            f"run {run} cannot be resumed by a child process of a tracked call: "
            "resume it in the process that opened the store"
        )

    def flush(self) -> None:
        self._ask("flush")

    def close(self) -> None:
        pass
