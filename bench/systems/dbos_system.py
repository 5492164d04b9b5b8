# SPDX-License-Identifier: Apache-2.0
"""DBOS on SQLite: as it comes; ``unsynced``; ``pinned`` to one application version."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if sqlite3.sqlite_version_info < (3, 42):
    import pysqlite3

    sys.modules["sqlite3"] = pysqlite3

import sqlalchemy
from dbos import DBOS, SetWorkflowID

from bench.systems import NotResumed

GRACE_SECONDS = 8.0  # in which a resumed workflow must have begun


class Dbos:
    """DBOS with its SQLite back end, launched once per process."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        if mode == "unsynced":

            def relax(connection: Any, record: Any) -> None:
                connection.execute("PRAGMA synchronous=OFF")

            sqlalchemy.event.listen(sqlalchemy.Engine, "connect", relax)

    def step(self, function: Callable[..., Any]) -> Any:
        return DBOS.step()(function)

    def root(self, function: Callable[..., Any]) -> Any:
        return DBOS.workflow()(function)

    def open(self, directory: Path) -> None:
        config = {
            "name": "bench",
            "system_database_url": f"sqlite:///{directory / 'runs.db'}",
            "log_level": "CRITICAL",
        }
        if self._mode == "pinned":
            config["application_version"] = "1"
        DBOS(config=config)
        DBOS.launch()  # pending workflows of this version go on from here

    def run(self, root: Any, given: Any, name: str) -> Any:
        with SetWorkflowID(name):
            if inspect.iscoroutinefunction(root):
                return asyncio.run(root(given))
            return root(given)

    def resume(self, root: Any, name: str) -> Any:
        handle = DBOS.retrieve_workflow(name)
        end = time.monotonic() + GRACE_SECONDS
        while handle.get_status().status not in ("SUCCESS", "ERROR"):
            if time.monotonic() > end:
                raise NotResumed(handle.get_status().status)
            time.sleep(0.05)
        return handle.get_result()

    def close(self) -> None:
        DBOS.destroy()
