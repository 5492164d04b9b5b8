# SPDX-License-Identifier: Apache-2.0
"""What a closed file holds per call, and for a conversation that grows."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.per_call import worker
from bench.table import Row

CALLS, PEER_CALLS = 10_000, 500
TURNS = 100
NEW_TEXT = 2 * 500 * TURNS  # characters, all of them one byte


def sizes(peer_python: Path | None) -> list[Row]:
    """Bytes after ``close()``."""

    def stored(python: Path | str, what: str, n: int) -> float:
        with worker(python) as process:
            return process.ask(what=what, store="disk", n=n)["bytes"]

    per_call = stored(sys.executable, "count", CALLS) / CALLS
    chat = stored(sys.executable, "chat", TURNS)
    per_call_note, chat_note = "", f"{chat / 1000:,.0f} KB"
    if peer_python:
        peer_size = stored(peer_python, "count", PEER_CALLS) / PEER_CALLS
        per_call_note = f"0.4.16: {peer_size:,.0f} bytes"
        peer_size = stored(peer_python, "chat", TURNS)
        chat_note += f"; 0.4.16: {peer_size / 1000:,.0f} KB"
    what = f"chat of {TURNS} turns, stored / new text"
    return [
        Row("int -> int, per call", per_call, "bytes", 700, note=per_call_note),
        Row(what, chat / NEW_TEXT, "x", 2.0, note=chat_note),
    ]
