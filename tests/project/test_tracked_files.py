# SPDX-License-Identifier: Apache-2.0
"""No committed file names a package registry's address or a path of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written in parts, so that this file does not match itself.
REGISTRY = re.compile(
    r"--(?:extra-)?" + r"index-url|--find" + r"-links|://[^\s/]*"
    r"(?:py" + r"pi|pythonhosted|regis" + r"try|artifactory|nexus|npmjs)[^\s/]*/"
)
MACHINE_PATH = re.compile(
    r"(?<![\w.$}>)\]-])/(?!home/me/)"  # that one is nobody's
    r"(?:ro" + r"ot|ho" + r"me|wo" + r"rk|Us" + r"ers|o" + r"pt)/\w"
)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


def test_no_file_names_a_registry() -> None:
    assert not lines_that_match(REGISTRY)


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not lines_that_match(MACHINE_PATH)


def test_python_files_carry_the_licence() -> None:
    missing = [
        path.relative_to(ROOT)
        for path in tracked_files()
        if path.suffix == ".py"
        and "SPDX-License-Identifier: Apache-2.0" not in path.read_text("utf-8")[:200]
    ]
    assert not missing
