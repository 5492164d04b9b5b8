# SPDX-License-Identifier: Apache-2.0
"""Experiments: paired comparisons that are recorded, and rows for training."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import math
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import enact
from enact.experiments import Searched, bootstrap, compare, evidence, pass_at_k
from tests.search import programs_to_search as programs
from tests.search.programs_to_search import sample

RAN: list[object] = []
CUT: list[int] = []


@enact.register(name="experiments/ask")
def ask(prompt: str) -> int:
    RAN.append(prompt)
    if len(RAN) in CUT:
        raise KeyboardInterrupt
    return sample(prompt)


@enact.register(name="experiments/once")
def once(topic: str) -> int:
    return ask(f"a number for {topic}")


@enact.register(name="experiments/better")
def better(topic: str) -> int:
    return max(ask(f"a number for {topic}"), ask(f"another for {topic}"))


@enact.register(name="experiments/Prompted")
@dataclasses.dataclass
class Prompted(enact.Invokable[str, int]):
    prompt: str

    def call(self, topic: str) -> int:
        got = ask(self.prompt + topic)
        if got == 0:
            raise ValueError("zero")
        return got


TOPICS = [f"topic {n}" for n in range(12)]


def test_variants_are_compared_on_the_same_inputs() -> None:
    with enact.InMemoryStore() as store:
        found = compare(
            {"once": once, "better": better}, TOPICS, score=float, n=4, bank=store
        )
    assert [row.name for row in found.rows] == ["once", "better"]
    row = found["better"]
    means = [found.means(name) for name in ("once", "better")]
    apart = [means[1][n] - means[0][n] for n in range(12)]
    assert row.difference == pytest.approx(sum(apart) / 12)
    # The bank gives both the same first numbers, so it is never worse.
    assert min(apart) >= 0 and row.wins > 0.5
    low, high = row.difference_interval
    assert low < row.difference < high
    assert (found["once"].calls, row.calls) == (1, 1)
    assert found["once"].difference is None


def test_variants_may_be_objects_with_other_fields_and_may_fail() -> None:
    prompts = {name: Prompted(name) for name in ("write: ", "say: ")}
    found = compare(prompts, TOPICS, score=float, n=10, failure=-1.0, threshold=8)
    failed = [score for cell in found.cells for score in cell.scores].count(None)
    assert failed == sum(row.failures for row in found.rows) > 0
    for row in found.rows:
        assert 0 < row.passes[1] < row.passes[2] < row.passes[8] < 1
    assert "pass@8" in str(found) and "write: " in str(found)


def test_searches_are_variants_too() -> None:
    budget = enact.search.Budget(calls=12)
    found = compare(
        {
            name: Searched(programs.number, name, budget)
            for name in ("best_of", "beam(width=2, expand=2)")
        },
        [2, 3],
        score=float,
    )
    assert all(cell.calls <= 12 for cell in found.cells)
    assert all(row.score > 0 for row in found.rows)


def test_searches_that_share_a_bank_draw_equally_many_samples() -> None:
    names = ("best_of", "majority", "dfs(width=4)", "mcts")

    def found(budget: enact.search.Budget) -> enact.experiments.Comparison:
        variants = {name: Searched(programs.number, name, budget) for name in names}
        with enact.InMemoryStore() as store:
            return compare(variants, [2, 3], score=float, bank=store)

    table = found(enact.search.Budget(draws=12))
    assert all(0 < cell.draws <= 12 for cell in table.cells)
    # What one of them draws, the others need not pay for.
    assert table["majority"].calls == 0 < table["best_of"].calls
    assert "draws" in str(table)
    with pytest.raises(enact.SearchError, match=r"no equal cost.*Budget\(draws=12\)"):
        found(enact.search.Budget(calls=12))


def test_what_is_decided_is_stopped_early() -> None:
    worse = {"low": certain_low, "high": certain_high}
    found = compare(worse, list(range(50)), score=float, alpha=0.05)
    assert "stopped early" in found.stopped
    inputs = {cell.input for cell in found.cells}
    assert 5 <= len(inputs) < 12
    same = compare([certain_low], list(range(20)), score=float, alpha=0.05)
    assert same.stopped == "all inputs were run"


@enact.register(name="experiments/certain_low")
def certain_low(n: int) -> int:
    return n


@enact.register(name="experiments/certain_high")
def certain_high(n: int) -> int:
    return n + 1


def test_an_experiment_that_was_cut_off_goes_on() -> None:
    variants = {"once": once, "better": better}
    with enact.InMemoryStore() as store:
        whole = compare(variants, TOPICS[:3], score=float, n=2)
        total = len(RAN)
        RAN.clear()
        CUT[:] = [8]
        with pytest.raises(KeyboardInterrupt):
            compare(variants, TOPICS[:3], score=float, n=2)
        CUT.clear()
        before = len(RAN)
        run = store.runs(name="enact/experiments/compare")[0]
        RAN.clear()
        resumed = enact.experiments.resume(run)
        assert len(RAN) <= 18 - before + 1 < total
        assert [c.scores for c in resumed.cells] == [c.scores for c in whole.cells]
        loaded = enact.experiments.load(run.id)
        assert loaded.records() == resumed.records()


def in_a_process(path: Path, banked: str, kill_at: int) -> tuple[str | None, int]:
    """What it prints, None if it was killed; and how many calls ran."""
    module = "tests.experiments.killed_experiment"
    done = subprocess.run(
        [sys.executable, "-m", module, path, banked, str(kill_at)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    if done.returncode == -9:
        return None, kill_at
    assert done.returncode == 0, done.stderr
    return done.stdout, int(done.stderr.rpartition(" ")[2])


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("banked", ["banked", "alone"])
def test_an_experiment_that_was_killed_goes_on(tmp_path: Path, banked: str) -> None:
    whole, calls = in_a_process(tmp_path / "whole.db", banked, 0)
    for at in (2, calls // 2, calls):
        path = tmp_path / f"{at}.db"
        assert in_a_process(path, banked, at)[0] is None
        found, ran = in_a_process(path, banked, 0)
        assert found == whole
        assert ran == calls - at + 1  # the call that was under way runs again


def test_results_go_to_other_tools(tmp_path: Path) -> None:
    found = compare([once, better], TOPICS[:3], score=float, n=2)
    found.to_csv(tmp_path / "found.csv")
    with open(tmp_path / "found.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and rows[0]["variant"] == "experiments/once"
    found.to_json(tmp_path / "found.json")
    data = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert data["rows"][0]["difference"] is None and len(data["records"]) == 12


def test_results_become_data_frames_and_pictures(tmp_path: Path) -> None:
    found = compare({"once": once, "better": better}, TOPICS[:4], score=float, n=3)
    pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert list(frame["variant"].unique()) == ["once", "better"] and len(frame) == 24
    pytest.importorskip("matplotlib")
    figure = found.plot(tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "calls per execution"
    names = {text.get_text() for text in figure.legends[0].get_texts()}
    assert names == {"once", "better"}
    many = {f"prompt {n}": Prompted(f"{n}: ") for n in range(14)}
    (axes,) = compare(many, TOPICS[:2], score=float).plot().figure.axes
    looks = {(bar[0].get_color(), bar[0].get_marker()) for bar in axes.containers}
    assert len(looks) == 14
    with pytest.raises(enact.SearchError, match=r"cost='money'.*calls, seconds"):
        found.plot(cost="money")


@pytest.mark.parametrize(
    ("module", "extra", "use"),
    [
        ("pandas", "pandas", lambda found, path: found.to_pandas()),
        ("matplotlib", "plot", lambda found, path: found.plot()),
        ("pyarrow", "parquet", enact.experiments.write_parquet),
    ],
)
def test_without_a_library_it_says_how_to_install_it(
    module: str, extra: str, use: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = compare([certain_low], [1], score=float)
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    given = found if extra != "parquet" else found.records()
    with pytest.raises(enact.MissingExtra, match=rf"enact\[{extra}\]"):
        use(given, tmp_path / "rows")


@enact.register(name="experiments/doomed")
def doomed(topic: str) -> int:
    ask(topic)
    raise ValueError("doomed")


def test_what_fails_costs_what_it_cost() -> None:
    doom = Searched(doomed, "best_of(n=3)")
    found = compare({"plain": doomed, "searched": doom}, TOPICS[:2], score=float, n=2)
    assert [row.failures for row in found.rows] == [4, 4]
    assert [row.calls for row in found.rows] == [1, 3]


@enact.register(name="experiments/noted", deterministic=True)
def noted(topic: str) -> int:
    return len(topic)


@enact.register(name="experiments/constant")
def constant(topic: str) -> int:
    return noted(topic)


@enact.register(name="experiments/at_length")
def at_length(invocation: enact.Invocation) -> float:
    return float(invocation.output)


async def later(output: int) -> float:
    return float(output)


@pytest.mark.parametrize("score", [at_length, later])
def test_what_draws_nothing_is_scored_like_the_rest(score: Any) -> None:
    found = compare([constant], ["abc", "a"], score=score)
    assert [cell.scores for cell in found.cells] == [[3.0], [1.0]]


def test_scores_that_are_missing_or_no_numbers_are_errors() -> None:
    for program in (constant, once):
        with pytest.raises(enact.SearchError, match="has no score: give `score=`"):
            compare([program], TOPICS[:1])
        with pytest.raises(enact.InvalidScore, match="nan"):
            compare([program], TOPICS[:1], score=lambda output: math.nan)
        with pytest.raises(enact.InvalidScore, match="ZeroDivisionError"):
            compare([program], TOPICS[:1], score=lambda output: 1 / 0)


@enact.register(name="experiments/person")
def person(output: int) -> float:
    return float(enact.request_input(int, for_value=output, context="How good?"))


def test_a_comparison_waits_for_nobody() -> None:
    with pytest.raises(enact.SearchError, match="'once' asks a person"):
        compare({"once": once}, TOPICS[:1], score=person)


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(enact.SearchError, match="at least one"):
        compare([], [1], score=float)
    with pytest.raises(enact.SearchError, match="n=0"):
        compare([once], [1], score=float, n=0)
    with pytest.raises(enact.NotReplayable, match="register"):
        compare({"plain": lambda topic: 1}, [1], score=float)
    search = Searched(programs.number, "beam")
    with pytest.raises(enact.SearchError, match="same samples"):
        compare({"a": search}, [1], score=float, n=2, bank=enact.InMemoryStore())


# --- statistics -----------------------------------------------------------------------


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (6, 6, 2)])
def test_pass_at_k_is_the_share_of_all_choices(n: int, c: int, k: int) -> None:
    choices = list(itertools.combinations([i < c for i in range(n)], k))
    share = sum(any(choice) for choice in choices) / len(choices)
    assert pass_at_k(n, c, k) == pytest.approx(share)


def test_intervals_cover_the_mean_about_as_often_as_they_say() -> None:
    import random

    chance = random.Random(1)
    covered = 0
    for _ in range(60):
        low, high = bootstrap([chance.gauss(3, 1) for _ in range(30)], 0.9)
        covered += low < 3 < high
    assert 44 <= covered <= 60
    assert math.isnan(bootstrap([1.0])[0])


def test_the_sequential_test_errs_as_seldom_as_it_says() -> None:
    import random

    chance = random.Random(2)
    wrong = 0
    for _ in range(300):
        apart: list[float] = []
        for _ in range(60):
            apart.append(chance.choice([-1.0, 1.0]))
            if evidence(apart) >= 20:
                wrong += 1
                break
    assert wrong <= 300 * 0.05 * 1.5


# --- training -------------------------------------------------------------------------


@enact.register(name="experiments/model")
def model(prompt: str) -> str:
    return prompt + str(sample(prompt))


@enact.register(name="experiments/story")
def story(start: str) -> str:
    text = start
    for _ in range(3):
        text = model(text)
    return text


def digits(text: str) -> float:
    return float(sum(int(one) for one in text if one.isdigit()))


@pytest.fixture(name="found")
def _found() -> Any:
    return enact.search.run(story, ("x",), score=digits, strategy="bfs(width=3)")


def test_calls_become_rows(found: Any, tmp_path: Path) -> None:
    inv = found.best.invocation
    rows = enact.experiments.prompt_completions([inv], model)
    assert [row["prompt"] for row in rows] == ["x", inv[0].output, inv[1].output]
    assert rows[2]["completion"] == inv.output
    assert all(row["root"] == inv.request.id for row in rows)
    # Also of a part of an execution: else a split would tear it apart.
    (part,) = enact.experiments.prompt_completions([inv[1]], model)
    assert (part["root"], part["invocation"]) == (inv.request.id, inv[1].ref.id)
    chats = enact.experiments.chats([inv], model)
    assert chats[0]["messages"][0] == {"role": "user", "content": "x"}
    path = tmp_path / "rows.jsonl"
    assert enact.experiments.write_jsonl(chats, path) == 3
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == chats


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_rows_load_with_datasets(
    found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of theirs
        datasets = pytest.importorskip("datasets")
        for rows in (
            enact.experiments.preferences(found),
            enact.experiments.groups(found),
            enact.experiments.step_values(found),
            enact.experiments.chats([found.best.invocation], model),
            enact.experiments.prompt_completions([found.best.invocation], model),
        ):
            path = tmp_path / f"rows.{kind}"
            if kind == "json":
                enact.experiments.write_jsonl(rows, path)
            else:
                enact.experiments.write_parquet(rows, path)
            loaded = datasets.load_dataset(
                kind, data_files=str(path), split="train", cache_dir=str(tmp_path)
            )
            assert list(loaded) == rows


def test_rows_become_parquet(found: Any, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = enact.experiments.preferences(found)
    path = tmp_path / "rows.parquet"
    assert enact.experiments.write_parquet(rows, path) == len(rows)
    assert parquet.read_table(path).to_pylist() == rows
    assert enact.experiments.write_parquet([], path) == 0
    with pytest.raises(enact.SearchError, match="several types"):
        enact.experiments.write_parquet([{"a": 1}, {"a": "one"}], path)


def test_siblings_become_preferences_and_groups(found: Any) -> None:
    pairs = enact.experiments.preferences(found)
    assert pairs
    for pair in pairs:
        assert pair["chosen"].startswith(pair["prompt"])
        assert pair["rejected"].startswith(pair["prompt"])
        assert pair["chosen_score"] > pair["rejected_score"]
    last = [pair for pair in pairs if len(pair["prompt"]) == 3]
    assert all(digits(pair["chosen"]) == pair["chosen_score"] for pair in last)
    for group in enact.experiments.groups(found):
        assert len(group["completions"]) == len(group["rewards"]) == 3
        if len(group["prompt"]) == 3:
            assert list(map(digits, group["completions"])) == group["rewards"]


def test_values_of_steps_are_means_of_what_is_below(found: Any) -> None:
    rows = enact.experiments.step_values(found)
    first = [row for row in rows if row["prompt"] == "x"]
    assert [row["count"] for row in first] == [9, 9, 9]
    outputs = [found.tree.output(n) for n in found.tree if n.kind == "complete"]
    for row in first:
        below = [digits(t) for t in outputs if t.startswith(row["completion"])]
        assert row["value"] == pytest.approx(sum(below) / len(below))


@enact.register(name="experiments/chat")
def chat(messages: list[dict[str, str]], temperature: float = 0.8) -> str:
    return messages[-1]["content"].upper() + str(sample(messages))


@enact.register(name="experiments/about")
def about(topic: str, before: str, temperature: float) -> str:
    return f"{before} {topic} {sample(topic, before)}"


@enact.register(name="experiments/talk")
def talk(topic: str) -> str:
    first = chat([{"role": "user", "content": topic}], temperature=0.5)
    return about(topic, first, 0.9)


def test_what_a_call_was_asked_is_no_setting_of_the_model() -> None:
    with enact.InMemoryStore():
        result = enact.search.run(talk, ("sea",), score=len, strategy="bfs(width=2)")
        inv = result.best.invocation
    first = chat_of(inv)
    rows = enact.experiments.prompt_completions([inv], about)
    assert rows[0]["prompt"] == json.dumps(["sea", first, 0.9])
    rows = enact.experiments.prompt_completions(
        [inv], about, prompt=lambda view: view.input.args[1], completion=len_of
    )
    assert (rows[0]["prompt"], rows[0]["completion"]) == (first, str(len(inv.output)))
    chats = enact.experiments.chats([inv], chat)
    assert [one["role"] for one in chats[0]["messages"]] == ["user", "assistant"]
    with pytest.raises(enact.SearchError, match="neither one text nor a list of mess"):
        enact.experiments.chats([inv], about)
    for make in (enact.experiments.groups, enact.experiments.step_values):
        rows = make(result, prompt=lambda view: view.name)
        names = {row["prompt"] for row in rows}
        assert names == {"experiments/chat", "experiments/about"}


def chat_of(inv: enact.Invocation) -> str:
    return str(inv[0].output)


def len_of(view: enact.Invocation) -> int:
    return len(view.output)


def test_credentials_are_taken_out_of_rows() -> None:
    secret = "sk-proj-" + "a1B2" * 12
    with enact.InMemoryStore():
        inv = enact.invoke(model, (f"my key is {secret}",))
    (row,) = enact.experiments.prompt_completions([inv], model)
    assert secret not in json.dumps(row) and "redacted" in row["prompt"]


def test_an_experiment_that_was_killed_before_it_began_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with enact.open_store(tmp_path / "runs.db") as store:
        compare([once], TOPICS[:1], score=float)
        run = store.runs(name="enact/experiments/compare")[0]
        monkeypatch.setattr("enact.query.records.recorded_by", lambda *_: None)
        assert run.invocation is None  # as of a run that has no call yet
        with pytest.raises(enact.SearchError, match=r"before anything.*compare` again"):
            enact.experiments.resume(run)
