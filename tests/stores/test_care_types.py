# SPDX-License-Identifier: Apache-2.0
"""Packages and versions that define stored types."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import enact
from enact.errors import UnregisteredType
from enact.values import WRITTEN, register_distribution

PACKAGE = """
import dataclasses, enact

@enact.register
@dataclasses.dataclass
class Order:
    count: int
"""
WRITE = """
import sys, enact, orchard.orders
with enact.SQLiteStore(sys.argv[1]) as store:
    print(store.commit([orchard.orders.Order(3)]).id)
store.close()
"""


def install(directory, version):
    """Makes a package and what pip would write about it."""
    (directory / "orchard").mkdir(parents=True)
    (directory / "orchard" / "__init__.py").write_text("")
    (directory / "orchard" / "orders.py").write_text(PACKAGE)
    info = directory / f"orchard-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: orchard\nVersion: {version}\n"
    )


def write_with(directory, version, path):
    install(directory, version)
    program = f"import sys; sys.path[:0] = [{str(directory)!r}]{WRITE}"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_requirements_are_known_where_the_package_is_not_installed(tmp_path):
    path = tmp_path / "runs.db"
    text = write_with(tmp_path / "v1", "1.2", path)
    with enact.SQLiteStore(path) as store:
        ref = enact.Ref.from_id(text)
        assert store.requirements(ref) == {"orchard": "1.2"}
        assert store.get_distribution_requirements(ref) == {"orchard": "1.2"}
        assert store.requirements(store.commit([1])) == {}
        with pytest.raises(UnregisteredType, match=r"orchard\.orders:Order.*orchard 1"):
            store.checkout(ref)
    store.close()


def test_the_latest_version_that_wrote_a_type_counts_and_earlier_ones_are_kept(
    tmp_path,
):
    path = tmp_path / "runs.db"
    for number, version in enumerate(["1.2", "1.3", "1.3"]):
        text = write_with(tmp_path / str(number), version, path)
    store = enact.SQLiteStore(path)
    assert store.requirements(enact.Ref.from_id(text)) == {"orchard": "1.3"}
    (entry,) = store.backend.entries("type").values()
    assert json.loads(entry) == {
        "distribution": "orchard",
        "version": "1.3",
        "earlier": ["orchard 1.2"],
    }
    store.close()


@enact.register(name="a_mill.grain:Oats")
class Oats(enact.Resource):
    pass


@enact.register
def grind(oats):
    return oats


def test_a_type_that_only_a_run_wrote_is_noted_when_the_run_ends(monkeypatch):
    monkeypatch.setattr("enact.values.distributions._REGISTERED", {})
    register_distribution("tests", "7")
    with enact.InMemoryStore() as store:
        enact.invoke(grind, (Oats(),))
        assert store.requirement("a_mill.grain:Oats") == ("tests", "7")


def test_recording_calls_asks_nobody_about_packages(monkeypatch):
    with enact.InMemoryStore() as store:
        store.commit(Oats())
        monkeypatch.setattr("enact.stores.store.note", None)
        assert len(WRITTEN) == store._types_noted
        store.commit([Oats(), 1])
        enact.invoke(grind, (1,))
