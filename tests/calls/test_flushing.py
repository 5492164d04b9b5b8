# SPDX-License-Identifier: Apache-2.0
"""Awaited calls return when they are on the disk, and share the flushes for that."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time

import pytest

import enact
from enact.calls import flushing

AT_RISK = []


class Disk:
    """Notes which tails hold what was not flushed, and can hold a flush up."""

    def __init__(self, directory):
        self.directory = directory
        self.count = 0
        self.flushed = {}
        self.go = threading.Event()
        self.go.set()
        self.error = None
        self._flush = os.fdatasync

    def flush(self, fd):
        if threading.current_thread().name == "enact-flush-shared":
            self.go.wait(20)
            if self.error:
                raise self.error
        self.count += 1
        stat = os.fstat(fd)
        self._flush(fd)
        self.flushed[stat.st_ino] = stat.st_size

    def at_risk(self):
        stats = [p.stat() for p in self.directory.glob("*-tail-*")]
        return sum(s.st_size - self.flushed.get(s.st_ino, 0) for s in stats)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    AT_RISK.clear()
    disk = Disk(tmp_path)
    monkeypatch.setattr(os, "fdatasync", disk.flush)
    return disk


@pytest.fixture
def store(disk):
    with enact.SQLiteStore(disk.directory / "runs.db", durability="call") as store:
        yield store
    store.close()


@enact.register(name="flushing/ask")
async def ask(n):
    await asyncio.sleep(0)
    if n < 0:
        raise ValueError(n)
    return n


@enact.register(name="flushing/asks")
async def asks(n):
    return await asyncio.gather(*map(ask, range(n)))


def test_calls_that_end_together_share_flushes(store, disk):
    def let_go_when_all_are_written():
        while len(list(store.backend.calls(invokable="flushing/ask"))) < 500:
            time.sleep(0.01)
        disk.go.set()

    before = disk.count
    disk.go.clear()
    threading.Thread(target=let_go_when_all_are_written, daemon=True).start()
    inv = asyncio.run(enact.invoke_async(asks, (500,)))
    assert inv.output == list(range(500))
    assert disk.count - before < 30
    assert asyncio.run(inv.rewind(0).replay_async()) == inv
    assert asyncio.run(inv.rewind(7).replay_async(strict=False)).output == inv.output


@enact.register(name="flushing/one_by_one")
async def one_by_one(directory):
    for n in (1, 2, -3):
        try:
            await ask(n)
        except ValueError:
            pass
        AT_RISK.append(DISKS[0].at_risk())
    return "done"


DISKS = []


def test_what_an_awaited_call_gave_is_on_the_disk_when_it_returns(store, disk):
    DISKS[:] = [disk]
    asyncio.run(enact.invoke_async(one_by_one, ("x",)))
    assert AT_RISK == [0, 0, 0]


ENDED = []


@enact.register(name="flushing/ends")
async def ends(name):
    for _ in range("cba".index(name)):
        await asyncio.sleep(0.01)
    return name


@enact.register(name="flushing/in_order_of_ends")
async def in_order_of_ends():
    ended = []

    async def worker(name):
        ended.append(await ends(name))
        return await ask(len(ended))

    return await asyncio.gather(*map(worker, "abc"))


def test_calls_that_waited_for_a_flush_when_the_process_died_end_in_order(
    store, disk, tmp_path
):
    path = tmp_path / "dead" / "runs.db"

    def die_when_all_are_written():
        while sum(row.status == "completed" for row in rows(store)) < 3:
            time.sleep(0.01)
        path.parent.mkdir()
        for file in tmp_path.glob("runs.db*"):
            shutil.copy(file, path.parent)
        disk.go.set()

    disk.go.clear()
    death = threading.Thread(target=die_when_all_are_written)
    death.start()
    asyncio.run(enact.invoke_async(in_order_of_ends))
    death.join()
    with enact.SQLiteStore(path) as dead:
        run = dead.runs()[0]
        assert [child.output for child in run.invocation.children] == ["a", "b", "c"]
        inv = asyncio.run(enact.resume_async(run))
        assert inv.output == [3, 2, 1]
    dead.close()


def rows(store):
    return list(store.backend.calls(invokable="flushing/ends"))


def test_the_loop_goes_on_while_a_flush_takes_its_time(store, disk):
    async def main():
        ticks = 0
        disk.go.clear()
        task = asyncio.create_task(enact.invoke_async(ask, (1,)))
        while ticks < 20:
            await asyncio.sleep(0.001)
            ticks += 1
        assert not task.done()
        disk.go.set()
        return await task

    assert asyncio.run(main()).output == 1


@enact.register(name="flushing/in_time")
async def in_time():
    try:
        async with asyncio.timeout(0.05):
            await ask(1)
    except TimeoutError:
        return await ask(2)


def test_a_call_that_is_cancelled_while_it_waits_was_cancelled(store, disk):
    disk.go.clear()
    threading.Timer(0.3, disk.go.set).start()
    inv = asyncio.run(enact.invoke_async(in_time))
    assert inv.output == 2
    assert [call.status for call in inv.children] == ["cancelled", "completed"]
    [run] = store.runs()
    rows = [
        row.status for row in store.backend.calls(run=run.id, invokable="flushing/ask")
    ]
    assert sorted(rows) == ["cancelled", "completed"]
    assert asyncio.run(inv.rewind(1).replay_async()) == inv


def test_a_flush_that_fails_fails_the_call(store, disk):
    disk.error = OSError(5, "broken")
    with pytest.raises(enact.StoreUnavailable, match="cannot flush"):
        asyncio.run(enact.invoke_async(ask, (1,)))
    disk.error = None
    assert asyncio.run(enact.invoke_async(ask, (2,))).output == 2


def test_a_store_that_closes_lets_nobody_wait(disk):
    async def main():
        with enact.SQLiteStore(disk.directory / "runs.db", durability="call") as store:
            disk.go.clear()
            task = asyncio.create_task(enact.invoke_async(ask, (1,)))
            await asyncio.sleep(0.02)
            threading.Timer(0.02, disk.go.set).start()
            await asyncio.to_thread(store.close)
            with pytest.raises(enact.StoreClosed):
                await task

    asyncio.run(main())


def test_a_group_whose_loop_is_closed_is_let_go():
    loop = asyncio.new_event_loop()
    group = flushing.Group(loop)
    loop.close()
    group.begin()
    group.end(None)
    assert group.is_closed
