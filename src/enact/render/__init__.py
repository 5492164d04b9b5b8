# SPDX-License-Identifier: Apache-2.0
"""Values and executions as text."""

from enact.render.as_json import as_json
from enact.render.bar import Bar, is_watched
from enact.render.calls import call_text, load, load_value, outcome_text, request_text
from enact.render.notebook import html_of, html_of_text, show
from enact.render.printer import PPrinter, pformat, pprint
from enact.render.summary import invocation_summary
from enact.render.text import HIDDEN, short, short_name, visible

__all__ = [
    "HIDDEN",
    "Bar",
    "PPrinter",
    "as_json",
    "call_text",
    "html_of",
    "html_of_text",
    "invocation_summary",
    "is_watched",
    "load",
    "load_value",
    "outcome_text",
    "pformat",
    "pprint",
    "request_text",
    "short",
    "short_name",
    "show",
    "visible",
]
