# SPDX-License-Identifier: Apache-2.0
"""The rules of backends, for each that there is."""

from __future__ import annotations

import time

import pytest

from enact.errors import StoreError
from enact.stores import (
    MemoryBackend,
    backend_for,
    file_backend,
    memory_backend,
    sqlite_backend,
)
from enact.testing.backends import check_backend, sample_block, sample_call


def test_memory():
    check_backend(memory_backend)


@pytest.mark.parametrize("durability", ["adaptive", "call", "end"])
def test_sqlite(tmp_path, durability):
    path = tmp_path / "runs.db"
    check_backend(lambda: sqlite_backend(path, durability=durability), keeps=True)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]


def test_a_directory(tmp_path):
    check_backend(lambda: file_backend(tmp_path / "a" / "b"), keeps=True)
    assert (tmp_path / "a" / "b" / "enact.db").exists()


def test_sqlite_that_folds_after_every_few_records(tmp_path, monkeypatch):
    monkeypatch.setattr("enact.stores.intake.FOLD_BYTES", 2000)
    check_backend(lambda: sqlite_backend(tmp_path / "runs.db"), keeps=True)


class Forgetful(MemoryBackend):
    def record(self, blocks, row):
        if row is None or row.number != 3:
            super().record(blocks, row)


class Unordered(MemoryBackend):
    def calls(self, **wanted):
        return iter(list(super().calls(**wanted))[::-1])


class Torn(MemoryBackend):
    def swap(self, kind, key, old, new):
        fits = self._entries.get((kind, key)) == old
        time.sleep(0.0001)
        if fits:
            self._entries[kind, key] = new
        if fits and new is None:
            del self._entries[kind, key]
        return fits


class Greedy(MemoryBackend):
    def collect(self, grace):
        self._entries.pop(("tag", "outer"), None)
        return super().collect(grace)


class Resurrecting(MemoryBackend):
    def purge(self, cids, why):
        super().purge(cids, why)
        self._purged.clear()


@pytest.mark.parametrize("broken", [Forgetful, Unordered, Torn, Greedy, Resurrecting])
def test_the_check_finds_a_broken_backend(broken):
    with pytest.raises(AssertionError, match="breaks a rule"):
        check_backend(broken)


def test_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENACT_STORE", raising=False)
    places = {
        "runs.db": "runs.db",
        "sqlite:///other.db": "other.db",
        f"sqlite:///{tmp_path}/absolute.db": "absolute.db",
        None: ".enact/enact.db",
    }
    for url, place in places.items():
        backend_for(url).close()
        assert (tmp_path / place).exists(), url
    monkeypatch.setenv("ENACT_STORE", "from-environment.db")
    backend_for().close()
    assert (tmp_path / "from-environment.db").exists()
    assert isinstance(backend_for("memory:"), MemoryBackend)


@pytest.mark.parametrize("url", ["redis://here", "sqlite://", "sqlite:x", "s3://b/k"])
def test_an_unknown_address_is_told_with_those_that_are_known(url):
    with pytest.raises(StoreError, match=r"sqlite:///runs\.db.*memory:"):
        backend_for(url)


def test_a_row_that_is_written_again_by_a_later_process_stands(tmp_path):
    path = tmp_path / "runs.db"
    for status in ("running", "failed", "completed"):
        backend = sqlite_backend(path)
        backend.record([sample_block(1)], sample_call("0a", 1, status=status))
        backend.close()
    backend = sqlite_backend(path)
    assert [row.status for row in backend.calls()] == ["completed"]
    assert list(backend.calls(status="failed")) == []
    backend.close()
