# SPDX-License-Identifier: Apache-2.0
"""``import enact`` gives the names in ``__all__`` and nothing else."""

from __future__ import annotations

import types

import enact


def test_all_lists_exactly_the_public_names() -> None:
    assert all(hasattr(enact, name) for name in enact.__all__)  # also what comes late
    public = {
        name
        for name, value in vars(enact).items()
        if not name.startswith("_")
        and name != "annotations"
        # submodules become attributes when they are imported
        and not (
            isinstance(value, types.ModuleType)
            and value.__name__ == f"enact.{name}"
            and name not in enact.__all__
        )
    }
    assert set(enact.__all__) - {"__version__"} == public


def test_all_has_no_duplicates() -> None:  # ruff sees that it is sorted
    assert len(set(enact.__all__)) == len(enact.__all__)


def test_every_public_name_has_a_docstring() -> None:
    bare = [
        name
        for name in enact.__all__
        if not name.startswith("_")
        and callable(value := getattr(enact, name))
        and not value.__doc__
    ]
    assert not bare
