# SPDX-License-Identifier: Apache-2.0
"""Entries: the small part of the journal that changes in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from enact.errors import CorruptBlock

if TYPE_CHECKING:
    import apsw

    from enact.stores.reader import Reader


class Entries:
    """Texts by kind and key, in the table ``entries`` of a database.

    Args:
        reader: of the database.
        path: of the file, for messages.
    """

    def __init__(self, reader: Reader, path: str) -> None:
        self._reader = reader
        self._path = path

    def read(self, kind: str, key: str | None) -> dict[str, str]:
        """Reads all entries of a kind, or one of them.

        Raises:
            CorruptBlock: an entry does not have its checksum.
        """
        sql = 'SELECT key, value, "check" FROM entries WHERE kind = ?'
        values = [kind]
        if key is not None:
            sql += " AND key = ?"
            values.append(key)
        with self._reader.snapshot() as connection:
            rows: list[Any] = connection.execute(
                f"{sql} ORDER BY key", values
            ).fetchall()
        for name, value, check in rows:
            if entry_check(kind, name, value) != check:
                raise CorruptBlock(
                    f"the entry {kind} {name!r} in {self._path} is damaged: it does"
                    " not have its checksum any more"
                )
        return {name: value for name, value, _ in rows}


def entry_check(kind: str, key: str, value: str) -> int:
    """Sums up an entry."""
    return crc32(
        "\0".join(map(str, (kind, key, value))).encode("utf-8", "surrogatepass")
    )


def write_entry(
    connection: apsw.Connection, kind: str, key: str, value: str | None
) -> None:
    """Writes an entry, or deletes it; inside a transaction."""
    if value is None:
        connection.execute(
            "DELETE FROM entries WHERE kind = ? AND key = ?", (kind, key)
        )
    else:
        connection.execute(
            'INSERT OR REPLACE INTO entries(kind, key, value, "check")'
            " VALUES (?, ?, ?, ?)",
            (kind, key, value, entry_check(kind, key, value)),
        )
