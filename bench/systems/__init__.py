# SPDX-License-Identifier: Apache-2.0
"""Systems that record steps and resume, behind one small interface.

Each is imported in an environment of its own, where the others are not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class NotResumed(Exception):
    """The system left the run as it was."""


class System(Protocol):
    """One system in one mode. Roots and steps may be async functions."""

    def step(self, function: Callable[..., Any]) -> Any:
        """The function as a step, called as before."""

    def root(self, function: Callable[..., Any]) -> Any:
        """The function, of one argument, as the root of a run."""

    def open(self, directory: Path) -> None:
        """Opens the store in a directory; roots and steps are known by now."""

    def run(self, root: Any, given: Any, name: str) -> Any:
        """Runs and records; gives the output."""

    def resume(self, root: Any, name: str) -> Any:
        """Goes on with the run of that name, which was cut off; gives the output."""

    def close(self) -> None:
        """Closes the store."""


def system(name: str) -> System:
    """The system ``name``, as in ``dbos`` or ``dbos:unsynced``."""
    kind, _, mode = name.partition(":")
    if kind == "enact":
        from bench.systems.enact_system import Enact

        return Enact(mode)
    if kind == "dbos":
        from bench.systems.dbos_system import Dbos

        return Dbos(mode)
    if kind == "langgraph":
        from bench.systems.langgraph_system import LangGraph

        return LangGraph(mode)
    raise ValueError(name)
