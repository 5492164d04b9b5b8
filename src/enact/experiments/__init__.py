# SPDX-License-Identifier: Apache-2.0
"""Experiments: variants compared on the same inputs, and rows for training."""

from enact.experiments.compare import Searched, compare, load, resume
from enact.experiments.comparison import Cell, Comparison
from enact.experiments.files import write_jsonl, write_parquet
from enact.experiments.row import Row
from enact.experiments.statistics import bootstrap, evidence, pass_at_k, win_rate
from enact.experiments.training import (
    chats,
    groups,
    preferences,
    prompt_completions,
    split,
    step_values,
)

__all__ = [
    "Cell",
    "Comparison",
    "Row",
    "Searched",
    "bootstrap",
    "chats",
    "compare",
    "evidence",
    "groups",
    "load",
    "pass_at_k",
    "preferences",
    "prompt_completions",
    "resume",
    "split",
    "step_values",
    "win_rate",
    "write_jsonl",
    "write_parquet",
]
