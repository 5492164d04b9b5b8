# SPDX-License-Identifier: Apache-2.0
"""What the pages show, as they come from the server: also without JavaScript."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

import enact
from tests.explorer.conftest import Client

ROWS = re.compile(r'<tr id="run-([0-9a-f]+)">')


def text_of(page: str) -> str:
    """What a person reads."""
    words = html.unescape(re.sub(r"<[^>]+>", " ", page))
    return re.sub(r"\s+", " ", words)


def lines_of(page: str) -> list[str]:
    return re.findall(r'data-path="([^"]+)"', page)


@pytest.fixture
def tagged(looking: Client, recorded: Path) -> Any:
    """Paths of the pages of runs, by tag."""
    with enact.open_store(recorded, read_only=True) as store:
        names = store.tags()
        runs = {name: f"/run/{store.runs(tag=name)[-1].id}" for name in names}
    store.close()
    return runs


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 12),
        ({"all": "1"}, 17),
        ({"name": "handle"}, 3),
        ({"name": "h*"}, 4),
        ({"status": "failed"}, 1),
        ({"status": "parked"}, 1),
        ({"tag": "many"}, 1),
        ({"text": "for 70"}, 1),
        ({"since": "1h"}, 12),
        ({"until": "2020-01-01"}, 0),
        ({"limit": "5"}, 5),
    ],
)
def test_runs_are_listed_and_filtered(
    looking: Client, query: dict[str, str], count: int
) -> None:
    page = looking.page("/", **query)
    assert len(ROWS.findall(page)) == count
    for key, value in query.items():
        if key != "limit":
            assert re.search(rf'{value}"|<option selected>{value}', html.unescape(page))


@pytest.mark.parametrize(
    "query", [{"since": "soon"}, {"status": "odd"}, {"tag": "nobody"}, {"limit": "x"}]
)
def test_filters_that_make_no_sense(looking: Client, query: dict[str, str]) -> None:
    page = looking.page("/", **query)
    assert ('role="alert"' in page) != (query == {"limit": "x"})


def test_a_tree_shows_calls_with_what_came_of_them(
    looking: Client, tagged: dict[str, str]
) -> None:
    page = looking.page(tagged["handled"])
    assert lines_of(page) == [".", "0", "1"]
    told = text_of(page)
    assert "refuse(Order(note='tea', amount=3))" in told
    assert "raised ValueError: no tea\\nfor 3" in told
    assert "price(3) = 6" in told and "model m-1, usd 0.5" in told
    assert 'role="tree"' in page and 'aria-level="2"' in page


def test_a_tree_folds_and_unfolds_by_links(
    looking: Client, tagged: dict[str, str]
) -> None:
    base = tagged["handled"]
    (fold,) = re.findall(r'class="fold"[^>]*href="([^"]+)"', looking.page(base))
    path, _, query = html.unescape(fold).partition("?")
    assert path == base
    key, _, value = query.partition("=")
    folded = looking.page(path, **{key: value})
    assert lines_of(folded) == ["."]
    assert lines_of(looking.page(base, open=".")) == [".", "0", "1"]


def test_large_trees_come_in_pages(looking: Client, tagged: dict[str, str]) -> None:
    base = tagged["many"]
    page = looking.page(base)
    assert len(lines_of(page)) == 101
    assert "200 more" in text_of(page)
    part = looking.page(f"{base}/lines", at=".", start=200)
    assert lines_of(part) == [str(n) for n in range(200, 300)]
    assert "200 before these" in text_of(part)
    assert lines_of(looking.page(base, call="250"))[-1] == "299"


def test_deep_trees(looking: Client, tagged: dict[str, str]) -> None:
    path = ".".join("0" * 30)
    page = looking.page(tagged["nest"], call=path)
    assert lines_of(page)[-1] == path
    assert "nest(0) = 0" in text_of(page)


def test_details_of_a_call(looking: Client, tagged: dict[str, str]) -> None:
    told = text_of(looking.page(f"{tagged['handled']}/details", call="0"))
    assert "refuse failed" in told
    assert "ValueError: no tea for 3" in told and "Traceback" in told
    assert "in refuse" in told
    told = text_of(looking.page(f"{tagged['handled']}/details", call="1"))
    assert "usage usd 0.5, model m-1" in told or "usage model m-1, usd 0.5" in told
    assert "up before" in told


def test_values_are_shown_by_what_they_are(
    looking: Client, tagged: dict[str, str]
) -> None:
    page = looking.page(tagged["values"])
    assert '<img src="data:image/png;base64,' in page
    assert "<th>sea</th><th>depth</th>" in page and "<td>Baltic</td>" in page
    assert '<div class="text">Two\nlines</div>' in page
    assert '<pre class="code" tabindex="0">def solve(n):' in page
    assert "[redacted:openai-key]" in page and "sk-proj-abc" not in page
    assert "80,000 more characters" in page
    chat = looking.page(tagged["chat"])
    assert re.findall('class="role">(.*?)<', chat) == ["assistant", "system", "user"]


def test_every_link_on_the_pages_leads_somewhere(
    looking: Client, tagged: dict[str, str]
) -> None:
    """Also those that htmx follows; nothing is linked that is not here."""
    todo, seen = ["/", *tagged.values()], set[str]()
    while todo:
        link = todo.pop()
        seen.add(link)
        path, _, query = link.partition("?")
        if len(seen) > 400:
            continue
        headers = {"host": "127.0.0.1:7000", "cookie": "enact-7000=" + "t" * 32}
        answer = looking.send("GET", path, headers, query)
        if path.endswith("/step"):
            todo.append(answer.headers["location"].partition("#")[0])
            continue
        assert answer.status == 200, (link, answer.text[-300:])
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        found = re.findall(r'(?:href|src|hx-get|action)="([^"#]+)"', answer.text)
        for one in map(html.unescape, found):
            if one.startswith("data:image/"):
                continue
            assert one.startswith("/"), one
            if one not in seen and one not in todo:
                todo.append(one)
    assert len(seen) > 300


def test_values_and_calls_have_pages_of_their_own(
    looking: Client, recorded: Path
) -> None:
    with enact.open_store(recorded, read_only=True) as store:
        run = store.runs(tag="values")[0]
        assert run.invocation is not None
        call, output = run.invocation.ref.id, run.invocation.response.cid
        whole = enact.Ref(run.invocation._recorded().output).id
    store.close()
    assert 'data-path="."' in looking.page(f"/ref/{call}")
    assert len(looking.page(f"/ref/{whole}")) > 100_000
    raw = looking.get(f"/ref/{whole}/raw")
    assert raw.headers["content-type"] == "application/json"
    assert "[redacted:openai-key]" in raw.text and len(raw.text) > 100_000
    assert output


def test_the_code_that_ran(looking: Client, tagged: dict[str, str]) -> None:
    page = looking.page(f"{tagged['handled']}/source", call="0")
    assert "raise ValueError(f" in html.unescape(page)


def test_the_log_has_all_calls_in_order(
    looking: Client, tagged: dict[str, str]
) -> None:
    base = f"{tagged['many']}/log"
    page = looking.page(base)
    paths = re.findall(r'class="path"><a[^>]*>([^<]+)<', page)
    assert paths == [".", *map(str, range(199))]
    later = looking.page(base, start=200)
    assert len(re.findall(r'class="path"><a', later)) == 101
    assert re.findall(r'class="path"><a[^>]*>([^<]+)<', later)[-1] == "299"
    assert "No call fits" in looking.page(base, status="failed")
    assert len(re.findall(r'class="path"><a', looking.page(base, name="many"))) == 1
    failed = looking.page(f"{tagged['handled']}/log", status="failed", name="refuse")
    assert failed.count('class="path"><a') == 1


def test_the_log_of_a_replay_has_what_was_answered(
    looking: Client, recorded: Path
) -> None:
    with enact.open_store(recorded, read_only=True) as store:
        replayed = store.runs(name="shop_app:handle")[0]
    store.close()
    told = text_of(looking.page(f"/run/{replayed.id}/log"))
    assert "refuse(" in told and "edited" in told


def test_the_timeline_has_lanes_in_rows(looking: Client, recorded: Path) -> None:
    with enact.open_store(recorded, read_only=True) as store:
        run = store.runs(name="shop_app:tasks")[0]
    store.close()
    page = looking.page(f"/run/{run.id}/timeline")
    rows = re.findall(r'class="hue-\d completed"[^>]* y="(\d+)"', page)
    assert len(rows) == 4 and len(set(rows)) == 4
    assert "part: completed" in page and ", lane 2" in page


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/run/00", {}, 404),
        ("/ref/bafyrei", {}, 404),
        ("/ref/nothing", {}, 404),
        ("/odd/00/lines", {}, 404),
        ("{many}", {"call": "x"}, 404),
        ("{many}/details", {"call": "999"}, 404),
        ("{many}/lines", {"at": "0.0.0"}, 404),
        ("{many}", {"open": "0.x"}, 404),
        ("{many}", {"start": ".~99999999"}, 200),
        ("{many}/log", {"start": "99999999"}, 200),
        ("{many}", {"call": "1" * 9}, 200),
    ],
)
def test_addresses_that_lead_nowhere(
    looking: Client, tagged: dict[str, str], path: str, query: Any, status: int
) -> None:
    answer = looking.get(path.format(**tagged), **query)
    assert answer.status == status
    assert "Traceback" not in answer.text


def test_a_run_that_goes_on_is_followed(page_of: Any, tmp_path: Path) -> None:
    """Its calls are there as they end; the page asks again until the run has ended."""

    @enact.register(name="page/step")
    def step(n: int) -> int:
        return n

    @enact.register(name="page/work")
    def work() -> str:
        store = enact.open_store(tmp_path / "runs.db", read_only=True)
        (run,) = store.runs()
        store.close()
        pages.append(client.page(f"/run/{run.id}"))
        step(7)
        pages.append(client.page(f"/run/{run.id}/live"))
        pages.append(client.page("/", status="running"))
        pages.append(client.page(f"/run/{run.id}/timeline"))
        pages.append(client.page(f"/run/{run.id}/log"))
        return run.id

    pages: list[str] = []
    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        client = page_of(tmp_path / "runs.db")
        assert "No runs yet" in client.page("/")
        inv = enact.invoke(work)
        path = f"/run/{inv.output}"
        ended = client.page(path)
    store.close()
    first, second, listed, timeline, log = pages
    assert 'id="pulse"' in first and lines_of(first) == ["."]
    assert lines_of(second) == [".", "0"]
    assert len(ROWS.findall(listed)) == 1
    assert "step: completed" in timeline and "step(7) = 7" in text_of(log)
    assert 'id="pulse"' not in ended and "step(7) = 7" in text_of(ended)
    assert "step(7) = 7" in text_of(client.page(path))


def test_a_damaged_store_is_told_on_the_page(
    page_of: Any, recorded: Path, tmp_path: Path
) -> None:
    with enact.open_store(recorded, read_only=True) as store:
        run = store.runs(tag="many")[-1].id
    store.close()
    damaged = tmp_path / "runs.db"
    data = recorded.read_bytes()
    assert run.encode() in data
    damaged.write_bytes(data.replace(b"shop_app:many", b"shop_app:mamy"))
    answer = page_of(damaged).get(f"/run/{run}")
    assert answer.status == 500
    assert "is damaged: it does not have its checksum any more" in answer.text
    assert page_of(damaged).get("/").status == 500


def test_a_store_that_is_taken_away_and_put_back(
    page_of: Any, recorded: Path, tmp_path: Path
) -> None:
    path, away = tmp_path / "runs.db", tmp_path / "away.db"
    path.write_bytes(recorded.read_bytes())
    client = page_of(path)
    assert client.get("/").status == 200
    path.rename(away)
    gone = client.get("/")
    assert gone.status == 409 and "runs.db" in gone.text
    away.rename(path)
    assert client.get("/").status == 200


def test_runs_are_sorted_by_what_they_took_and_used(page_of, tmp_path: Path) -> None:
    @enact.register(name="page/spend")
    def spend(usd: float) -> float:
        if usd:
            enact.annotate(usd=usd, tokens=int(usd * 100))
        return usd

    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        for usd in (0.5, 2.0, 0.0, 1.0):
            enact.invoke(spend, (usd,))
    store.close()
    client = page_of(tmp_path / "runs.db")

    def order(sort: str) -> list[str]:
        return re.findall(r"spend\(([\d.]+)\)", text_of(client.page("/", sort=sort)))

    assert order("") == ["1.0", "0.0", "2.0", "0.5"]
    assert order("usd") == ["2.0", "1.0", "0.5", "0.0"]
    assert order("-tokens") == ["0.5", "1.0", "2.0", "0.0"]
    assert order("-started") == ["0.5", "2.0", "0.0", "1.0"]
    page = client.page("/", sort="usd", name="spend")
    assert "name=spend&amp;sort=-usd" in page and 'aria-sort="descending"' in page
    assert ">200</td>" in page and ">tokens</a></th>" in page


def test_stepping_along_calls_of_one_function(looking: Client, recorded: Path) -> None:
    with enact.open_store(recorded, read_only=True) as store:
        runs = {run.name.rpartition(":")[2]: run.id for run in store.runs()[::-1]}
    store.close()

    def step(run: str, call: str, to: str, **more: str) -> str:
        answer = looking.get(f"/run/{runs[run]}/step", call=call, to=to, **more)
        return answer.headers.get("location", str(answer.status)).partition("?")[2]

    assert step("many", "3", "next") == "call=4#call-4"
    assert step("many", "3", "before") == "call=2#call-2"
    assert step("many", "0", "before") == "call=0#call-0"  # the first stays
    assert step("many", "299", "next") == "call=299#call-299"
    assert (
        step("nest", "0.0", "next", open=".")
        == "open=.%2C0%2C0.0&call=0.0.0#call-0.0.0"
    )
    assert step("nest", "0.0", "before") == "call=0#call-0"
