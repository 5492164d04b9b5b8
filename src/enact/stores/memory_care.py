# SPDX-License-Identifier: Apache-2.0
"""Looking after a store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from enact.errors import EnactError
from enact.stores.backend import CallRow, RunRow
from enact.stores.care import Report
from enact.stores.roots import cids_in, of_call, of_run
from enact.stores.tombstones import KIND as TOMBSTONE
from enact.values import check_block, cid_of, cid_text, links

Entries = Mapping[tuple[str, str], str]


def check_memory(
    blocks: Mapping[bytes, bytes],
    runs: Iterable[RunRow],
    calls: Iterable[CallRow],
    entries: Entries,
) -> Report:
    """Looks at everything; see `Care.check`."""
    report = Report("memory", blocks=len(blocks), entries=len(entries))
    purged = {key for kind, key in entries if kind == TOMBSTONE}
    missing: set[bytes] = set()

    def need(cids: Iterable[bytes], who: str) -> None:
        for cid in cids:
            text = cid_text(cid)
            if cid not in blocks and text not in purged and cid not in missing:
                missing.add(cid)
                report.add("missing", text, f"{who} needs it")

    for cid, data in blocks.items():
        where = cid_text(cid)
        if cid_of(data) != cid:
            report.add("block", where, "its bytes do not have its hash")
        try:
            check_block(data)
            need(links(data), f"block {where}")
        except EnactError as error:
            report.add("block", where, str(error))
    for run in runs:
        report.runs += 1
        need(of_run(run), f"run {run.id}")
    for call in calls:
        report.calls += 1
        need(of_call(call), f"call {call.number} of run {call.run}")
    for (kind, key), text in entries.items():
        if kind != TOMBSTONE:
            need(cids_in(text), f"entry {kind} {key}")
    return report


def needed_in_memory(
    blocks: Mapping[bytes, bytes],
    runs: Iterable[RunRow],
    calls: Iterable[CallRow],
    entries: Entries,
) -> set[bytes]:
    """Lists the blocks that rows and entries lead to."""
    waiting: list[bytes] = []
    for cids in (*map(of_run, runs), *map(of_call, calls)):
        waiting += cids
    for (kind, _), text in entries.items():
        if kind != TOMBSTONE:
            waiting += cids_in(text)
    found: set[bytes] = set()
    while waiting:
        cid = waiting.pop()
        if cid not in found and cid in blocks:
            found.add(cid)
            try:
                waiting += links(blocks[cid])
            except EnactError:
                pass  # not of ours: it names nothing that could be followed
    return found
