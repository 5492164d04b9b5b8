# SPDX-License-Identifier: Apache-2.0
"""Modules out of texts, for tests of what looks at source files."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Load = Callable[..., Any]


@contextlib.contextmanager
def loading(folder: Path) -> Iterator[Load]:
    """Gives a function that imports a text, each time as a new file."""
    numbers = itertools.count()
    before = dict(sys.modules)

    def load(text: str, name: str = "shop") -> Any:
        place = folder / str(next(numbers))
        place.mkdir()
        path = place / f"{name}.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def run_apart(program: str, *arguments: object) -> str:
    """What a program prints that runs in a process of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-Werror",
            "-c",
            textwrap.dedent(program),
            *map(str, arguments),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
