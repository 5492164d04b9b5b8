# SPDX-License-Identifier: Apache-2.0
"""A large run as one file for the browser, which builds what is looked at.

The calls are in the file as packed pieces of JSON. A script of ours, the only one that
the file lets run, unpacks a piece when one of its calls is to be shown.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from importlib import resources
from typing import IO, Any

from enact.explorer.details import details_of
from enact.explorer.pages import environment
from enact.explorer.scope import Scope
from enact.explorer.tree import line_of
from enact.query import Found, Place
from enact.query.places import walk
from enact.render import short_name, visible
from enact.render.words import duration_in_words

MOST_CALLS = 100_000
_PIECE = 250


class Pieces:
    """The calls of a file, piece by piece; gathers what is known of all meanwhile.

    Attributes:
        count: how many calls there are so far.
        cut: whether more were left out.
    """

    def __init__(self, scope: Scope, found: Found) -> None:
        self._scope = scope
        self._found = found
        self.count = 0
        self.cut = False
        self._levels: list[int] = []
        self._names: dict[str, int] = {}
        self._name_of: list[int] = []
        self._statuses: dict[str, int] = {}
        self._status_of: list[int] = []

    def __iter__(self) -> Iterator[str]:
        view = self._found.invocation
        assert view is not None
        top = self._scope.places.top(view)
        start = len(view.path)
        piece: list[Any] = []
        for item in walk(self._scope.places, top, None, MOST_CALLS):
            if not isinstance(item, Place) or self.count >= MOST_CALLS:
                self.cut = True
                break
            piece.append(self._call(item, len(item.view.path) - start))
            self.count += 1
            if len(piece) == _PIECE:
                yield _packed(piece)
                piece = []
        if piece:
            yield _packed(piece)

    def _call(self, place: Place, level: int) -> list[Any]:
        line = line_of(place)
        self._levels.append(level)
        name = visible(short_name(place.view.name))
        self._name_of.append(self._names.setdefault(name, len(self._names)))
        known = self._statuses
        self._status_of.append(known.setdefault(line.status, len(known)))
        took = "" if line.took is None else duration_in_words(line.took)
        facts = [
            line.verdict,
            f"lane {line.lane}" if line.lane else "",
            line.usage,
            took,
        ]
        return [
            line.call, line.outcome, line.status, " ".join(filter(None, facts)),
            line.path, _details(details_of(self._scope, place)),
        ]  # fmt: skip

    def index(self) -> str:
        """Levels, names and statuses of all calls; known when all were gone through."""
        return _packed(
            {
                "levels": self._levels,
                "names": list(self._names),
                "nameOf": self._name_of,
                "statuses": list(self._statuses),
                "statusOf": self._status_of,
                "piece": _PIECE,
            }
        )


def _details(fields: dict[str, Any]) -> str:
    template = environment().get_template("file_details.html")
    return template.render(it=fields)


def _packed(value: Any) -> str:
    data = json.dumps(value, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def write_large(
    stream: IO[str], scope: Scope, found: Found, fields: dict[str, Any]
) -> Pieces:
    """Write a large run as HTML.

    Args:
        stream: where to.
        scope: of the run.
        found: what to write.
        fields: of its head and timeline.

    Returns:
        How much is in it.
    """
    static = resources.files("enact.explorer").joinpath("static")
    script = static.joinpath("file.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    pieces = Pieces(scope, found)
    template = environment().get_template("large_file.html")
    for part in template.generate(
        css=static.joinpath("style.css").read_text("utf-8"), script=script,
        digest=digest, view=found.invocation, pieces=pieces, most=MOST_CALLS,
        linked=False, **fields,
    ):  # fmt: skip
        stream.write(part)
    return pieces
