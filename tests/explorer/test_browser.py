# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser, as people use it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from enact.cli import main
from enact.explorer import Server, Source, listen, make_app
from tests.explorer.conftest import APP, TOKEN

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs the browser chromium on the PATH"
)
expect = sync_api.expect
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 400, "height": 900}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-dev-shm-usage"]  # fmt: skip
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves a store to be looked at; gives the address of its list."""
    running: list[Any] = []

    def start(path: Path) -> str:
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        source = Source(str(path))
        server = Server(make_app(source, port=port, token=TOKEN), listener)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread, source))
        return f"http://127.0.0.1:{port}/?token={TOKEN}"

    yield start
    for server, thread, source in running:
        server.stop()
        thread.join(20)
        source.close()


@pytest.fixture
def opened(chromium: Any, serve: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; what it complains about fails the test."""
    contexts, told = [], []

    def open_page(url: str, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on(
            "console", lambda message: told.append(f"{message.text} {message.location}")
        )
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.goto(url)
        return page

    expect.set_options(timeout=20_000)
    yield open_page
    for context in contexts:
        context.close()
    assert told == []


def go(page: Any, path: str) -> None:
    page.goto(re.sub(r"(//[^/]+)/.*", r"\1", page.url) + path)


def artefacts(tmp_path: Path) -> Path:
    """Where screenshots are kept: of CI where it says, else with the test."""
    kept = os.environ.get("ENACT_SCREENSHOTS")
    where = Path(kept) if kept else tmp_path
    where.mkdir(parents=True, exist_ok=True)
    return where


def no_wider_than_the_screen(page: Any) -> bool:
    wide = page.evaluate("document.documentElement.scrollWidth")
    return bool(wide <= page.viewport_size["width"])


def test_find_open_fold_choose_and_come_back(
    opened: Any, serve: Any, recorded: Path, tmp_path: Path
) -> None:
    page = opened(serve(recorded))
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(12)
    page.get_by_label("Function").fill("many")
    expect(rows).to_have_count(1)
    assert "name=many" in page.url and "token" not in page.url
    page.screenshot(path=artefacts(tmp_path) / "list.png")
    rows.locator("a.call").click()

    tree = page.get_by_role("tree")
    lines = tree.get_by_role("treeitem")
    expect(lines).to_have_count(102)  # the top, a hundred, and how many more
    page.get_by_text("200 more").click()
    expect(lines).to_have_count(203)

    details = page.locator("#details")
    page.locator("#call-3 a.call").click()
    expect(details).to_contain_text("price completed")
    assert "call=3" in page.url
    page.locator("#call-3").press("ArrowDown")
    expect(page.locator("#call-4")).to_be_focused()
    expect(details.locator("a.path")).to_have_text("4")
    page.locator("#call-4").press("Home")
    expect(details.locator("h2 code")).to_have_text("many")
    page.keyboard.press("ArrowLeft")
    expect(lines).to_have_count(1)
    assert "open=-" in page.url
    page.reload()
    expect(lines).to_have_count(1)
    page.get_by_role("treeitem").focus()
    page.keyboard.press("ArrowRight")
    expect(lines).to_have_count(102)

    page.get_by_label("Find calls by name").fill("many")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_two_runs_are_ticked_and_compared(
    opened: Any, serve: Any, recorded: Path
) -> None:
    page = opened(serve(recorded) + "&name=handle")
    boxes = page.locator("tbody input")
    boxes.nth(0).check()
    boxes.nth(2).check()
    page.get_by_role("button", name="Compare two").click()
    expect(page.locator(".added").first).to_be_visible()
    expect(page.get_by_text("1 equal call")).to_be_visible()


def test_nothing_that_is_stored_runs(
    opened: Any, serve: Any, recorded: Path, tmp_path: Path
) -> None:
    page = opened(serve(recorded) + "&tag=hostile")
    base = page.locator("td.id a").get_attribute("href")
    output = None
    for path in ("", "/log", "/timeline", "/branches", "/source", "/details"):
        go(page, base + path)
        assert "<script>" in page.locator("body").inner_text()
        if not path:
            output = page.locator("h3 a.raw").nth(0).get_attribute("href")
        assert page.title() != "ran"
        assert page.locator("img").count() == 0
    go(page, output)
    assert "<script>" in page.locator("body").inner_text()
    go(page, f"{output}/raw")
    assert page.locator("img").count() == 0 and page.title() != "ran"

    for what in ("hostile", "values", "nest"):
        file = tmp_path / f"{what}.html"
        arguments = ["export", "--html", "--store", str(recorded), what, str(file)]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        page = opened(file.as_uri())
        assert page.title() != "ran"
        page.locator("details.values > summary").first.click()
        expect(page.get_by_role("heading", name="Input").first).to_be_visible()


def test_a_large_file_shows_what_is_looked_at(
    opened: Any, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enact.explorer.file.MOST_INERT", 0)
    pages = {}
    for what in ("many", "nest", "hostile", "values"):
        file = tmp_path / f"{what}.html"
        arguments = ["export", "--html", "--store", str(recorded), what, str(file)]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        pages[what] = opened(file.as_uri())
    page = pages["many"]
    nodes = page.locator("details.node")
    expect(nodes).to_have_count(101)
    page.get_by_role("button", name="200 more").click()
    expect(nodes).to_have_count(201)
    nodes.nth(3).locator("> summary").click()
    nodes.nth(3).get_by_text("details", exact=True).click()
    expect(nodes.nth(3)).to_contain_text("page_app:price")
    page.get_by_label("Function").fill("price")
    expect(page.locator("#calls li")).to_have_count(200)
    page.get_by_role("button", name="Later").click()
    expect(page.locator("#calls li")).to_have_count(100)
    page.locator("#calls button", has_text="299 price").click()
    expect(nodes.last.locator("> summary")).to_be_focused()
    page.screenshot(path=artefacts(tmp_path) / "file.png")
    deep = pages["nest"]
    deep.get_by_role("button", name="Log").click()
    deep.locator("#calls button").last.click()
    expect(deep.locator("details[open]").last).to_contain_text("nest(0) = 0")
    for page in (pages["hostile"], pages["values"]):
        page.get_by_text("details", exact=True).first.click()
        expect(page.get_by_role("heading", name="Input").first).to_be_visible()
        assert page.title() != "ran"


def test_without_javascript_lists_and_trees_are_there(
    opened: Any, serve: Any, recorded: Path
) -> None:
    page = opened(serve(recorded), java_script_enabled=False)
    page.get_by_label("Function").fill("handle")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("a.call").last.click()
    lines = page.get_by_role("treeitem")
    expect(lines).to_have_count(3)
    page.locator("a.fold").first.click()
    expect(lines).to_have_count(1)


def test_a_narrow_screen_is_wide_enough(
    opened: Any, serve: Any, recorded: Path, tmp_path: Path
) -> None:
    page = opened(serve(recorded), viewport=NARROW, color_scheme="dark")
    links = page.locator("td.id a")
    paths = [links.nth(n).get_attribute("href") for n in range(12)]
    page.screenshot(path=artefacts(tmp_path) / "narrow.png")
    for path in ["/", "/questions", "/compare", *paths, f"{paths[5]}/log",
                 f"{paths[0]}/timeline", f"{paths[9]}/branches"]:  # fmt: skip
        go(page, path)
        assert no_wider_than_the_screen(page), path


PROGRAM = """
import pathlib, sys, time
import enact

@enact.register
def step(n):
    return n * 11

@enact.register
def work(directory):
    for n in range(3):
        step(n)
        while not pathlib.Path(directory, f"go-{n}").exists():
            time.sleep(0.01)
    return "ready"

with enact.SQLiteStore(sys.argv[1]) as store:
    enact.invoke(work, (sys.argv[2],))
store.close()
"""


def test_a_program_runs_while_the_page_is_open(
    opened: Any, serve: Any, tmp_path: Path
) -> None:
    import enact

    store = tmp_path / "runs.db"
    enact.SQLiteStore(store).close()
    page = opened(serve(store))
    expect(page.get_by_text("No runs yet")).to_be_visible()
    (tmp_path / "work.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, str(tmp_path / "work.py"), str(store), str(tmp_path)]
    with subprocess.Popen(command) as program:
        try:
            page.locator("td.id a").click()
            lines = page.get_by_role("treeitem")
            expect(lines).to_have_count(2)
            (tmp_path / "go-0").touch()
            expect(page.locator("#call-1")).to_contain_text("step(1) = 11")
            page.locator("#call-1 a.call").click()
            expect(page.locator("#details a.path")).to_have_text("1")
            (tmp_path / "go-1").touch()
            expect(page.locator("#call-2")).to_be_visible()
            expect(page.locator("#call-1")).to_have_attribute("aria-selected", "true")
            (tmp_path / "go-2").touch()
            expect(page.locator(".summary .status")).to_have_text("completed")
            expect(page.locator("#pulse")).to_have_count(0)
            expect(page.locator("#details a.path")).to_have_text("1")
        finally:
            for n in range(3):
                (tmp_path / f"go-{n}").touch()
            program.wait(20)


@pytest.fixture
def acting(recorded: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a page with the program, served by the command."""
    shutil.copy(recorded, tmp_path / "runs.db")
    shutil.copy(APP, tmp_path)
    command = [sys.executable, "-m", "enact", "ui", "runs.db", "--app", APP.name,
               "--port", "0", "--no-open", "--json"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        told = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
        yield told["url"]
        server.terminate()
        server.wait(20)


def test_questions_are_answered(acting: str, opened: Any, tmp_path: Path) -> None:
    page = opened(acting)
    page.get_by_role("link", name="Questions 1").click()
    page.get_by_role("link", name="Which title?").click()
    page.get_by_label("Value str").fill("Five\nseas")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".summary .status")).to_have_text("paused")
    page.get_by_role("link", name="Questions 1").click()
    page.get_by_role("link", name="Which tone?").click()
    page.screenshot(path=artefacts(tmp_path) / "answer.png")
    page.get_by_label("Value Tone").select_option("WARM")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".summary .status")).to_have_text("completed")
    expect(page.locator("#call-\\.")).to_contain_text("= 'Five\\nseas, warm'")


def test_a_call_is_forked_with_an_edit(acting: str, opened: Any) -> None:
    page = opened(acting + "&tag=handled")
    page.locator("td.id a").last.click()
    page.locator("#call-1 a.call").click()
    # Once the details are those of this call.
    page.locator("#details a[href*='call=1']", has_text="fork").click()
    page.get_by_label("Value int").fill("700")
    page.get_by_role("button", name="Preview this outcome").click()
    expect(page.get_by_role("heading", name="What would run")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#call-\\.")).to_contain_text("for 700")
    expect(page.locator("#call-1")).to_contain_text("edited")


def test_a_failed_run_is_retried(acting: str, opened: Any) -> None:
    page = opened(acting + "&status=failed")
    page.locator("td.id a").click()
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".summary .status")).to_have_text("failed")
    expect(page.locator("#details")).to_contain_text("ValueError")
