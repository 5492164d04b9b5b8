# SPDX-License-Identifier: Apache-2.0
"""Type checkers accept what is right in ``tests/typing``, and find each mistake."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "tests" / "typing").glob("*.py"))


def run(*command, cwd=ROOT):
    return subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )


def test_mypy_finds_the_mistakes_and_no_others():
    pytest.importorskip("mypy")
    done = run(sys.executable, "-m", "mypy", *SAMPLES)
    assert done.returncode == 0, done.stdout


def test_pyright_finds_the_mistakes_and_no_others(tmp_path):
    # The one that comes whole from the package index; in this mode it is the same.
    place = sysconfig.get_path("scripts")
    pyright = shutil.which("basedpyright", path=place) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    for sample in SAMPLES:
        # Its rules have other names: any error on the line will do.
        text = re.sub(r"# type: ignore\[.*?\]", "# type: ignore", sample.read_text())
        (tmp_path / sample.name).write_text(text)
    settings = {
        "extraPaths": [str(ROOT / "src")],
        "typeCheckingMode": "standard",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = run(pyright, "--pythonpath", sys.executable, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
