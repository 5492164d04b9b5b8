# SPDX-License-Identifier: Apache-2.0
"""LangGraph, functional API, with its SQLite saver; ``unsynced`` without flushes."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.func import entrypoint, task


class LangGraph:
    """LangGraph; synchronous roots with ``SqliteSaver``, others with its async one."""

    def __init__(self, mode: str) -> None:
        self._unsynced = mode == "unsynced"

    def step(self, function: Callable[..., Any]) -> Any:
        as_task = task(function)
        if inspect.iscoroutinefunction(function):
            return as_task
        return lambda *args: as_task(*args).result()

    def root(self, function: Callable[..., Any]) -> Any:
        return function

    def open(self, directory: Path) -> None:
        self._path = str(directory / "runs.db")
        self._connection = sqlite3.connect(self._path, check_same_thread=False)
        if self._unsynced:
            self._connection.execute("PRAGMA synchronous=OFF")

    def run(self, root: Any, given: Any, name: str) -> Any:
        config = {"configurable": {"thread_id": name}}
        if inspect.iscoroutinefunction(root):
            return asyncio.run(self._run_async(root, given, config))
        saver = SqliteSaver(self._connection)
        return entrypoint(checkpointer=saver)(root).invoke(given, config)

    async def _run_async(self, root: Any, given: Any, config: Any) -> Any:
        async with AsyncSqliteSaver.from_conn_string(self._path) as saver:
            return await entrypoint(checkpointer=saver)(root).ainvoke(given, config)

    def resume(self, root: Any, name: str) -> Any:
        return self.run(root, None, name)

    def close(self) -> None:
        self._connection.close()
