# SPDX-License-Identifier: Apache-2.0
"""Loading the user's program, for the commands that run it."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from enact.cli.errors import Failure
from enact.cli.output import note

F = TypeVar("F", bound=Callable[..., Any])


def app_option(command: F) -> F:
    """``--app MODULE``."""
    return click.option(
        "--app",
        "apps",
        metavar="MODULE",
        multiple=True,
        help="Module or file that registers what runs; may be repeated.  [default: app"
        " under tool.enact in pyproject.toml]",
    )(command)


def load_apps(apps: Sequence[str]) -> list[str]:
    """Import the modules of the user's program, and say so.

    Args:
        apps: as given with ``--app``; if empty, those of ``pyproject.toml`` count.

    Returns:
        What was loaded.

    Raises:
        UsageError: nobody said what to load.
        Failure: it cannot be loaded.
    """
    where, directory = "--app", Path.cwd()
    if not apps:
        found = _configured()
        if found is None:
            raise click.UsageError(
                "this runs your program: say with --app which module to load, or in"
                ' pyproject.toml with [tool.enact] app = "..."'
            )
        apps, directory = found
        where = "pyproject.toml"
    for app in apps:
        note(f"loading {app} (from {where})")
        _load(app, directory)
    return list(apps)


def _configured() -> tuple[list[str], Path] | None:
    """What ``pyproject.toml`` here or further up says, and where it is."""
    here = Path.cwd()
    for directory in (here, *here.parents):
        path = directory / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            project = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"{path} cannot be read: {error}") from None
        tool = project.get("tool", {})
        app = tool.get("enact", {}).get("app") if isinstance(tool, dict) else None
        if app is None:
            return None
        apps = [app] if isinstance(app, str) else app
        if not (isinstance(apps, list) and all(isinstance(a, str) for a in apps)):
            raise Failure(f"{path}: [tool.enact] app must be the name of a module")
        return (apps, directory) if apps else None
    return None


def _load(app: str, directory: Path) -> None:
    name = app
    path = directory / app
    if app.endswith(".py") or os.sep in app:
        if not path.is_file():
            raise Failure(f"there is no file {path}: name another one with --app")
        name, directory = path.stem, path.parent
    # As for `python -m`, what is in the directory comes first.
    for place in (str(directory), str(directory / "src")):
        if place not in sys.path and os.path.isdir(place):
            sys.path.insert(0, place)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.split(".")[0] == error.name.split(".")[0]:
            raise Failure(
                f"there is no module {name} in {directory}, nor is it installed: name"
                " another one with --app"
            ) from None
        raise Failure(f"loading {app} failed: {error}; is it installed here?") from None
    except SystemExit as error:
        raise Failure(
            f"loading {app} ended with sys.exit({error.code!r}): keep what runs under"
            " `if __name__ == '__main__':`"
        ) from None
    except Exception as error:
        raise Failure(
            f"loading {app} failed: {type(error).__name__}: {error}"
        ) from error
