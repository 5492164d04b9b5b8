# SPDX-License-Identifier: Apache-2.0
"""How commands fail: one line that says what happened and what to do next."""

from __future__ import annotations

import os
from typing import IO, Any

import click

from enact.errors import EnactError, UnregisteredType
from enact.render import visible


class Failure(click.ClickException):
    """Ends a command with exit code 1 and a line on standard error."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        label = click.style("Error:", fg="red")
        text = visible(self.format_message()).replace("\n", " ")
        click.echo(f"{label} {text}", err=True)


class Commands(click.Group):
    """A group of commands whose errors are told in one line.

    Attributes:
        parts: names of commands, by the heading under which help lists them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts: dict[str, list[str]] = {}

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except UnregisteredType as error:
            raise Failure(
                f"{error}; name the module that defines it with --app"
            ) from error
        except EnactError as error:
            raise Failure(str(error) or type(error).__name__) from error
        except RecursionError:
            raise Failure("a value or a tree is nested too deep to be shown") from None

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        limit = formatter.width - 6 - max(map(len, self.commands))
        for title, names in self.parts.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(n, self.commands[n].get_short_help_str(limit)) for n in names],
                    col_max=12,
                )
