# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser, as people use it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from enact.cli import main
from tests.explorer import browsing
from tests.explorer.browsing import NARROW, artefacts, go, no_wider_than_the_screen

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = browsing.NEEDS_CHROMIUM
expect = sync_api.expect


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
    expect(nodes.nth(3)).to_contain_text("shop_app:price")
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


def test_questions_are_answered(acting: str, opened: Any, tmp_path: Path) -> None:
    page = opened(acting)
    page.get_by_role("link", name="Questions 1").click()
    page.get_by_role("link", name="Title?").click()
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


def test_images_and_several_answers_at_once(
    acting: str, opened: Any, tmp_path: Path
) -> None:
    code = """
import enact, shop_app
with enact.SQLiteStore("runs.db") as store:
    enact.invoke(shop_app.draws, ("sea",))
    enact.invoke(shop_app.draws, ("sky",))
store.close()
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "sky.gif").write_bytes(b"GIF89a" + b"\x01\x00" * 8)
    (tmp_path / "no.gif").write_text("<script>document.title='ran'</script>")
    page = opened(acting, quiet=False)  # a 422 is told there
    page.get_by_role("link", name="Questions 3").click()
    page.get_by_role("button", name="Answer together").click()
    asked = page.locator("section.asked")
    expect(asked).to_have_count(3)
    asked.nth(0).get_by_label("Value str").fill("Five seas")
    asked.nth(1).get_by_label("Accept as it is").check()
    expect(asked.nth(1).locator("input[type=file]")).to_be_hidden()
    expect(asked.nth(1).locator("img")).to_be_visible()
    asked.nth(2).locator("input[type=file]").set_input_files(tmp_path / "no.gif")
    page.screenshot(path=artefacts(tmp_path) / "answers.png", full_page=True)
    page.get_by_role("button", name="Send 3 answers").click()
    expect(asked).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("no image that is known here")
    assert page.title() != "ran"
    asked.locator("input[type=file]").set_input_files(tmp_path / "sky.gif")
    page.get_by_role("button", name="Send 1 answer").click()
    page.get_by_role("link", name="Runs").click()
    page.get_by_label("Function").fill("draws")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.locator(".status.completed")).to_have_count(2)
    rows.nth(0).locator("td.id a").click()
    expect(page.locator("#details img").first).to_have_attribute(
        "src", re.compile("^data:image/gif;base64,R0lGODlh")
    )
    expect(page.get_by_role("link", name="Questions 1")).to_be_visible()


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
