# SPDX-License-Identifier: Apache-2.0
"""Questions that wait, whatever types are known here."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from enact.calls import type_in_words
from enact.errors import MalformedBlock
from enact.query import Store
from enact.render.as_json import as_json
from enact.render.calls import load_value
from enact.render.text import short, visible
from enact.render.words import iso_time
from enact.values import Ref, Unknown, cid_from_text, redact


class Question(NamedTuple):
    """A question that waits, whatever types are known here.

    Attributes:
        run: identifier of the run that waits.
        path: of the call that asks.
        asked: when, seconds since the epoch.
        request: ref to the question.
    """

    run: str
    path: str
    asked: float
    request: Ref[Any]


def waiting_questions(store: Store) -> list[Question]:
    """The questions that nobody has answered, oldest first."""
    paused = {row.id for row in store.backend.runs(status="paused")}
    found: list[Question] = []
    for run, text in store.backend.entries("question").items():
        try:
            found += [
                Question(run, path, float(one["asked"]), _ref(one["request"]))
                for path, one in (json.loads(text).items() if run in paused else ())
                if "answered" not in one
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise MalformedBlock(
                f"the questions of run {run} are not as enact writes them"
            ) from None
    return sorted(found, key=lambda question: (question.asked, question.run))


def _ref(text: str) -> Ref[Any]:
    return Ref(cid_from_text(text))


class Shown(NamedTuple):
    """A question in words.

    Attributes:
        kind: of the answer.
        context: more about it; empty if there is none.
        about: what it is about.
    """

    kind: str
    context: str
    about: str


def in_words(store: Store, question: Question, width: int) -> Shown:
    """A question as it is shown, whatever types are known here."""
    fields = _fields(load_value(store, question.request))
    context = fields["context"]
    text = context if isinstance(context, str) else short(context, width)
    about = fields["for_value"]
    value = load_value(store, about) if isinstance(about, Ref) else about
    return Shown(
        visible(_kind(fields["requested_type"])),
        "" if context is None else visible(redact(text)).replace("\n", " "),
        "" if value is None else short(value, width),
    )


def _fields(request: Any) -> dict[str, Any]:
    if isinstance(request, Unknown):
        return request.fields
    names = ("requested_type", "context", "for_value")
    return {name: getattr(request, name) for name in names}


def _kind(kind: Any) -> str:
    return short(kind) if isinstance(kind, Unknown) else type_in_words(kind)


def question_data(store: Store, question: Question) -> dict[str, Any]:
    """A question as JSON."""
    fields = _fields(load_value(store, question.request))
    about = fields["for_value"]
    return {
        "run": question.run,
        "path": question.path,
        "asked": iso_time(question.asked),
        "type": _kind(fields["requested_type"]),
        "context": as_json(fields["context"]),
        "for_value": as_json(
            load_value(store, about) if isinstance(about, Ref) else about
        ),
    }
