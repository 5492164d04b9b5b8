# SPDX-License-Identifier: Apache-2.0
"""How soon a store with very many calls is on the screen: in a terminal, in a browser.

One run of ``n`` calls, all made by one call, which is the worst case for a tree.
Commands are whole processes. In the browser a step ends when what it shows is there.
The memory is that of the process in which the page is, as browsers tell it of a tab.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.flat import run_child
from bench.table import Row

BAR = 1.0
MEMORY = 300.0
COMMANDS = (["log"], ["show", "--depth", "2"], ["calls", "-n", "20"], ["status"])


def page(n: int, passes: int) -> list[Row]:
    """Figures of a store with a run of ``n`` calls."""
    with tempfile.TemporaryDirectory(prefix="enact-bench-") as directory:
        path = Path(directory, "flat.db")
        run_child("record", "sqlite", path, n)
        rows = [_command(command, path, passes) for command in COMMANDS]
        reason = _lacking()
        if reason is not None:
            return [*rows, Row(f"   no browser: {reason}", 0.0, "s")]
        return rows + _browser(path, n, passes)


def _command(command: list[str], path: Path, passes: int) -> Row:
    taken = []
    for _ in range(passes):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "enact", *command, "--store", str(path)],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        taken.append(time.perf_counter() - start)
    return Row(f"enact {' '.join(command)}", median(taken), "s", BAR)


def _lacking() -> str | None:
    for name in ("fastapi", "playwright"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed here"
    return None if shutil.which("chromium") else "there is no chromium on the PATH"


@contextmanager
def _served(path: Path) -> Iterator[str]:
    """The address of the page, served by the command."""
    command = [sys.executable, "-m", "enact", "ui", str(path), "--port", "0",
               "--no-open", "--json"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
        try:
            yield str(told["url"])
        finally:
            server.terminate()


def _browser(path: Path, n: int, passes: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-dev-shm-usage"]  # fmt: skip
    taken: dict[str, list[float]] = {}
    memory = whole = empty = 0.0
    with _served(path) as url, sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        try:
            empty = _memory()
            for _ in range(passes):
                tab = browser.new_page()
                tab.set_default_timeout(60_000)
                for what, step in _steps(tab, url, n):
                    start = time.perf_counter()
                    step()
                    taken.setdefault(what, []).append(time.perf_counter() - start)
                memory = max(memory, _memory("--type=renderer"))
                whole = max(whole, _memory())
                tab.close()
        finally:
            browser.close()
    rows = [Row(what, median(times), "s", BAR) for what, times in taken.items()]
    note = f"all of the browser: {whole:.0f} MB, {empty:.0f} MB without a page"
    return [*rows, Row("page: memory of the tab", memory, "MB", MEMORY, note=note)]


def _steps(tab: Any, url: str, n: int) -> list[tuple[str, Callable[[], Any]]]:
    lines = tab.locator("[role=treeitem]")
    found: dict[str, str] = {}

    def opened() -> None:
        tab.locator("td.id a").click()
        lines.nth(50).wait_for()
        found["run"] = re.sub(r"\?.*", "", tab.url)

    def gone_to(index: int) -> Callable[[], None]:
        def go() -> None:
            tab.goto(f"{found['run']}?call={index}")
            tab.locator(f"[id='call-{index}']").wait_for()
            tab.locator("#details a.path", has_text=str(index)).first.wait_for()

        return go

    def searched(name: str) -> Callable[[], None]:
        def search() -> None:
            tab.locator(".find input").fill(name)
            tab.keyboard.press("Enter")
            tab.wait_for_url(re.compile(f"/log.*{name}"))
            tab.locator("tbody tr, .empty").first.wait_for()

        return search

    return [
        ("page: list of runs", lambda: tab.goto(url)),
        ("page: open the run", opened),
        ("page: fold and unfold", lambda: _fold(tab, lines)),
        ("page: the next 100", lambda: (
            tab.locator(".more a").click(), lines.nth(150).wait_for()
        )),
        ("page: the details of a call", lambda: (
            tab.locator("[id='call-7'] a.call").click(),
            tab.locator("#details a.path", has_text="7").first.wait_for(),
        )),
        ("page: the last call", gone_to(n - 1)),
        ("page: the call in the middle", gone_to(n // 2)),
        ("page: search, found", searched("leaf")),
        ("page: search, not there", searched("nothing")),
        ("page: timeline", lambda: (
            tab.get_by_role("link", name="Timeline").click(),
            tab.locator("svg.timeline").wait_for(),
        )),
    ]  # fmt: skip


def _fold(tab: Any, lines: Any) -> None:
    fold = tab.locator("a.fold").first
    fold.click()
    lines.nth(1).wait_for(state="detached")
    fold.click()
    lines.nth(100).wait_for()


def _memory(kind: str = "") -> float:
    """What processes of the browser take together, in MB; what they share once.

    Args:
        kind: a word of their command line; all if it is empty.
    """
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            begin, _, rest = stat.read_text().partition(" (")
            parents[int(begin)] = int(rest.rpartition(") ")[2].split()[1])
        except OSError:  # it has ended
            continue
    total = 0
    for number in parents:
        above = number
        while above in parents and above != os.getpid():
            above = parents[above]
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes()
            if above != os.getpid() or b"chrom" not in command.partition(b"\0")[0]:
                continue
            if kind.encode() not in command:
                continue
            rollup = Path(f"/proc/{number}/smaps_rollup").read_text()
        except OSError:
            continue
        found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1000
