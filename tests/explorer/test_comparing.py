# SPDX-License-Identifier: Apache-2.0
"""Runs beside each other, branches of a request, and what searches tried."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

import enact
from tests.explorer.conftest import Client
from tests.explorer.test_pages import text_of


@pytest.fixture
def handled(recorded: Path) -> list[str]:
    """A run, its replay, and the replay of an edit, oldest first."""
    with enact.open_store(recorded, read_only=True) as store:
        found = [run.id for run in store.runs(name="shop_app:handle")]
    store.close()
    return found[::-1]


def test_two_runs_are_aligned(looking: Client, handled: list[str]) -> None:
    first, _, edited = handled
    page = looking.page("/compare", before=first, after=edited)
    told = text_of(page)
    assert "= 1 equal call" in told  # `refuse` is folded
    assert re.search(r'class="removed">-6\s*</span>', page)
    assert re.search(r'class="added">\+70\s*</span>', page)
    assert "calls that ran" in told
    assert "They are equal" in looking.page("/compare", before=first, after=first)


def test_the_list_compares_what_is_ticked(looking: Client, handled: list[str]) -> None:
    first, _, edited = handled
    headers = {"host": "127.0.0.1:7000", "cookie": "enact-7000=" + "t" * 32}
    page = looking.send("GET", "/compare", headers, f"run={edited}&run={first}").text
    (before,) = re.findall('name="before" value="(.*?)"', page)
    assert before == first
    one = looking.send("GET", "/compare", headers, f"run={edited}").text
    assert "choose two runs to compare, not 1" in one


@pytest.mark.parametrize("name", ["nothing", "<script>", "@latest/99"])
def test_what_cannot_be_compared(looking: Client, name: str) -> None:
    answer = looking.get("/compare", before=name, after="handled")
    assert answer.status == 404 and "<script>" not in answer.text


def test_tags_and_calls_are_compared_by_name(looking: Client) -> None:
    page = looking.page("/compare", before="handled/1", after="many/4")
    assert "price(3) = 6" in text_of(page) and "price(4) = 8" in text_of(page)


def test_branches_are_below_what_they_branch_from(
    looking: Client, handled: list[str]
) -> None:
    page = looking.page(f"/run/{handled[1]}/branches")
    rows = re.findall(r'level-(\d)">.*?href="/run/([0-9a-f]+)"', page)
    assert rows == [("0", handled[0]), ("1", handled[1]), ("1", handled[2])]
    assert "replay: 1 edited" in text_of(page) or "replay" in text_of(page)


def search_page(client: Client, path: Path) -> str:
    with enact.open_store(path, read_only=True) as store:
        run = store.runs(name="enact/search")[0]
    store.close()
    return client.page(f"/run/{run.id}/search")


def test_a_search_is_shown_without_its_types(looking: Client, recorded: Path) -> None:
    page = search_page(looking, recorded)
    told = text_of(page)
    assert "Score over calls spent" in told
    scores = [float(s) for s in re.findall(r"<td class=\"number\">([\d.]+)</td>", page)]
    outcomes = re.findall(r"= &#39;(x*)&#39;", page)
    assert sorted(scores) == sorted(float(len(text)) for text in outcomes)
    assert f"best {max(scores):g}" in told


def test_the_way_to_the_best_is_marked(page_of: Any, tmp_path: Path) -> None:
    @enact.register(name="page/digit")
    def digit() -> int:
        return int(enact.random().random() * 10)

    @enact.register(name="page/number")
    def number() -> int:
        total = 0
        for _ in range(3):
            total += digit()
            enact.score(total)
        return total

    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        found = enact.search.run(number, strategy="beam(width=2, expand=3)")
        best, output = found.best.invocation.ref.id, found.best.output
    store.close()
    page = html.unescape(
        search_page(page_of(tmp_path / "runs.db"), tmp_path / "runs.db")
    )
    way = re.findall(r'<tr class="here">.*?</tr>', page, re.DOTALL)
    assert way and f"/ref/{best}" in way[-1] and f"= {output}" in way[-1]
    assert page.count("<circle") > 6


def test_a_run_that_is_no_search(looking: Client, handled: list[str]) -> None:
    assert looking.get(f"/run/{handled[0]}/search").status == 404
