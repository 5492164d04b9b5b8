# SPDX-License-Identifier: Apache-2.0
"""Runs of what this package records, by what people call them."""

from __future__ import annotations

from enact.errors import SearchError
from enact.query import Run, Store
from enact.values import active_store


def recorded_run(run: Run | str, name: str, what: str) -> Run:
    """The run that is meant.

    Args:
        run: a run, or its identifier in the active store.
        name: of the program that it has to be a run of.
        what: it is, in words.

    Raises:
        NoActiveContext: no store is active.
        NotFound: there is no such run.
        SearchError: it is a run of something else.
    """
    if isinstance(run, str):
        store = active_store()
        if not isinstance(store, Store):
            raise SearchError(
                f"the active store, of type {type(store).__name__}, keeps no runs. "
                'Next: open the one with the run: `with enact.open_store("runs.db"):`'
            )
        run = store.run(run)
    if run.name != name:
        raise SearchError(f"run {run.id} is one of {run.name!r}, not {what}")
    return run
