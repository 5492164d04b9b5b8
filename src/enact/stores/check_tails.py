# SPDX-License-Identifier: Apache-2.0
"""Looking at the tails beside a SQLite store."""

from __future__ import annotations

import os
import time

from enact.stores.care import Report
from enact.stores.opened import Opened
from enact.stores.tail import HEADER_BYTES, MAGIC, decode_records, is_cut_short

_TRIES = 5
_PAUSE_SECONDS = 0.05


def check_tails(store: Opened, report: Report) -> None:
    """Notes tails that are damaged or cannot be read.

    The last record of a tail may be in the middle of being written; one that is all
    there and does not have its checksum is at fault.
    """
    directory, name = os.path.split(store.path)
    try:
        names = sorted(os.listdir(directory or "."))
    except OSError as error:
        report.add("tail", directory, str(error))
        return
    for each in names:
        if each.startswith(f"{name}-tail-") and not each.endswith(".new"):
            fault = _look(os.path.join(directory, each), store.store_id)
            if fault:
                report.add("tail", each, fault)


def _look(path: str, store_id: bytes) -> str | None:
    fault = None
    for _ in range(_TRIES):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None  # folded in and gone by now
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if data[:HEADER_BYTES] != MAGIC + store_id:
            return "is of another store"
        end = HEADER_BYTES
        for record in decode_records(data[HEADER_BYTES:], HEADER_BYTES):
            end = record.end
        if is_cut_short(data[end:]):
            return None
        fault = f"{len(data) - end} bytes from place {end} on are damaged"
        time.sleep(_PAUSE_SECONDS)  # they may be on their way
    return fault
