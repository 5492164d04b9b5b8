# SPDX-License-Identifier: Apache-2.0
"""``enact inbox`` and ``enact answer``: questions to people."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from enact.query import Store
from enact.values import Ref, cid_from_text


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
    found = [
        Question(run, path, fields["asked"], Ref(cid_from_text(fields["request"])))
        for run, text in store.backend.entries("question").items()
        if run in paused
        for path, fields in json.loads(text).items()
        if "answered" not in fields
    ]
    return sorted(found, key=lambda question: (question.asked, question.run))
