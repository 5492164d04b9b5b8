# SPDX-License-Identifier: Apache-2.0
"""The Python blocks of a page, in order, are one program that runs.

A ``text`` block right after a Python block is what that block prints.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass
class Block:
    """A block of Python, where it stands, and what it is said to print."""

    code: str
    line: int
    printed: str | None = None


def blocks(text: str) -> Iterator[Block]:
    last: Block | None = None
    last_end = 0
    for match in FENCE.finditer(text):
        language, body = match.groups()
        follows = last is not None and not text[last_end : match.start()].strip()
        if language == "python":
            if last:
                yield last
            last = Block(body, text.count("\n", 0, match.start(2)))
        elif language == "text" and last and follows:
            last.printed = body
        last_end = match.end()
    if last:
        yield last


@pytest.mark.parametrize(
    "page", ["README.md", "docs/replay.md", "docs/search.md", "docs/experiments.md"]
)
def test_a_page_is_a_program_that_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / page).read_text("utf-8")
    program = list(blocks(text))
    assert program
    # A real file with the page's line numbers: tracebacks point into the page,
    # and functions have source code.
    lines = [""] * text.count("\n")
    for block in program:
        code = block.code.splitlines()
        lines[block.line : block.line + len(code)] = code
    path = tmp_path / "readme.py"
    path.write_text("\n".join(lines), "utf-8")
    module = types.ModuleType("readme")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "readme", module)
    monkeypatch.chdir(tmp_path)
    for block in program:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile("\n" * block.line + block.code, path, "exec"), module.__dict__)
        if block.printed is not None:
            assert output.getvalue() == block.printed, f"{page}:{block.line}"


def test_a_block_knows_its_line_and_its_output() -> None:
    text = "Hi\n```python\nprint(1)\n```\n\n```text\n1\n```\n```python\nx = 2\n```\n"
    assert list(blocks(text)) == [Block("print(1)\n", 2, "1\n"), Block("x = 2\n", 9)]
