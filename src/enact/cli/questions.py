# SPDX-License-Identifier: Apache-2.0
"""``enact inbox`` and ``enact answer``: questions to people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO, Any

import click

from enact.calls import type_in_words
from enact.cli.app import app_option, load_apps
from enact.cli.errors import Failure
from enact.cli.options import Name, json_option, store_option
from enact.cli.output import Line, note, show_json, show_table, values_width
from enact.cli.running import resume_run
from enact.cli.stores import changing, looking
from enact.human import PendingRequest
from enact.query import Store, find_run
from enact.query.images import MOST_BYTES, is_file, read_file, without_none
from enact.query.lookup import short_runs
from enact.query.reading import read_value
from enact.render.questions import (
    Question,
    in_words,
    question_data,
    waiting_questions,
)
from enact.render.words import ago_in_words, counted


@click.command()
@json_option
@store_option
def inbox(as_data: bool, url: str | None) -> None:
    """List the questions to people that wait, oldest first."""
    with looking(url) as store:
        found = waiting_questions(store)
        if as_data:
            show_json([question_data(store, question) for question in found])
            return
        if not found:
            note("no questions wait")
            return
        width = values_width()
        length = short_runs(store, [question.run for question in found])
        rows = []
        for question in found:
            shown = in_words(store, question, width)
            name = Line(question.run[:length], "id").add(f"/{question.path}")
            asked = Line(ago_in_words(question.asked), "dim")
            rows.append((name, asked, shown.kind, shown.context, Line(shown.about)))
        show_table(("QUESTION", "ASKED", "TYPE", "CONTEXT", "ABOUT"), rows)


@click.command()
@click.argument("what", type=Name(), required=False)
@click.argument("value", required=False)
@click.option("--decline", metavar="WHY", help="Refuse to answer, and say why.")
@click.option("--file", type=click.File("rb"), help="Answer with a file, or - (stdin).")
@click.option("--resume", is_flag=True, help="Let the run go on with the answer.")
@app_option
@json_option
@store_option
def answer(
    what: str | None,
    value: str | None,
    decline: str | None,
    file: IO[bytes] | None,
    resume: bool,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Answer a question of the inbox, once.

    WHAT is a run, with the path of the question behind it if several wait. VALUE is the
    answer: text as it is, other types as JSON (yes and no for bool, names for
    enumerations). Without VALUE it is asked for.
    """
    given = [one for one in (value, decline, file) if one is not None]
    if len(given) > 1:
        raise click.UsageError("give one of VALUE, --decline and --file")
    if resume or apps:
        load_apps(apps)
    with changing(url) as store:
        question = _find(store, what)
        pending = PendingRequest(
            store, question.run, question.path,
            {"asked": question.asked, "request": question.request.id},
        )  # fmt: skip
        if decline is not None:
            pending.decline(decline)
        else:
            wanted = pending.requested_type
            if file is not None:
                pending.answer(_in_file(file, wanted))
            else:
                text = _ask(store, question) if value is None else value
                pending.answer(read_value(text, wanted))
        if resume:
            resume_run(store, question.run, as_data=as_data)
            return
        left = [one for one in waiting_questions(store) if one.run == question.run]
        if as_data:
            show_json({"run": question.run, "path": question.path, "left": len(left)})
            return
        done = "declined" if decline is not None else "answered"
        more = f"{counted(len(left), 'more question')} of this run" if left else ""
        verb = "waits" if len(left) == 1 else "wait"
        click.echo(f"{done}; {more} {verb}" if left else
                   f"{done}; `enact resume {question.run}` goes on")  # fmt: skip


def _in_file(file: IO[bytes], wanted: Any) -> Any:
    """The value that a file stands for: an image or bytes as they are, else text."""
    kind = without_none(wanted)
    data = file.read(MOST_BYTES + 1) if is_file(kind) else file.read()
    if is_file(kind):
        return read_file(data, kind)
    try:
        text = data.decode("utf-8").replace("\r\n", "\n").removesuffix("\n")
    except UnicodeDecodeError:
        raise Failure(
            f"{file.name} is no text (UTF-8), and {type_in_words(wanted)} is asked for"
        ) from None
    return read_value(text, wanted)


def _find(store: Store, what: str | None) -> Question:
    found = waiting_questions(store)
    if what is None:
        if len(found) == 1:
            return found[0]
        told = "no questions wait" if not found else f"{len(found)} questions wait"
        raise Failure(f"{told}: `enact inbox` lists them; say which is meant")
    name, _, path = what.partition("/")
    run = find_run(store, name)
    mine = [one for one in found if one.run == run.id]
    chosen = [one for one in mine if one.path == path] if path else mine
    if len(chosen) == 1:
        return chosen[0]
    if not mine:
        raise Failure(f"run {run.id} waits for no answer: it is {run.status}")
    paths = ", ".join(f"{name}/{one.path}" for one in mine)
    raise Failure(f"run {run.id} asks at {paths}: say which of them is meant")


def _ask(store: Store, question: Question) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is here to ask: give VALUE, --decline or --file")
    shown = in_words(store, question, 2000)
    if shown.about:
        click.echo(f"About: {shown.about}")
    text: str = click.prompt(f"{shown.context or 'Your answer'} ({shown.kind})")
    return text
