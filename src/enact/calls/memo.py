# SPDX-License-Identifier: Apache-2.0
"""Memoizing: an earlier call of the store that answers the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enact.calls import layout

if TYPE_CHECKING:
    from enact.calls.inputs import Input
    from enact.calls.layout import Recorded
    from enact.calls.versions import Versions
    from enact.stores import ValueStore


def find_answer(store: ValueStore, call: Input, versions: Versions) -> Recorded | None:
    """The newest call that returned, for the same request and by the same code.

    Args:
        store: where to look.
        call: what is asked.
        versions: knows the code of today.

    Returns:
        The recorded call; None if there is none whose outcome can be handed out.
    """
    if call.opaque:
        return None
    rows = store.journal.calls(
        request=call.request(), status="completed", newest_first=True
    )
    for row in rows:
        if row.invocation is None:
            continue
        recorded = layout.read_calls([row.invocation], store)[0]
        details = recorded.details
        if details is not None and (details.opaque or details.origin is not None):
            continue
        if versions.changed(recorded, call.target) is None:
            return recorded
    return None
