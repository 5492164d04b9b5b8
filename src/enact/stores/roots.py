# SPDX-License-Identifier: Apache-2.0
"""Where looking for what is needed begins: the identifiers in the journal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from enact.stores.backend import CallRow, RunRow
from enact.stores.tombstones import KIND as TOMBSTONE
from enact.values import cid_from_text, is_cid

if TYPE_CHECKING:
    import apsw

_TEXT = re.compile(r"bafyrei[a-z2-7]{52}")


def cids_in(text: object) -> Iterator[bytes]:
    """Finds the identifiers in the text of an entry."""
    for found in _TEXT.findall(str(text)):
        try:
            yield cid_from_text(found)
        except ValueError:
            pass  # only looks like one


def of_run(row: RunRow) -> list[bytes]:
    """Lists what a run needs."""
    cids = (row.invocation, row.derived_from, *cids_in(row.meta.get("packages")))
    return [cid for cid in cids if cid is not None]


def of_call(row: CallRow) -> list[bytes]:
    """Lists what a call needs."""
    cids = (row.request, row.invocation, row.replaces)
    return [cid for cid in cids if cid is not None]


def in_database(connection: apsw.Connection) -> Iterator[bytes]:
    """Lists what the rows in a database need, some of it many times over."""
    for columns in connection.execute("SELECT invocation, derived_from FROM runs"):
        yield from _cids(columns)
    for (text,) in connection.execute(
        "SELECT DISTINCT json_extract(meta, '$.packages') FROM runs"
    ):
        yield from cids_in(text)
    for columns in connection.execute(
        "SELECT request, invocation, replaces FROM calls"
    ):
        yield from _cids(columns)
    for (text,) in connection.execute(
        "SELECT value FROM entries WHERE kind <> ?", (TOMBSTONE,)
    ):
        yield from cids_in(text)


def _cids(columns: Iterable[Any]) -> Iterator[bytes]:
    return (cid for cid in columns if type(cid) is bytes and is_cid(cid))
