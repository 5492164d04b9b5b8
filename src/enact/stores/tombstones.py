# SPDX-License-Identifier: Apache-2.0
"""What is left of a purged block: an entry that says when it went, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from enact.errors import Purged
from enact.stores.entries import Entries
from enact.values import cid_from_text, cid_text

KIND = "tombstone"
"""Of the entries; their keys are identifiers as text."""


def tombstone(when: float, why: str, *, finished: bool) -> str:
    """Writes the text of an entry.

    Args:
        when: seconds since the epoch.
        why: for people.
        finished: whether the bytes are known to be gone from the file.
    """
    fields = {"when": when, "why": why, "finished": finished}
    return json.dumps(fields, sort_keys=True)


def read_tombstone(text: str) -> dict[str, Any]:
    """Reads the text of an entry; what does not fit is left out."""
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def purged_in(entries: Entries) -> Callable[[], set[bytes]]:
    """Makes a function that reads which blocks were purged.

    It does not hold on to the backend, which is closed when nobody else does.
    """

    def read() -> set[bytes]:
        found = set()
        for key in entries.read(KIND, None):
            with suppress(ValueError):  # made up by somebody else
                found.add(cid_from_text(key))
        return found

    return read


def purged_error(cid: bytes, text: str = "") -> Purged:
    """Builds the error for a block that was purged."""
    fields = read_tombstone(text)
    message = f"block {cid_text(cid)} was purged"
    when = fields.get("when")
    if isinstance(when, (int, float)):
        message += f" on {datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M} UTC"
    if fields.get("why"):
        message += f": {fields['why']}"
    return Purged(f"{message}. Its content cannot be stored here again")
