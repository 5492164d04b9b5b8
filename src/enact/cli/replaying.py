# SPDX-License-Identifier: Apache-2.0
"""Commands with the user's code: ``preview``, ``replay``, ``resume``, ``affected``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from enact.calls import Invocation
from enact.cli.app import app_option, load_apps
from enact.cli.errors import Failure
from enact.cli.options import Name, json_option, name_argument, store_option
from enact.cli.output import Line, note, show, show_json, show_table
from enact.cli.running import program, replay_now, resume_run
from enact.cli.stores import changing, looking
from enact.query import Store, find, find_run, name_fits
from enact.query.lookup import LATEST
from enact.query.running import preview_now
from enact.render import short_name, visible
from enact.render.words import counted, duration_in_words

F = TypeVar("F", bound=Callable[..., Any])


def _code_change_option(command: F) -> F:
    return click.option(
        "--on-code-change",
        type=click.Choice(("rerun", "reuse", "error")),
        default="rerun",
        show_default=True,
        help="What becomes of a recorded outcome when its code has changed.",
    )(command)


def invocation_of(store: Store, what: str) -> Invocation:
    """The invocation that is meant.

    Raises:
        Failure: it is a value of another kind.
    """
    found = find(store, what)
    if found.invocation is None:
        raise Failure(f"{what} is no run and no call, so it cannot be replayed")
    return found.invocation


@click.command()
@name_argument(default=LATEST)
@_code_change_option
@app_option
@json_option
@store_option
def preview(
    what: str,
    on_code_change: str,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Say what a replay would run, and what that took.

    No registered leaf call runs, and nothing is written; the code around them runs.
    """
    load_apps(apps)
    with looking(url) as store:
        invocation = invocation_of(store, what)
        with program(as_data), store:
            found = preview_now(invocation, on_code_change=on_code_change)
    if as_data:
        show_json(
            {
                "calls": [
                    {
                        "path": call.path,
                        "name": call.name,
                        "verdict": call.verdict,
                        "certain": call.certain,
                        "seconds": call.seconds,
                        "usage": call.usage,
                    }
                    for call in found.calls
                ],
                "seconds": found.seconds,
                "usage": found.usage,
                "certain": found.is_certain,
                "stopped": found.stopped,
                "error": None if found.error is None else str(found.error),
            }
        )
        return
    if not found.calls:
        show("nothing would run")
    else:
        used = "".join(f", {name} {value:g}" for name, value in found.usage.items())
        took = duration_in_words(found.seconds)
        show(f"{counted(len(found.calls), 'call')} would run, {took} last time{used}")
        rows = [
            (
                Line(call.path or ".", "dim"),
                "-" if call.seconds is None else duration_in_words(call.seconds),
                Line(call.verdict).add("" if call.certain else ", uncertain", "dim"),
                visible(short_name(call.name)),
            )
            for call in found.calls
        ]
        show_table(("PATH", "TOOK", "WHY", "CALL"), rows, right="TOOK")
    if found.stopped:
        paths = ", ".join(path or "." for path in found.stopped)
        note(f"not looked at: what comes after {paths}")
    if found.error is not None:
        note(visible(f"it would end with {type(found.error).__name__}: {found.error}"))


@click.command()
@name_argument(default=LATEST)
@click.option(
    "--strict/--no-strict",
    default=True,
    show_default=True,
    help="Stop at a difference that nothing explains.",
)
@click.option("--forbid-live", is_flag=True, help="Stop before any call would run.")
@_code_change_option
@app_option
@json_option
@store_option
def replay(
    what: str,
    strict: bool,
    forbid_live: bool,
    on_code_change: str,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Run again; recorded calls are answered, the rest runs.

    WHAT is a run, a call or a ref, such as `enact rewind` and `enact edit` give. Exits
    with 1 if the program failed.
    """
    load_apps(apps)
    with changing(url) as store:
        replay_now(
            store,
            invocation_of(store, what),
            as_data=as_data,
            strict=strict,
            live="forbid" if forbid_live else "allow",
            on_code_change=on_code_change,
        )


@click.command()
@click.argument("run", type=Name(), default=LATEST)
@click.option(
    "--strict/--no-strict",
    default=True,
    show_default=True,
    help="Stop at a difference that nothing explains.",
)
@click.option(
    "--retry-in-doubt",
    is_flag=True,
    help="Also try calls again that must not be tried twice and were in flight.",
)
@_code_change_option
@app_option
@json_option
@store_option
def resume(
    run: str,
    strict: bool,
    retry_in_doubt: bool,
    on_code_change: str,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Go on with a run that was cut off, paused, or failed.

    Calls that returned are not executed again. Exits with 1 if the program failed.
    """
    load_apps(apps)
    with changing(url) as store:
        found = find_run(store, run)
        if found.status == "completed":
            raise Failure(
                f"run {found.id} came to its end: `enact replay` runs it again, `enact"
                " rewind --replay` a part of it"
            )
        resume_run(
            store,
            found.id,
            as_data=as_data,
            strict=strict,
            in_doubt="retry" if retry_in_doubt else "raise",
            on_code_change=on_code_change,
        )


@click.command()
@click.option("-f", "--name", metavar="NAME", help="Only versions of this function.")
@app_option
@json_option
@store_option
def affected(
    name: str | None, apps: Sequence[str], as_data: bool, url: str | None
) -> None:
    """List what was recorded with other code than that of now.

    The modules are loaded, so that their code can be compared; nothing else runs.
    """
    load_apps(apps)
    with looking(url) as store:
        found = [
            one for one in store.affected() if name is None or name_fits(one.name, name)
        ]
        if as_data:
            show_json(
                [
                    {
                        "name": one.name,
                        "recorded": one.recorded,
                        "current": one.current,
                        "calls": one.calls,
                        "runs": [run.id for run in one.runs],
                    }
                    for one in found
                ]
            )
            return
        if not found:
            note("all that is recorded ran the code of now")
            return
        rows = [
            (
                visible(one.name),
                Line(one.recorded[:8], "id"),
                Line("not here" if one.current is None else one.current[:8]),
                f"{one.calls:,}",
                f"{len(one.runs):,}",
            )
            for one in found
        ]
        heads = ("FUNCTION", "RECORDED", "NOW", "CALLS", "RUNS")
        show_table(heads, rows, right="CALLS RUNS")
