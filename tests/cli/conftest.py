# SPDX-License-Identifier: Apache-2.0
"""A recorded store to look at, and a way to run commands on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from enact.cli import main

APP = Path(__file__).parents[1] / "shop_app.py"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that another process made: its types are not known here."""
    directory = tmp_path_factory.mktemp("recorded")
    shutil.copy(APP, directory)
    command = [sys.executable, "shop_app.py", "some", "runs.db"]
    subprocess.run(command, cwd=directory, check=True, timeout=60)
    return directory / "runs.db"


@pytest.fixture
def place(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a copy of the store and the program."""
    shutil.copy(recorded, tmp_path / "runs.db")
    shutil.copy(APP, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENACT_STORE", "runs.db")
    return tmp_path


Enact = Callable[..., Result]


def run(*arguments: str, input: str | None = None) -> Result:
    result = CliRunner().invoke(main, arguments, input=input)
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        raise error
    return result


@pytest.fixture
def enact(place: Path) -> Enact:
    """Runs a command in this process; what is no clean end is raised."""
    return run


@pytest.fixture
def lines(place: Path) -> Callable[..., list[str]]:
    """The lines that a command prints, which must succeed."""

    def printed(*arguments: str, **options: Any) -> list[str]:
        result = run(*arguments, **options)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    return printed


@pytest.fixture
def data(place: Path) -> Callable[..., Any]:
    """What a command prints with ``--json``."""

    def printed(*arguments: str, **options: Any) -> Any:
        result = run(*arguments, "--json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return printed


@pytest.fixture
def program(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in a process of its own, which may load the program."""

    def run_it(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "enact", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            **options,
        )

    return run_it
