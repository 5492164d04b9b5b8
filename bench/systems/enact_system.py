# SPDX-License-Identifier: Apache-2.0
"""enact: modes ``adaptive``, ``call``, and ``replay`` of runs that completed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import enact


class Enact:
    """enact with a store in SQLite."""

    def __init__(self, mode: str) -> None:
        self._durability = "call" if mode == "call" else "adaptive"
        self._replays = mode == "replay"

    def step(self, function: Callable[..., Any]) -> Any:
        return enact.register(function)

    root = step

    def open(self, directory: Path) -> None:
        path = directory / "runs.db"
        self._store = enact.SQLiteStore(path, durability=self._durability)
        self._store.__enter__()

    def run(self, root: Any, given: Any, name: str) -> Any:
        if inspect.iscoroutinefunction(root):
            return asyncio.run(enact.invoke_async(root, (given,))).output
        return enact.invoke(root, (given,)).output

    def resume(self, root: Any, name: str) -> Any:
        latest = self._store.runs()[0]
        asynchronous = inspect.iscoroutinefunction(root)
        if self._replays:
            recorded = latest.invocation
            assert recorded is not None
            if asynchronous:
                return asyncio.run(recorded.replay_async(strict=False)).output
            return recorded.replay(strict=False).output
        if asynchronous:
            return asyncio.run(enact.resume_async(latest)).output
        return enact.resume(latest).output

    def close(self) -> None:
        self._store.__exit__(None, None, None)
        self._store.close()
