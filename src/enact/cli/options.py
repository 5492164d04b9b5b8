# SPDX-License-Identifier: Apache-2.0
"""Options and arguments that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from enact.cli.stores import looking
from enact.render import short_name
from enact.render.moments import moment_in, seconds_in
from enact.render.words import time_in_words

F = TypeVar("F", bound=Callable[..., Any])


def store_option(command: F) -> F:
    """``--store URL``."""
    return click.option(
        "--store",
        "url",
        metavar="URL",
        help="File of the store.  [default: $ENACT_STORE, else .enact/enact.db]",
    )(command)


def json_option(command: F) -> F:
    """``--json``."""
    return click.option("--json", "as_data", is_flag=True, help="Print JSON.")(command)


def limit_option(default: int) -> Callable[[F], F]:
    """``-n NUMBER``."""
    return click.option(
        "-n",
        "--limit",
        metavar="NUMBER",
        type=click.IntRange(min=0),
        default=default,
        show_default=True,
        help="At most so many; 0 for all.",
    )


class Time(click.ParamType[float]):
    """A moment, as a date or as how long ago."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        try:
            return moment_in(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Span(click.ParamType[float]):
    """A length of time."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        seconds = seconds_in(value)
        if seconds is None:
            self.fail(f"{value!r} is no duration: give 90s, 30min, 2h, 3d", param, ctx)
        return seconds


class Name(click.ParamType[str]):
    """What people call a run, a call or a value; completed from the store."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        try:
            with looking(ctx.params.get("url")) as store:
                found = [CompletionItem(tag, help="tag") for tag in store.tags()]
                found.append(CompletionItem("@latest", help="the newest run"))
                for row in store.backend.runs(limit=30):
                    when = time_in_words(row.started)
                    text = f"{short_name(row.name)}, {row.status}, {when}"
                    found.append(CompletionItem(row.id[:12], help=text))
        except Exception:  # completion must not get into the way of typing
            return []
        return [item for item in found if str(item.value).startswith(incomplete)]


def name_argument(name: str = "what", **options: Any) -> Callable[[F], F]:
    """An argument that names a run, a call or a value."""
    return click.argument(name, type=Name(), **options)
