# SPDX-License-Identifier: Apache-2.0
"""The bytes of calls are pinned: a change of one is a new format version.

``python tests/golden/test_calls.py`` writes the file anew; look at the difference.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import pathlib
import sys

import pytest

import enact
from enact.calls import targets
from enact.values import Encoder, cid_of, cid_text, links

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "calls.json"


def load_programs():
    name = "tests.golden.programs"  # it is part of recorded tracebacks
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / "programs.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def blocks_of(inv):
    """All blocks that an invocation consists of, by identifier."""
    store, found, todo = inv._store(), {}, [inv.ref.cid]
    while todo:
        cid = todo.pop()
        if cid not in found:
            found[cid] = store.load_block(cid)
            todo += links(found[cid])
    return {cid_text(cid): data.hex() for cid, data in sorted(found.items())}


def invocations():
    programs = load_programs()
    wrap = {"wrap_exceptions": True}
    sequential = enact.invoke(programs.sequential, ("sea", "salt"))
    paused = enact.invoke(programs.paused, ("sea",))
    return {
        "sequential": sequential,
        "concurrent": asyncio.run(enact.invoke_async(programs.concurrent)),
        "failed": enact.invoke(programs.failed, (), **wrap),
        "handled": enact.invoke(programs.handled),
        "paused": paused,
        "answered": paused.get_raised().continue_invocation(paused, "yes"),
        "stateful": enact.invoke(programs.stateful),
        "items": enact.invoke(programs.items),
        "rewound": sequential.rewind(1),
        "rewound failure": enact.invoke(programs.failed, (), **wrap).rewind(0),
        "edited": sequential.edit(sequential[0], output="tide"),
        "edited to raise": sequential.edit(sequential[1], raises=KeyError("x")),
    }


@pytest.fixture(autouse=True)
def fixed_code(monkeypatch):
    monkeypatch.setattr(targets, "code_digest", lambda fn: "0123456789abcdef" * 2)
    with enact.InMemoryStore():
        yield


def test_blocks_of_calls_are_as_pinned():
    pinned = json.loads(GOLDEN.read_text())
    found = {
        name: {"cid": inv.ref.id, "blocks": blocks_of(inv)}
        for name, inv in invocations().items()
    }
    assert found.keys() == pinned.keys()
    for name, entry in found.items():
        assert entry == pinned[name], name


def test_pinned_blocks_have_their_identifiers():
    for entry in json.loads(GOLDEN.read_text()).values():
        assert entry["cid"] in entry["blocks"]
        for cid, data in entry["blocks"].items():
            assert cid_text(cid_of(bytes.fromhex(data))) == cid


def test_the_general_encoder_writes_the_same_bytes():
    """Requests, responses and invocations are ordinary values too."""
    encoder = Encoder(lambda cid, data: None)
    for inv in invocations().values():
        for view in inv.walk():
            for ref in (view.ref, view.request, view.response):
                data = view._store().load_block(ref.cid)
                assert encoder.encode(ref.checkout()) == data


if __name__ == "__main__":
    targets.code_digest = lambda fn: "0123456789abcdef" * 2
    with enact.InMemoryStore():
        entries = {
            name: {"cid": inv.ref.id, "blocks": blocks_of(inv)}
            for name, inv in invocations().items()
        }
    GOLDEN.write_text(json.dumps(entries, indent=1) + "\n")
