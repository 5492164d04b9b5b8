# SPDX-License-Identifier: Apache-2.0
"""What every backend of a store must do, as a test to call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from enact.stores import Backend, Block, CallRow, RunRow
from enact.values import cid_of

MakeBackend = Callable[[], Backend]


def check_backend(make_backend: MakeBackend, *, keeps: bool = False) -> None:
    """Checks a backend against the rules of `enact.stores.Backend`.

    Args:
        make_backend: makes a new, empty one, or with ``keeps`` opens the same one
            each time; the first time it is empty.
        keeps: what was written is there after closing and making it again.

    Raises:
        AssertionError: a rule is broken; says which.

    Example:
        >>> from enact.stores import memory_backend
        >>> from enact.testing.backends import check_backend
        >>> check_backend(memory_backend)
    """
    with closing(make_backend()) as backend:
        _check_blocks(backend)
        _check_runs(backend)
        _check_calls(backend)
        _check_threads(backend)
        written = _everything(backend)
        backend.flush()
        _expect(_everything(backend) == written, "flush changed what is there")
    backend.close()
    if keeps:
        with closing(make_backend()) as backend:
            _expect(_everything(backend) == written, "closing lost or changed data")


def sample_block(number: int, size: int = 40) -> Block:
    """Makes a block that differs from those of other numbers."""
    data = b"\x58" + bytes([size]) + (b"%d " % number).ljust(size, b".")
    return cid_of(data), data


def sample_call(run: str, number: int, **changes: Any) -> CallRow:
    """Makes a plausible call row."""
    row = CallRow(
        run=run,
        number=number,
        parent=number - 1 if number else None,
        lane=(number, 2) if number % 2 else (),
        position=number,
        index=number + 1,
        invokable="shop:draft",
        request=sample_block(number)[0],
        invocation=sample_block(number + 1)[0],
        code=b"\x01" + bytes([number % 7]) * 31,
        status="completed",
        started=1_700_000_000.1 + number / 7,
        duration=number / 3,
        verdict=None,
    )
    return row._replace(**changes)


def _everything(backend: Backend) -> tuple[object, ...]:
    cids = [sample_block(number)[0] for number in range(200)]
    codes = sorted(backend.codes())
    return backend.get(cids), backend.runs(), list(backend.calls()), codes


def _check_blocks(backend: Backend) -> None:
    blocks = [sample_block(number) for number in range(20)]
    cids = [cid for cid, _ in blocks]
    _expect(backend.get(cids) == {}, "an empty backend has blocks")
    _expect(backend.has(cids) == set(), "an empty backend has blocks")
    backend.put(blocks)
    _expect(backend.get(cids) == dict(blocks), "put, then get")
    backend.put(blocks[:5])
    backend.put([])
    _expect(backend.get(cids) == dict(blocks), "putting a block twice changes nothing")
    absent = sample_block(100)[0]
    _expect(backend.get([absent, cids[0]]) == dict(blocks[:1]), "absent blocks")
    _expect(backend.has([absent, cids[0]]) == {cids[0]}, "absent blocks in has")
    large = cid_of(b"\x00" * 1_000_000), b"\x00" * 1_000_000
    backend.put([large])
    _expect(backend.get([large[0]]) == dict([large]), "a block of a megabyte")


def _check_runs(backend: Backend) -> None:
    first = RunRow("0a", "shop:draft", "running", None, 100.25, 0.0, None, None, {})
    meta = {"python": "3.11", "args": ["-v", 1, None, {"é": True}]}
    cid = sample_block(1)[0]
    second = RunRow("0b", "shop:plan", "running", None, 200.5, 0.0, cid, "edit", meta)
    backend.begin_run(first)
    backend.begin_run(second)
    _expect(backend.runs() == [second, first], "runs come newest first, as written")
    ended = first._replace(status="completed", invocation=cid, duration=1.5)
    backend.end_run(ended)
    _expect(backend.runs() == [second, ended], "a row that is written again stands")
    for wanted, answer in (
        ({"run": "0b"}, [second]),
        ({"name": "shop:draft"}, [ended]),
        ({"status": "running"}, [second]),
        ({"since": 150.0}, [second]),
        ({"limit": 1}, [second]),
        ({"limit": 0}, []),
        ({"run": "0c"}, []),
    ):
        _expect(backend.runs(**wanted) == answer, f"runs({wanted})")


def _check_calls(backend: Backend) -> None:
    rows = [sample_call("0a", number) for number in range(6)]
    other = sample_call("0b", 0, invokable="shop:plan", status="failed", code=None)
    running = rows[0]._replace(status="running", invocation=None, duration=0.0)
    backend.record([sample_block(50)], running)
    # Calls are recorded when they end: the first to start is the last to end.
    for row in reversed(rows):
        backend.record([sample_block(60 + row.number)], row)
    backend.record([], other)
    backend.record([sample_block(51)], None)
    blocks = [sample_block(number)[0] for number in (50, 51, 60, 65)]
    _expect(backend.has(blocks) == set(blocks), "record keeps the blocks")
    _expect(list(backend.calls()) == [*rows, other], "calls by run and number")
    backwards = [other, *reversed(rows)]
    _expect(list(backend.calls(newest_first=True)) == backwards, "newest first")
    for wanted, answer in (
        ({"run": "0a"}, rows),
        ({"run": "0c"}, []),
        ({"invokable": "shop:plan"}, [other]),
        ({"invokable": "shop:nothing"}, []),
        ({"status": "failed"}, [other]),
        ({"status": "running"}, []),
        ({"request": rows[3].request}, [rows[3]]),
        ({"request": rows[0].request}, [rows[0], other]),
        ({"since": rows[2].started}, rows[2:]),
        ({"run": "0a", "since": rows[2].started, "limit": 2}, rows[2:4]),
        ({"limit": 0}, []),
    ):
        found = list(backend.calls(**wanted))
        _expect(found == answer, f"calls({wanted})")
    codes = [("shop:draft", row.code, 1) for row in rows]
    _expect(sorted(backend.codes()) == sorted(codes), "codes counts each call once")


def _check_threads(backend: Backend) -> None:
    count, each = 8, 25
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(each):
                block = sample_block(1000 + thread * each + number)
                backend.record([block], sample_call(f"1{thread}", number))
                if backend.get([block[0]]) != dict([block]):
                    raise AssertionError("a block that was recorded is not there")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    for thread_number in range(count):
        rows = [sample_call(f"1{thread_number}", number) for number in range(each)]
        found = list(backend.calls(run=f"1{thread_number}"))
        _expect(found == rows, "calls that were recorded by several threads")


def _expect(condition: bool, rule: str) -> None:
    if not condition:
        raise AssertionError(f"a backend breaks a rule: {rule}")
