# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed while they take care of a store."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import enact

CHILD = str(Path(__file__).with_name("caring.py"))


@enact.register
def leaf(x):
    return f"{x} " * 30


@enact.register
def top(n):
    return [leaf(i) for i in range(n)]


def kill_while_caring(path, seed, chance):
    with subprocess.Popen(
        [sys.executable, CHILD, "care", str(path), str(seed)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout.read(1) == b"!"
        time.sleep(chance.random() ** 2 * 0.4)
        child.send_signal(signal.SIGKILL)


def check_nothing_lost(path, output):
    with closing(enact.SQLiteStore(path)) as store, store:
        report = store.check()
        assert report.ok, str(report)
        (run,) = store.runs()
        assert run.invocation.get_output() == output
        assert len(list(store.calls())) == 41
        for name, text in store.backend.entries("tag").items():
            value = enact.Ref.from_id(text.strip('"')).checkout()
            assert ["", *map(str, value[1:])] == ["", *name.split("/")[1:]]


def check_copies(path):
    for copy in path.parent.glob("*-copy-*"):
        if ".part-" not in copy.name and copy.name.count("-") == 3:
            with closing(enact.SQLiteStore(copy)) as store:
                assert store.check().ok, str(store.check())
        copy.unlink(missing_ok=True)


def crash_rounds(tmp_path, rounds):
    chance = random.Random(rounds)
    path = tmp_path / "runs.db"
    with enact.SQLiteStore(path) as store:
        output = enact.invoke(top, (40,)).get_output()
    store.close()
    for number in range(rounds):
        kill_while_caring(path, number, chance)
        if number % 3 == 0:
            check_nothing_lost(path, output)
            check_copies(path)
    check_nothing_lost(path, output)
    left = [p.name for p in tmp_path.iterdir() if not p.name.endswith(".new")]
    assert [name for name in left if "-copy-" not in name] == ["runs.db"]


def test_a_kill_while_taking_care_loses_nothing(tmp_path):
    crash_rounds(tmp_path, 10)


@pytest.mark.soak
def test_many_kills_while_taking_care_lose_nothing(tmp_path):
    crash_rounds(tmp_path, 150)
