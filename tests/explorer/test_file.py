# SPDX-License-Identifier: Apache-2.0
"""``enact export --html``: one file that needs nothing and does nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from enact.cli import main

# Nothing in the file may load or do anything.
FORBIDDEN = {"script", "iframe", "object", "embed", "link", "base", "form", "a"}


class Seen(HTMLParser):
    """Collects what a file is made of, and whether its parts are closed in order."""

    EMPTY = ("meta", "img", "br", "input", "line", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.deepest = 0
        self._open: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("href", "style"), name
            assert name != "src" or (value or "").startswith("data:image/")
        if tag not in self.EMPTY:
            self._open.append(tag)
            self.deepest = max(self.deepest, len(self._open))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def exported(recorded: Path, what: str, path: Path) -> Seen:
    done = CliRunner().invoke(
        main, ["export", "--html", "--store", str(recorded), what, str(path)]
    )
    assert done.exit_code == 0, done.output
    text = path.read_text("utf-8")
    assert text.lstrip().startswith("<!doctype html>")
    return Seen(text)


@pytest.mark.parametrize("what", ["handled", "hostile", "values", "chat", "nest/0"])
def test_a_file_is_inert(recorded: Path, tmp_path: Path, what: str) -> None:
    seen = exported(recorded, what, tmp_path / "run.html")
    assert not FORBIDDEN & set(seen.tags)
    assert "sk-proj-abc" not in seen.text


def test_a_file_has_all_calls_with_their_values(recorded: Path, tmp_path: Path) -> None:
    seen = exported(recorded, "many", tmp_path / "run.html")
    assert seen.text.count("shop_app:price") == 300
    assert "many(300) = 1794" in seen.text.replace("\n", "")
    assert "301 calls" in seen.text and "svg" in seen.tags
    assert seen.tags.count("tr") >= 302  # the log, and its head
    hostile = exported(recorded, "hostile", tmp_path / "hostile.html")
    assert "<script>document.title='ran'</script>" in hostile.text


def test_a_file_of_a_search_shows_what_it_tried(recorded: Path, tmp_path: Path) -> None:
    import enact

    with enact.SQLiteStore(recorded) as store:
        run = store.runs(name="enact/search")[0].id
    store.close()
    seen = exported(recorded, run, tmp_path / "search.html")
    assert not FORBIDDEN & set(seen.tags)
    assert "Score over calls spent" in seen.text
    assert "Executions" in seen.text


def test_a_tree_that_is_too_deep_for_browsers(page_of, tmp_path: Path) -> None:
    import enact

    @enact.register(name="page/deeper")
    def deeper(n: int) -> int:
        return n and deeper(n - 1)

    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        enact.invoke(deeper, (300,))
    store.close()
    seen = exported(tmp_path / "runs.db", "@latest", tmp_path / "run.html")
    assert seen.text.count("page/deeper") == 301
    assert seen.deepest < 300


def test_a_file_needs_the_extra(recorded: Path) -> None:
    code = (
        "import sys; sys.modules['jinja2'] = None; from enact.cli import main; main()"
    )
    arguments = ["export", "--html", "--store", str(recorded), "many", "-"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "--html needs jinja2" in done.stderr and done.stderr.count("\n") == 1


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few calls are made like those of many."""
    from enact.explorer import file

    monkeypatch.setattr(file, "MOST_INERT", 5)


def test_a_large_file_has_one_script_and_all_calls(
    recorded: Path, tmp_path: Path, large: None
) -> None:
    path = tmp_path / "run.html"
    arguments = ["export", "--html", "--store", str(recorded), "many", str(path)]
    done = CliRunner().invoke(main, arguments)
    assert done.output == f"wrote 301 calls to {path}\n"
    text = path.read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(policy)
    assert text.count("<script>") == 1 and "shop_app:price" not in text
    pieces = re.findall(r'id="piece-\d+">([^<]+)<', text)
    calls = [
        call
        for piece in pieces
        for call in json.loads(zlib.decompress(base64.b64decode(piece)))
    ]
    assert len(calls) == 301 and calls[0][0] == "many(300)"
    assert [call[4] for call in calls[1:4]] == ["0", "1", "2"]
    assert "shop_app:price" in calls[1][5]


def test_a_file_says_that_it_was_cut(
    recorded: Path, tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from enact.explorer import large_file

    monkeypatch.setattr(large_file, "MOST_CALLS", 100)
    path = tmp_path / "run.html"
    arguments = ["export", "--html", "--store", str(recorded), "many", str(path)]
    done = CliRunner().invoke(main, arguments)
    assert done.stdout == f"wrote 100 calls to {path}\n"
    assert "there are more calls, which are not in the file" in done.stderr
    text = " ".join(path.read_text("utf-8").split())
    assert "Only the first 100 calls are in this file, of 301 calls that ran." in text
    told = CliRunner().invoke(main, [*arguments, "--force", "--json"])
    assert json.loads(told.stdout)["whole"] is False
