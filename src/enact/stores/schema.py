# SPDX-License-Identifier: Apache-2.0
"""The tables of a store's file; ``docs/storage.md`` explains them to users."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from zlib import crc32

import apsw

from enact.errors import CorruptBlock, NotAStore, StoreVersionError

APPLICATION_ID = 0x656E6163
"""Marks a SQLite file as a store ("enac")."""

_FIRST = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE names(id INTEGER PRIMARY KEY, name UNIQUE);

CREATE TABLE runs(
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    name TEXT,
    status TEXT,
    invocation BLOB,
    started REAL,
    duration REAL,
    derived_from BLOB,
    how TEXT,
    meta TEXT,
    attempt INTEGER,
    "check" INTEGER
);
CREATE INDEX runs_started ON runs(started);

CREATE TABLE calls(
    id INTEGER PRIMARY KEY,
    parent INTEGER,
    lane TEXT,
    position INTEGER,
    "index" INTEGER,
    invokable INTEGER,
    request BLOB,
    invocation BLOB,
    code INTEGER,
    status TEXT,
    started REAL,
    duration REAL,
    verdict TEXT,
    replaces BLOB,
    "order" BLOB,
    usage TEXT,
    "check" INTEGER
);
CREATE INDEX calls_invokable ON calls(invokable);
CREATE INDEX calls_status ON calls(status) WHERE status <> 'completed';

CREATE TABLE entries(
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "check" INTEGER NOT NULL,
    PRIMARY KEY(kind, key)
) WITHOUT ROWID;

CREATE TABLE packs(
    id INTEGER PRIMARY KEY,
    blocks INTEGER NOT NULL,
    size INTEGER NOT NULL,
    written REAL NOT NULL,
    data BLOB NOT NULL
);

CREATE TABLE dropped(
    id INTEGER PRIMARY KEY,
    places BLOB NOT NULL
);

CREATE TABLE segments(
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    sheet INTEGER NOT NULL,
    first BLOB NOT NULL,
    entries INTEGER NOT NULL,
    "check" INTEGER NOT NULL,
    data BLOB NOT NULL
);

CREATE VIEW call_log AS
SELECT
    runs.run AS run,
    calls.id & 4294967295 AS number,
    calls.parent AS parent,
    calls.lane AS lane,
    calls.position AS position,
    calls."index" AS "index",
    names.name AS invokable,
    calls.status AS status,
    datetime(calls.started, 'unixepoch', 'subsec') AS started,
    calls.duration AS duration,
    calls.verdict AS verdict,
    calls.usage AS usage,
    lower(hex(calls.request)) AS request,
    lower(hex(calls.invocation)) AS invocation
FROM calls
JOIN runs ON runs.id = calls.id >> 32
JOIN names ON names.id = calls.invokable;
"""


def _first(connection: apsw.Connection) -> None:
    connection.execute(_FIRST)
    connection.execute(
        "INSERT INTO meta(key, value) VALUES ('store', ?)", (os.urandom(16),)
    )


MIGRATIONS: list[tuple[str, Callable[[apsw.Connection], None]]] = [("0.5", _first)]
"""Steps from one version of the file to the next; the version is the number of steps.

Each comes with the first enact that knows it. A released step never changes.
"""


def migrate(connection: apsw.Connection, path: str) -> None:
    """Brings a file to the current version, or makes it a store if it is empty.

    Raises:
        NotAStore: it is a database of something else.
        StoreVersionError: it was made by a newer enact.
    """
    if version(connection, path) == len(MIGRATIONS):
        return
    with connection:  # a transaction: BEGIN IMMEDIATE, see `connect`
        # Another process may have done it while this one waited for the lock.
        done = version(connection, path)
        if done == len(MIGRATIONS):
            return
        for _, step in MIGRATIONS[done:]:
            step(connection)
        needs = MIGRATIONS[-1][0]
        connection.execute(
            "INSERT OR REPLACE INTO meta(key, value) VALUES"
            " ('needs', ?), ('written_by', ?), ('schema', ?)",
            (needs, _enact_version(), " ".join(_definitions(connection))),
        )
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def check_definitions(connection: apsw.Connection, path: str) -> None:
    """Checks that the tables are still defined as they were.

    With one wrong letter there SQLite takes a row for something else, or for nothing.

    Raises:
        CorruptBlock: they are not.
    """
    told = connection.execute("SELECT value FROM meta WHERE key = 'schema'").get
    if not set(str(told or "").split()) <= set(_definitions(connection)):
        raise CorruptBlock(
            f"{path} is damaged where it says what tables there are; copy it, then try"
            " the shell command `sqlite3 FILE .recover`"
        )


def _definitions(connection: apsw.Connection) -> list[str]:
    rows: list[Any] = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
    ).fetchall()
    return [f"{name}:{crc32(str(sql).encode()):08x}" for name, sql in rows]


def version(connection: apsw.Connection, path: str) -> int:
    """Tells the version of a file, 0 for an empty one.

    Raises:
        NotAStore: it is a database of something else.
        StoreVersionError: it was made by a newer enact.
    """
    application = connection.pragma("application_id")
    found: int = connection.pragma("user_version")
    if application != APPLICATION_ID:
        if connection.execute("SELECT count(*) FROM sqlite_schema").get or application:
            raise NotAStore(f"{path} is a database of another application")
        return 0
    if found > len(MIGRATIONS):
        needs = connection.execute("SELECT value FROM meta WHERE key = 'needs'").get
        raise StoreVersionError(
            f"{path} has format {found}, this enact reads up to {len(MIGRATIONS)}:"
            f" it needs enact {needs} or newer (pip install -U enact)"
        )
    return found


def _enact_version() -> str:
    from importlib import metadata  # slow to import, and rarely needed

    try:
        return metadata.version("enact")
    except metadata.PackageNotFoundError:
        return "unknown"
