# SPDX-License-Identifier: Apache-2.0
"""Every page as axe sees it, and as people do: wide and narrow, light and dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import enact
from tests.explorer import browsing
from tests.explorer.browsing import artefacts, go, no_wider_than_the_screen

pytestmark = browsing.NEEDS_CHROMIUM
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
)

LOOKS = {
    "wide-light": {"viewport": browsing.WIDE, "color_scheme": "light"},
    "wide-dark": {"viewport": browsing.WIDE, "color_scheme": "dark"},
    "narrow-light": {"viewport": browsing.NARROW, "color_scheme": "light"},
    "narrow-dark": {"viewport": browsing.NARROW, "color_scheme": "dark"},
}
CHECKED = ("wide-light", "narrow-dark")


@pytest.fixture
def pages(recorded: Path) -> dict[str, str]:
    """Addresses of all kinds of pages, by what they are called."""
    with enact.open_store(recorded, read_only=True) as store:
        runs = {run.name.rpartition(":")[2]: run.id for run in store.runs()[::-1]}
        handled = [run.id for run in store.runs(name="shop_app:handle")][::-1]
        tags = {tag: store.runs(tag=tag)[0].id for tag in ("chat", "values")}
        call = store.run(handled[0]).invocation
        assert call is not None
        value = call.response.id
    store.close()
    asks, search = runs["asks"], runs["enact/search"]
    return {
        "runs": "/",
        "sorted": "/?sort=usd",
        "tree": f"/run/{handled[2]}?call=1",
        "chat": f"/run/{tags['chat']}",
        "values": f"/run/{tags['values']}",
        "failed": f"/run/{runs['broken']}?call=1",
        "timeline": f"/run/{runs['tasks']}/timeline",
        "log": f"/run/{runs['many']}/log",
        "branches": f"/run/{handled[0]}/branches",
        "search": f"/run/{search}/search",
        "compare": f"/compare?before={handled[0]}&after={handled[2]}",
        "source": f"/run/{handled[0]}/source",
        "value": f"/ref/{value}",
        "questions": "/questions",
        "answer": f"/run/{asks}/answer?call=0",
        "answers": "/questions/answer",
        "fork": f"/run/{handled[0]}/fork?call=1",
        "nothing": "/nothing",
    }


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(look, marks=[] if look in CHECKED else [pytest.mark.soak])
        for look in LOOKS
    ],
)
def test_axe_finds_nothing_and_nothing_is_too_wide(
    opened: Any, acting: str, pages: dict[str, str], look: str, tmp_path: Path
) -> None:
    page = opened(acting, bypass_csp=True, quiet=False, **LOOKS[look])
    found = []
    for name, path in pages.items():
        go(page, path)
        page.screenshot(path=artefacts(tmp_path) / f"{name}-{look}.png")
        assert no_wider_than_the_screen(page), path
        if look in CHECKED:
            found += [
                (name, one["id"], one["impact"], one["nodes"][0]["html"][:200])
                for one in axe.Axe().run(page).response["violations"]
            ]
    assert found == []


def test_every_page_is_walked_by_keys(opened: Any, acting: str) -> None:
    page = opened(acting + "&tag=many")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the content"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href') ?? ''"))
    assert any(re.fullmatch("/run/[0-9a-f]+", one) for one in seen)
    page.locator("td.id a").focus()
    page.keyboard.press("Enter")
    page.get_by_role("treeitem").first.focus()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.wait_for_url(re.compile("call=1"))
    page.locator("#details a.path", has_text=re.compile("^1$")).wait_for()
    page.keyboard.press("n")
    page.wait_for_url(re.compile("call=2#call-2"))
    assert page.locator(":focus").get_attribute("id") == "call-2"
