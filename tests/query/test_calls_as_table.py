# SPDX-License-Identifier: Apache-2.0
"""``store.calls(...).to_pandas()``: the journal as a data frame (extra ``pandas``)."""

from __future__ import annotations

import datetime
import sys

import pytest

import enact


@enact.register(name="table/ask")
def ask(text: str) -> str:
    if not text:
        raise ValueError("nothing to say")
    enact.annotate(usd=0.25, output_tokens=len(text))
    return text.upper()


@enact.register(name="table/both")
def both() -> str:
    try:
        ask("")
    except ValueError:
        pass
    return ask("sea")


def test_calls_become_a_data_frame() -> None:
    pytest.importorskip("pandas")
    with enact.InMemoryStore() as store:
        inv = enact.invoke(both)
        frame = store.calls().to_pandas()
        assert list(frame["name"]) == ["table/both", "table/ask", "table/ask"]
        assert list(frame["status"]) == ["completed", "failed", "completed"]
        assert frame["parent"].isna().tolist() == [True, False, False]
        assert frame["usage.usd"].sum() == 0.25
        assert frame["usage.output_tokens"].iloc[2] == 3
        assert frame["invocation"].iloc[2] == inv[1].ref.id
        age = datetime.datetime.now(datetime.UTC) - frame["started"].iloc[0]
        assert abs(age.total_seconds()) < 60
        assert len(store.calls(invokable=ask, status="failed").to_pandas()) == 1
        empty = store.calls(invokable="table/nothing").to_pandas()
        assert len(empty) == 0 and "duration" in empty


def test_calls_are_read_one_by_one() -> None:
    with enact.InMemoryStore() as store:
        enact.invoke(both)
        calls = store.calls()
        assert next(calls).name == "table/both"
        assert [call.status for call in calls] == ["failed", "completed"]


def test_without_pandas_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    store = enact.InMemoryStore()
    with pytest.raises(enact.MissingExtra, match=r"enact\[pandas\]"):
        store.calls().to_pandas()
