# SPDX-License-Identifier: Apache-2.0
"""``enact status``: where the store is, how big, and what is in it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from enact.cli.options import json_option, store_option
from enact.cli.output import Line, show_fact, show_json
from enact.cli.stores import looking
from enact.query import Run, Store
from enact.render import visible
from enact.render.questions import waiting_questions
from enact.render.words import ago_in_words, counted, size_in_words
from enact.stores import Figures


@click.command()
@json_option
@store_option
def status(as_data: bool, url: str | None) -> None:
    """Say where the store is, how big, what is in it."""
    with looking(url) as store:
        figures = store.figures()
        runs = _runs(store, figures)
        questions = len(waiting_questions(store))
        latest = store.backend.runs(limit=1)
        if as_data:
            show_json(_data(figures, runs, questions))
            return
        show_fact("store", Line(figures.place, "bold"))
        beside = len(figures.files) - 1
        more = f", with {counted(beside, 'file')} beside it" if beside else ""
        show_fact("size", size_in_words(figures.bytes) + more)
        told = ", ".join(f"{number} {word}" for word, number in runs.items())
        show_fact("runs", f"{sum(runs.values()):,}" + (f" ({told})" if told else ""))
        if latest:
            show_fact("latest", ago_in_words(latest[0].started))
        show_fact("calls", f"{figures.calls:,}")
        show_fact("blocks", f"{figures.blocks:,}")
        show_fact("tags", f"{figures.entries.get('tag', 0):,}")
        hint = " (`enact inbox`)" if questions else ""
        show_fact("questions", Line(f"{questions:,}").add(hint, "dim"))
        if figures.entries.get("tombstone"):
            show_fact("purged", f"{figures.entries['tombstone']:,}")
        for writer in figures.writers:
            show_fact("written by", visible(writer))


def _runs(store: Store, figures: Figures) -> dict[str, int]:
    """Runs by status; those of dead processes are interrupted, not running."""
    counts = Counter(dict(figures.runs))
    if counts.pop("running", 0):
        for row in store.backend.runs(status="running"):
            counts[Run(store, row).status] += 1
    return dict(sorted(counts.items()))


def _data(figures: Figures, runs: dict[str, int], questions: int) -> dict[str, Any]:
    return {
        "store": figures.place,
        "format": figures.format,
        "bytes": figures.bytes,
        "files": dict(figures.files),
        "runs": runs,
        "calls": figures.calls,
        "blocks": figures.blocks,
        "tags": figures.entries.get("tag", 0),
        "questions": questions,
        "writers": list(figures.writers),
    }
