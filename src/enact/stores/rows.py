# SPDX-License-Identifier: Apache-2.0
"""Journal rows as bytes: in tails, and as the basis of their checksums."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

from libipld import decode_dag_cbor, encode_dag_cbor

from enact.errors import CorruptBlock
from enact.stores.backend import CallRow, RunRow

# Identifiers go in with a zero in front: the codec would take bytes that begin like
# a CID for a link and refuse or alter some of them.


def encode_call(row: CallRow) -> bytes:
    """Writes a call row; equal rows give equal bytes."""
    (
        run,
        number,
        parent,
        lane,
        position,
        index,
        invokable,
        request,
        invocation,
        code,
        status,
        started,
        duration,
        verdict,
        replaces,
        order,
        usage,
    ) = row
    return encode_dag_cbor(
        [
            run,
            number,
            parent,
            [*lane],
            position,
            index,
            invokable,
            None if request is None else b"\0" + request,
            None if invocation is None else b"\0" + invocation,
            None if code is None else b"\0" + code,
            status,
            started,
            duration,
            verdict,
            None if replaces is None else b"\0" + replaces,
            None if order is None else b"\0" + order,
            usage,
        ]
    )


def decode_call(data: bytes) -> CallRow:
    """Reads what `encode_call` wrote."""
    fields: list[Any] = _fields(data, len(CallRow._fields))
    fields[3] = tuple(fields[3])
    for place in (7, 8, 9, 14, 15):
        if fields[place] is not None:
            fields[place] = fields[place][1:]
    return CallRow._make(fields)


def encode_run(row: RunRow) -> bytes:
    """Writes a run row; equal rows give equal bytes."""
    fields: list[Any] = list(row)
    for place in (3, 6):
        if fields[place] is not None:
            fields[place] = b"\0" + fields[place]
    fields[8] = meta_text(row)
    return encode_dag_cbor(fields)


def decode_run(data: bytes) -> RunRow:
    """Reads what `encode_run` wrote."""
    fields: list[Any] = _fields(data, len(RunRow._fields))
    for place in (3, 6):
        if fields[place] is not None:
            fields[place] = fields[place][1:]
    fields[8] = json.loads(fields[8])
    return RunRow._make(fields)


def meta_text(row: RunRow) -> str:
    """Writes the data about a run's process as JSON, always in the same way."""
    return json.dumps(dict(row.meta), sort_keys=True, separators=(",", ":"))


def call_check(row: CallRow) -> int:
    """Sums up a call row, to tell later whether the disk gave it back as it was."""
    return crc32(encode_call(row))


def run_check(row: RunRow) -> int:
    """Sums up a run row."""
    return crc32(encode_run(row))


def _fields(data: bytes, count: int) -> list[Any]:
    fields = decode_dag_cbor(data)
    if type(fields) is not list or len(fields) != count:
        raise CorruptBlock("a journal row in a tail does not have the fields it needs")
    return fields
