# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: every figure beside its bar; ``--help`` lists the options."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path

from bench import (
    concurrency,
    durable,
    flat,
    idle,
    load,
    page,
    per_call,
    search,
    size,
)
from bench.table import Row, show

ROOT = Path(__file__).parents[1]
PARTS = (
    "calls", "idle", "size", "flat", "load", "page", "search", "durable",
    "concurrency",
)  # fmt: skip


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"out of {', '.join(PARTS)}; else all")
    parser.add_argument("-n", type=int, default=1000, help="leaf calls per pass")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--long", action="store_true", help="runs of 1,000,000 calls")
    parser.add_argument("--no-peer", action="store_true", help="without enact 0.4.16")
    parser.add_argument("--check", action="store_true", help="fail if a bar is missed")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def main() -> int:
    """Runs what was asked for; 1 if a bar was missed and ``--check`` given."""
    options = arguments()
    peer = ROOT / ".venv-bench-peer" / "bin" / "python"
    peer_python = peer if peer.exists() and not options.no_peer else None
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, medians")
    wanted = options.parts or PARTS
    rows: list[Row] = []

    def part(name: str, title: str, measure: Callable[[], list[Row]]) -> None:
        if name in wanted:
            found = measure()
            show(title, found)
            rows.extend(found)

    n, passes = options.n, options.passes
    long, long_passes = (1_000_000, 1) if options.long else (100_000, 3)
    part("idle", "Nothing is recorded", lambda: idle.outside(peer_python, passes))
    part("idle", "Import", lambda: idle.import_time(peer_python, 2 * passes))
    part("calls", "Floors", lambda: per_call.floors(20_000, passes))
    part(
        "calls",
        f"One root, {n:,} leaf calls",
        lambda: per_call.calls(peer_python, n, passes),
    )
    part("size", "On disk after close()", lambda: size.sizes(peer_python))
    part("flat", "Long runs", lambda: flat.flatness(long, long_passes))
    part("load", "Many at once", load.load)
    part("page", f"A store with {long:,} calls", lambda: page.page(long, long_passes))
    part(
        "search",
        "Searches",
        lambda: search.searches(options.long, peer_python, passes),
    )
    if "durable" in wanted:
        rows.extend(durable.tables(n, max(1, passes * 3 // 5)))
    if "concurrency" in wanted:
        rows.extend(concurrency.table())
    missed = [row for row in rows if not row.kept]
    with_bar = sum(row.bar is not None for row in rows)
    print(f"\n{with_bar - len(missed)} of {with_bar} bars kept.")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
