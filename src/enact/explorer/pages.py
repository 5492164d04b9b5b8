# SPDX-License-Identifier: Apache-2.0
"""Templates, and what every page has."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from enact.errors import EnactError
from enact.explorer.jobs import Jobs
from enact.explorer.source import Source
from enact.explorer.usage import Usages
from enact.render import short_name, visible
from enact.render.questions import waiting_questions
from enact.render.words import (
    ago_in_words,
    counted,
    duration_in_words,
    full_time,
    size_in_words,
    time_in_words,
)


class Pages:
    """Makes pages of templates; everything in them is escaped.

    Args:
        source: of what they show.
        apps: modules of the user's program that are loaded; without any, nothing runs
            and nothing is changed.

    Attributes:
        source: of what they show.
        acting: whether the user's program is here, to be run.
        jobs: what was started.
        usages: what runs used.
    """

    def __init__(self, source: Source, apps: Sequence[str] = ()) -> None:
        self.source = source
        self.apps = tuple(apps)
        self.acting = bool(apps)
        self.jobs = Jobs(source)
        self.usages = Usages()

    def show(
        self, request: Request, template: str, answer: int = 200, **fields: Any
    ) -> Response:
        """A page, or for htmx the part of it that the template ``*_part`` makes."""
        return HTMLResponse(self._text(request, template, fields), answer)

    def _text(self, request: Request, template: str, fields: Mapping[str, Any]) -> str:
        return (
            environment()
            .get_template(template)
            .render(
                pages=self,
                path=request.url.path,
                query=defaultdict(str, request.query_params),
                **fields,
            )
        )

    def waiting(self) -> int:
        """How many questions wait; 0 where the store cannot tell."""
        try:
            with self.source.opened() as store:
                return len(waiting_questions(store))
        except EnactError:  # the page itself says what is wrong
            return 0


@functools.cache
def environment() -> jinja2.Environment:
    """Templates that escape everything, and fail where something is missing."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("enact.explorer"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        ago=ago_in_words,
        counted=counted,
        duration=duration_in_words,
        full_time=full_time,
        short_name=short_name,
        size=size_in_words,
        time=time_in_words,
        visible=visible,
    )
    made.globals["address"] = address
    return made


def address(path: str, /, **fields: Any) -> str:
    """A path with a query; what is None or empty is left out."""
    kept = {key: value for key, value in fields.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path
