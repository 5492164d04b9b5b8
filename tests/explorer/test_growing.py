# SPDX-License-Identifier: Apache-2.0
"""Large runs that go on have a tree as well, which grows."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import enact
from enact.explorer import scope
from enact.explorer.growing import Growing
from tests.explorer.conftest import Client
from tests.explorer.test_pages import text_of

GO = threading.Event()
REACHED = threading.Event()


@enact.register(name="grow/leaf")
def leaf(n: int) -> int:
    if n < 0:
        REACHED.set()
        assert GO.wait(30)
    return n


@enact.register(name="grow/branch")
def branch(n: int) -> int:
    return sum(leaf(i) for i in range(n % 4)) + (leaf(-1) if n == 249 else 0)


@enact.register(name="grow/tree")
def tree(n: int) -> int:
    return sum(branch(i) for i in range(n))


Paused = tuple[Client, str, enact.SQLiteStore, Callable[[], None]]


@pytest.fixture
def paused(
    page_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Paused]:
    """A run in the middle, that is called large; and what lets it go on."""
    monkeypatch.setattr(scope, "MOST_LIVE", 300)
    GO.clear()
    REACHED.clear()
    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        thread = threading.Thread(target=run, args=(store,))
        thread.start()
        assert REACHED.wait(20)
        client = page_of(tmp_path / "runs.db")
        path = f"/run/{store.runs()[0].id}"
        while "624 calls" not in text_of(client.page(path)):  # it is written soon
            time.sleep(0.02)

        def end() -> None:
            GO.set()
            thread.join(20)

        try:
            yield client, path, store, end
        finally:
            end()
    store.close()


def run(store: enact.SQLiteStore) -> None:
    with store:
        enact.invoke(tree, (250,))


def paths(page: str) -> list[str]:
    return re.findall(r'id="call-([\d.]+)"', page)


def test_the_newest_calls_are_shown_and_what_goes_on(paused: Paused) -> None:
    client, run, _, end = paused
    page = client.page(run)
    assert paths(page) == [
        ".", *(str(n) for n in range(150, 250)), "249.0",
    ]  # fmt: skip
    assert "150 before these" in page and "branch(248) = 0" in text_of(page)
    assert 'id="pulse"' in page and "624 calls" in text_of(page)
    (link,) = re.findall(r'href="([^"]*start=[^"]*)"', page)
    start = link.rpartition("start=")[2].replace("%7E", "~")
    before = client.page(run, start=start)
    assert paths(before)[:2] == [".", "50"] and "100 more" in before
    assert paths(client.page(run, open=".,247", call="247.2"))[-5:-2] == [
        "247.0", "247.1", "247.2",
    ]  # fmt: skip
    assert "leaf(2) = 2" in text_of(client.page(f"{run}/lines", at="247"))
    assert paths(client.page(run, call="3.1"))[:6] == [
        ".",
        "3",
        "3.0",
        "3.1",
        "3.2",
        "4",
    ]
    end()
    page = client.page(run)
    assert "completed" in page and 'id="pulse"' not in page and paths(page)[1] == "0"


def test_details_of_what_ended_and_of_what_goes_on(paused: Paused) -> None:
    client, run, _, _ = paused
    ended = client.page(f"{run}/details", call="7.2")
    assert "grow/leaf" in ended and "completed" in ended and ">7<" not in ended
    assert f"{run}?call=7.1" in ended
    going = text_of(client.page(f"{run}/details", call="249"))
    assert "running" in going and "249" in going
    assert client.get(f"{run}/details", call="249.1").status == 404
    assert client.get(f"{run}/details", call="250").status == 404
    assert "return n" in client.page(f"{run}/source", call="3.0")
    assert client.get(f"{run}/source", call="249").status == 404
    for view in ("timeline", "log", "branches"):
        assert client.get(f"{run}/{view}").status == 200
    assert client.get(f"{run}/timeline", call="3").status == 200


def test_calls_are_found_by_their_paths(paused: Paused) -> None:
    _, path, store, _ = paused
    growing = Growing(store, store.run(path.rpartition("/")[2]))
    rows = {row.number: row for row in store.backend.calls(run=store.runs()[0].id)}
    for row in list(rows.values())[::13]:
        indices = []
        one = row
        while one.parent is not None:
            indices.append(one.index)
            one = rows[one.parent]
        assert growing.at(tuple(reversed(indices))).number == row.number
