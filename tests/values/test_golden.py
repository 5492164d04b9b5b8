# SPDX-License-Identifier: Apache-2.0
"""The bytes of values are pinned: changing one is a new version of the format.

``python -m tests.values.test_golden`` writes values that the file lacks; it never
changes one that is there.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import enact.values as values
from tests.values.blocks import Blocks
from tests.values.golden_values import GOLDEN

FILE = Path(__file__).parents[1] / "golden" / "values.json"
PINNED: dict[str, dict[str, str]] = json.loads(FILE.read_text())


def pin(value: object) -> dict[str, str]:
    """Return what is pinned of a value: bytes, identifier, and all its other blocks."""
    blocks = Blocks()
    ref = blocks.commit(value)
    pinned = {"cid": ref.id, "hex": blocks.held.pop(ref.cid).hex()}
    if blocks.held:
        everything = b"".join(blocks.held[cid] for cid in sorted(blocks.held))
        pinned["chunks"] = str(len(blocks.held))
        pinned["sha256 of chunks"] = hashlib.sha256(everything).hexdigest()
    return pinned


def test_every_kind_of_value_is_pinned() -> None:
    assert list(PINNED) == list(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_bytes_of_a_value_stay_what_they_are(name: str) -> None:
    assert pin(GOLDEN[name]) == PINNED[name]


@pytest.mark.parametrize("name", [name for name in GOLDEN if "long" not in name])
def test_pinned_bytes_are_read(name: str) -> None:
    data = bytes.fromhex(PINNED[name]["hex"])
    value = values.decode(data, unknown=name == "unknown")
    assert type(value) is type(GOLDEN[name])
    assert pin(value) == PINNED[name]
    assert values.cid_text(values.cid_of(data)) == PINNED[name]["cid"]


if __name__ == "__main__":
    for name, value in GOLDEN.items():
        PINNED.setdefault(name, pin(value))
    ordered = {name: PINNED[name] for name in GOLDEN}
    FILE.write_text(json.dumps(ordered, indent=1) + "\n")
