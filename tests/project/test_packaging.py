# SPDX-License-Identifier: Apache-2.0
"""What is promised about the package as a whole."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import enact

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def canonical(requirement: str) -> str:
    """The normalised name in a requirement such as ``Pytest_xdist>=3``."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    for line in kept:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line
    return {canonical(line): line.partition("==")[2] for line in kept}


def test_every_dependency_is_pinned() -> None:
    named = [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(
            requirement
            for extra in PROJECT["project"]["optional-dependencies"].values()
            for requirement in extra
        ),
    ]
    assert {canonical(requirement) for requirement in named} <= set(pins())


def test_what_is_installed_here_is_pinned_too() -> None:
    installed = {
        canonical(distribution.metadata["Name"]): distribution.version
        for distribution in importlib.metadata.distributions()
    }
    if installed.get("hatchling") != pins()["hatchling"]:
        pytest.skip("not an environment that the Makefile made")
    ours = {"enact", "pip", "setuptools", "wheel"}
    assert {n: v for n, v in installed.items() if n not in ours}.items() <= (
        pins().items()
    )


def test_the_core_depends_on_libipld_and_apsw_alone() -> None:
    found = set()
    for path in (ROOT / "src" / "enact").rglob("*.py"):
        allowed = {*sys.stdlib_module_names, "enact", "libipld", "apsw"}
        if "cli" in path.parts:
            allowed |= {"click", "rich"}
        if "render" in path.parts:
            allowed |= {"rich"}  # when something is shown on a terminal
        if "explorer" in path.parts:  # an extra
            allowed |= {"fastapi", "jinja2", "starlette", "uvicorn"}
        if path.name == "trio_loop.py":  # imported when the program has imported trio
            allowed |= {"trio"}
        if path.name == "images.py":  # where somebody has installed it
            allowed |= {"PIL"}
        if path.name == "bar.py":  # in a notebook, which has it
            allowed |= {"IPython"}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            found |= {
                f"{path.relative_to(ROOT)}: {name}"
                for name in names
                if name.partition(".")[0] not in allowed
            }
    assert not found


def test_search_is_imported_when_it_is_needed(tmp_path: Path) -> None:
    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        beam = enact.commit(enact.search.Beam(width=2))
        assert store.has(beam)
    code = f"""
import sys, enact
assert "enact.search" not in sys.modules and "asyncio" not in sys.modules
assert "search" in dir(enact)
with enact.SQLiteStore({str(tmp_path / "runs.db")!r}):
    print(enact.Ref.from_id({beam.id!r})())
assert "enact.experiments" not in sys.modules
assert enact.experiments.compare and enact.score
try:
    enact.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Beam(width=2,")
    assert "has no attribute 'nothing'" in done.stdout


def test_the_libraries_of_the_command_line_are_not_imported_with_enact() -> None:
    code = "import sys, enact; print(*{'click', 'rich', 'pygments'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_types_are_shipped() -> None:
    assert importlib.resources.files("enact").joinpath("py.typed").is_file()


def test_the_changelog_has_this_version() -> None:
    version = PROJECT["project"]["version"].partition(".dev")[0]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE)
