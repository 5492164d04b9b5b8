# SPDX-License-Identifier: Apache-2.0
"""Running the user's program from the command line, and telling how it went."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import click

from enact.calls import Invocation
from enact.cli.cat import show_value
from enact.cli.describe import status_line
from enact.cli.errors import Failure
from enact.cli.output import GAP, Line, show, show_fact, show_json
from enact.errors import EnactError
from enact.query import Run, Store, running
from enact.render import load_value
from enact.render.data import call_data
from enact.render.questions import waiting_questions
from enact.render.words import counted, duration_in_words
from enact.values import Ref


@contextlib.contextmanager
def program(as_data: bool) -> Iterator[None]:
    """Around what runs the user's program: what it does wrong is told in one line.

    Args:
        as_data: what it prints goes to standard error, as JSON goes to standard output.
    """
    aside = contextlib.redirect_stdout(sys.stderr) if as_data else None
    try:
        with aside or contextlib.nullcontext():
            yield
    except EnactError:
        raise
    except SystemExit as error:
        raise Failure(
            f"the program ended itself with sys.exit({error.code!r})"
        ) from None
    except KeyboardInterrupt:
        raise Failure(
            "interrupted; `enact log` has the run, `enact resume @latest` goes on"
        ) from None
    except click.ClickException:
        raise
    except Exception as error:
        raise Failure(
            f"the program failed: {type(error).__name__}: {error}"
            f"{_where(error)}; `enact show @latest` shows how it came to that"
        ) from error


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def replay_now(
    store: Store, invocation: Invocation, *, as_data: bool, **options: Any
) -> None:
    """Replay an invocation, and tell what came of it; exits with 1 if it failed."""

    def run() -> Invocation:
        return running.replay_now(invocation, wrap_exceptions=True, **options)

    _run(store, run, as_data)


def resume_run(
    store: Store, run: str, *, as_data: bool, in_doubt: str = "raise", **options: Any
) -> None:
    """Go on with a run, and tell what came of it; exits with 1 if it failed."""
    options = {"in_doubt": in_doubt, "wrap_exceptions": True, **options}

    def go_on() -> Invocation:
        return running.resume_now(store, run, **options)

    _run(store, go_on, as_data)


def _run(store: Store, action: Callable[[], Invocation], as_data: bool) -> None:
    with program(as_data), store:
        invocation = action()
    rows = store.backend.runs(run=str(invocation.__dict__.get("_run")))
    run = Run(store, rows[0]) if rows else None
    if as_data:
        show_json(
            {
                "run": None if run is None else run.id,
                "duration": None if run is None else run.duration,
                **call_data(invocation),
                "verdicts": invocation.verdicts(),
            }
        )
    else:
        _tell(store, invocation, run)
    if invocation.status not in ("completed", "paused"):
        raise click.exceptions.Exit(1)


def _tell(store: Store, invocation: Invocation, run: Run | None) -> None:
    line = Line("" if run is None else run.id, "id").add(GAP)
    show_fact("run", line.extend(status_line(invocation.status)))
    if run is not None:
        show_fact("took", duration_in_words(run.duration))
    verdicts = Counter(invocation.verdicts().values())
    told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    show_fact("calls", told or "all reused")
    recorded = invocation._recorded()
    cid = recorded.output or recorded.raised
    if invocation.status == "paused":
        mine = [q for q in waiting_questions(store) if run and q.run == run.id]
        waits = counted(len(mine), "question")
        show(f"{waits} wait{'s' if len(mine) == 1 else ''}: see `enact inbox`")
    elif cid is not None and load_value(store, Ref(cid, store)) is not None:
        show()
        show_value(store, Ref(cid, store), as_data=False)
