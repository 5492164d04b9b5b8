# SPDX-License-Identifier: Apache-2.0
"""What every backend of a store must do, as a test to call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from enact.errors import NotFound, Purged, RunIsLive
from enact.stores import OUTSIDE, Backend, Block, CallRow, Care, RunRow
from enact.values import cid_of, cid_text, encode_form

MakeBackend = Callable[[], Backend]


def check_backend(make_backend: MakeBackend, *, keeps: bool = False) -> None:
    """Checks a backend against the rules of `enact.stores.Backend`.

    A backend that offers `enact.stores.Care` is checked against that too.

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
        _check_entries(backend)
        _check_owner(backend)
        if isinstance(backend, Care):
            _check_care(backend)
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
    found = backend.between(min(cids), max(cids), 50)
    _expect(found == sorted(cids), "between finds all blocks of a range, in order")
    low, high = sorted(cids)[3:5]
    _expect(backend.between(low, high, 50) == [low, high], "between takes both ends")
    _expect(len(backend.between(low, max(cids), 4)) == 4, "between stops at its limit")
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
        ({"run": "0a", "parent": 2}, [rows[3]]),
        ({"run": "0a", "parent": 5}, []),
        ({"run": "0a", "parent": OUTSIDE}, [rows[0]]),
        ({"parent": OUTSIDE}, [rows[0], other]),
        ({"run": "0a", "number": 3}, [rows[3]]),
        ({"run": "0a", "number": 9}, []),
        ({"number": 0}, [rows[0], other]),
        ({"run": "0a", "since": rows[2].started, "limit": 2}, rows[2:4]),
        ({"limit": 0}, []),
    ):
        found = list(backend.calls(**wanted))
        _expect(found == answer, f"calls({wanted})")
    codes = [("shop:draft", row.code, 1) for row in rows]
    _expect(sorted(backend.codes()) == sorted(codes), "codes counts each call once")


def _check_threads(backend: Backend) -> None:
    count, each = 8, 25

    def work(thread: int) -> None:
        for number in range(each):
            block = sample_block(1000 + thread * each + number)
            backend.record([block], sample_call(f"1{thread}", number))
            if backend.get([block[0]]) != dict([block]):
                raise AssertionError("a block that was recorded is not there")

    _in_threads([partial(work, number) for number in range(count)])
    for thread_number in range(count):
        rows = [sample_call(f"1{thread_number}", number) for number in range(each)]
        found = list(backend.calls(run=f"1{thread_number}"))
        _expect(found == rows, "calls that were recorded by several threads")


def _check_entries(backend: Backend) -> None:
    _expect(backend.entries("tag") == {}, "an empty backend has entries")
    _expect(not backend.swap("tag", "a", "0", "1"), "swap of what is not there")
    _expect(backend.swap("tag", "b", None, "1"), "swap makes an entry")
    _expect(not backend.swap("tag", "b", None, "2"), "swap makes an entry once")
    _expect(not backend.swap("tag", "b", "2", "3"), "swap of what is something else")
    _expect(backend.swap("tag", "b", "1", "é\n"), "swap changes an entry")
    _expect(backend.swap("tag", "a", None, "0"), "swap makes another entry")
    _expect(backend.swap("question", "b", None, "q"), "kinds are apart")
    both = {"a": "0", "b": "é\n"}
    _expect(list(backend.entries("tag").items()) == list(both.items()), "entries")
    _expect(backend.entries("tag", "b") == {"b": "é\n"}, "one entry")
    _expect(backend.entries("tag", "c") == {}, "no entry")
    _expect(backend.swap("tag", "a", "0", None), "swap deletes an entry")
    _expect(backend.entries("tag") == {"b": "é\n"}, "swap deletes that entry")
    count, each = 6, 15
    backend.swap("count", "n", None, "0")

    def work() -> None:
        for _ in range(each):
            done = False
            while not done:
                old = backend.entries("count", "n")["n"]
                done = backend.swap("count", "n", old, str(int(old) + 1))

    _in_threads([work] * count)
    found = backend.entries("count", "n")
    _expect(found == {"n": str(count * each)}, "swap is atomic under threads")
    backend.write_entries("written", {"b": "2", "a": "1"})
    backend.write_entries("written", {"b": "3"})
    backend.write_entries("written", {})
    _expect(backend.entries("written") == {"a": "1", "b": "3"}, "entries are written")


