# SPDX-License-Identifier: Apache-2.0
"""Tuning the fields of a program with Optuna (extra ``tune``)."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest

import enact
from enact.search import Budget, Tune
from tests.search import programs_to_search as programs
from tests.search.test_search import shape

SPACE: dict[str, Any] = {"offset": (0, 40), "scale": (0.01, 1.0), "tone": ["a", "b"]}
CUT: list[int] = []
MADE: list[int] = []


@enact.register(name="tune/noise")
def noise(offset: int) -> int:
    MADE.append(offset)
    if CUT and len(MADE) == CUT[0]:
        raise KeyboardInterrupt
    return programs.sample("tune", offset)


@enact.register(name="tune/Writer")
@dataclasses.dataclass
class Writer(enact.Invokable[None, float]):
    offset: int = 3
    scale: float = 0.5
    tone: str = "a"

    def call(self) -> float:
        if self.offset == 40:
            raise ValueError("too far")
        return noise(self.offset) / 100 - abs(self.offset - 23) - (self.tone == "a")


def search(strategy: Any = None, **options: Any) -> enact.search.Result:
    strategy = strategy or Tune(SPACE, trials=25, samples=2, log=["scale"])
    return enact.search.run(Writer(), score=float, strategy=strategy, **options)


def test_fields_are_tuned() -> None:
    pytest.importorskip("optuna")
    result = search()
    best = result.best.invocation.request().invokable()
    trial = result.strategy.best_trial
    assert (best.offset, best.tone) == (trial.fields["offset"], trial.fields["tone"])
    assert abs(best.offset - 23) < 8 and trial.mean > -8
    assert len(result.strategy.tried) == 25
    assert result.strategy.tried[0].fields == {"offset": 3, "scale": 0.5, "tone": "a"}
    assert {len(trial.scores) for trial in result.strategy.tried} <= {1, 2}
    assert len({trial.fields["scale"] for trial in result.strategy.tried}) > 20


def test_tuning_is_the_same_each_time_and_its_state_can_be_stored() -> None:
    pytest.importorskip("optuna")
    one, again, other = search(seed=1), search(seed=1), search(seed=2)
    assert shape(one) == shape(again) != shape(other)
    with enact.InMemoryStore():
        stored = enact.commit(one.strategy)()
    assert stored == one.strategy
    assert stored._propose() == one.strategy._propose()


@pytest.mark.parametrize("at", [2, 19])
def test_tuning_that_was_cut_off_goes_on(at: int) -> None:
    pytest.importorskip("optuna")
    CUT.clear()
    with enact.InMemoryStore() as store:
        whole = search()
        MADE.clear()
        CUT[:] = [at]
        with pytest.raises(KeyboardInterrupt):
            search()
        CUT.clear()
        resumed = enact.search.resume(store.runs(name="enact/search")[0])
        assert shape(resumed) == shape(whole)


@pytest.mark.parametrize("executor", [None, 4])
def test_tuning_keeps_to_its_budget(executor: int | None) -> None:
    pytest.importorskip("optuna")
    CUT.clear()
    MADE.clear()
    text = "tune(space={'offset': (20, 40), 'tone': ['b', 'c']}, sampler='random')"
    result = search(text, budget=Budget(calls=30), executor=executor)
    assert result.spent.calls == len(MADE) <= 30
    assert result.best.output > -5


def test_without_optuna_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    MADE.clear()
    with pytest.raises(enact.MissingExtra, match=r"pip install 'enact\[tune\]'"):
        search()
    assert not MADE


@pytest.mark.parametrize(
    "space",
    [{}, {"offset": (3, 3)}, {"offset": (1,)}, {"tone": []}, {"tone": [[1]]},
     {"scale": (0.0, 1.0)}, {"offset": "many"}],
)  # fmt: skip
def test_a_space_that_makes_no_sense_is_refused(space: dict[str, Any]) -> None:
    with pytest.raises(enact.SearchError, match="space"):
        Tune(space, log=["scale"] if "scale" in space else [])


def test_what_cannot_be_tuned_is_told_early() -> None:
    pytest.importorskip("optuna")
    with pytest.raises(enact.SearchError, match=r"no field colour\. It has: offset"):
        search(Tune({"colour": ["red"]}, trials=2))
    with pytest.raises(enact.SearchError, match="a program with fields"):
        enact.search.run(
            programs.number, (1,), score=float, strategy=Tune({"a": [1]}, trials=2)
        )
