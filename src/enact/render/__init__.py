# SPDX-License-Identifier: Apache-2.0
"""Values and executions as text."""

from enact.render.printer import PPrinter, pformat, pprint
from enact.render.summary import invocation_summary

__all__ = ["PPrinter", "invocation_summary", "pformat", "pprint"]