def _check_owner(backend: Backend) -> None:
    backend.begin_run(RunRow("0d", "shop:wait", "running", None, 300.0, 0.0))
    _expect(bool(backend.owner), "the owner has a token")
    _expect(bool(backend.find_owner(backend.owner)), "this process is alive")
    _expect(backend.find_owner("0123456789abcdef") is None, "an unknown owner is dead")
    with backend.claim("0d"):
        try:
            with backend.claim("0d"):
                raise AssertionError("a backend breaks a rule: a run is claimed once")
        except RunIsLive:
            pass
        with backend.claim("0e"):
            pass
    with backend.claim("0d"):
        pass
    backend.end_run(RunRow("0d", "shop:wait", "completed", None, 300.0, 1.0))


def _check_care(backend: Any) -> None:
    """The rules of `enact.stores.Care`."""
    for run in backend.runs(status="running"):
        backend.end_run(run._replace(status="completed"))
    _expect(backend.keep([]) == set(), "keep of nothing")
    needed, inner, garbage = (sample_block(number) for number in (150, 151, 152))
    linking = encode_form([inner[0], "needed by an entry"])
    outer = cid_of(linking), linking
    backend.put([needed, inner, garbage])
    backend.put([outer])
    absent = sample_block(100)[0]
    _expect(backend.keep([inner[0], absent]) == {inner[0]}, "keep says what is here")
    backend.swap("tag", "outer", None, f'{{"cid": "{cid_text(outer[0])}"}}')
    backend.record([needed], sample_call("0f", 0, request=needed[0]))
    every = {block[0] for block in (needed, inner, outer)}
    _expect(backend.collect(3600.0).blocks == 0, "a young block was collected")
    _expect(garbage[0] in backend.has([garbage[0]]), "a young block was collected")
    removed = backend.collect(0.0)
    _expect(backend.has(every) == every, "what is needed was collected")
    _expect(not backend.has([garbage[0]]), "garbage was not collected")
    _expect(removed.blocks >= 1 and removed.bytes >= len(garbage[1]), "what went")
    backend.put([garbage])
    _expect(backend.has([garbage[0]]) == {garbage[0]}, "garbage may come again")
    backend.delete_run("0f")
    _expect(not list(backend.calls(run="0f")), "a run was not deleted")
    _raises(NotFound, lambda: backend.delete_run("0f"), "a run is deleted once")
    backend.purge([garbage[0]], "a test")
    _expect(not backend.has([garbage[0]]), "a purged block is here")
    _raises(Purged, lambda: backend.put([garbage]), "a purged block was taken in")
    tombstones = backend.entries("tombstone")
    _expect(cid_text(garbage[0]) in tombstones, "purging leaves a tombstone")
    _raises(NotFound, lambda: backend.purge([absent], ""), "purge of what is not here")
    written = _everything(backend)
    backend.compact()
    _expect(_everything(backend) == written, "compacting changed what is there")
    faults = [fault.kind for fault in backend.check().faults]
    _expect(set(faults) <= {"missing"}, f"check finds faults: {faults}")


def _raises(error: type[Exception], call: Callable[[], object], rule: str) -> None:
    try:
        call()
    except error:
        return
    _expect(False, rule)


def _in_threads(jobs: Sequence[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _expect(condition: bool, rule: str) -> None:
    if not condition:
        raise AssertionError(f"a backend breaks a rule: {rule}")
