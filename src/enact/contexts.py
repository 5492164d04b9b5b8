# SPDX-License-Identifier: Apache-2.0
"""Contexts: what code that runs elsewhere takes along, and the lack of a store."""

from enact.calls import with_current_contexts, with_new_contexts
from enact.errors import NoActiveContext

__all__ = ["NoActiveContext", "with_current_contexts", "with_new_contexts"]
