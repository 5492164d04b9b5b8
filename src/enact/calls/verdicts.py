# SPDX-License-Identifier: Apache-2.0
"""Verdicts: what a replay does with each call, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enact.errors import ReplayError

if TYPE_CHECKING:
    from enact.calls.layout import Recorded
    from enact.calls.replayer import Plan
    from enact.calls.targets import Target

REUSED = "reused"
"""The recorded outcome was handed out."""
MEMOIZED = "memoized"
"""The outcome of an equal call elsewhere in the store was handed out."""
EDITED = "edited"
"""The outcome is one that somebody put in."""
ANSWERED = "answered"
"""The outcome is a person's answer."""
RETRIED = "retried"
"""It had failed, or had not come to its end: it ran again."""
RESUMED = "resumed"
"""It had not come to its end: its code ran again, calls below it are answered."""
REQUEST_CHANGED = "rerun: request changed"
"""It was made with another input."""
CODE_CHANGED = "rerun: code changed"
"""Its code, or code below it, is another one now."""
NOT_STORED = "rerun: not stored"
"""A part of its input or output could not be stored."""
NEW = "new"
"""Nothing like it was recorded."""
BANKED = "banked"
"""The outcome is a sample that was drawn for the same request before."""

CHANGES = (CODE_CHANGED, EDITED, REQUEST_CHANGED)
"""After these the program may take another way than the recorded one."""


def decide(
    plan: Plan, index: int, recorded: Recorded, target: Target, path: str
) -> str | None:
    """Say why a call with the recorded request must run again.

    Args:
        plan: of the calling frame.
        index: of the recorded call among the children there.
        recorded: the call.
        target: what would run.
        path: of the call, for messages.

    Returns:
        The verdict; None if the recorded outcome stands.

    Raises:
        ReplayError: its code has changed, and the policy forbids that.
    """
    if recorded.is_given:
        return None  # somebody decided on the outcome, whatever the code
    verdict = _open(plan, index, recorded, target)
    session = plan.session
    policy = session.policy
    if verdict not in (None, RESUMED) or policy.on_code_change == "reuse":
        return verdict or _again(plan, recorded)
    changed = session.versions.changed(recorded, target, deep=verdict is None)
    if changed is None:
        return verdict or _again(plan, recorded)
    if policy.on_code_change == "rerun":
        return CODE_CHANGED
    raise session.failed(
        ReplayError(
            f"the code of {changed!r} is not the code that call {path or 'at the top'} "
            f"of {target.name!r} ran. Next: replay with on_code_change='rerun' to run "
            "it again, or with 'reuse' to take the recorded outcome",
            path,
        )
    )


def _open(plan: Plan, index: int, recorded: Recorded, target: Target) -> str | None:
    """Why a recorded call has no outcome that could stand; None if it has one."""
    details = recorded.details
    again = RESUMED if recorded.has_calls else RETRIED
    if plan.retried(index) and (target.retry is None or recorded.has_calls):
        return again
    if details is not None:
        if details.opaque:
            return NOT_STORED
        if details.status == "paused":
            return RETRIED if recorded.raised_here else RESUMED
        if details.status == "cancelled" and plan.awaits_cancellation():
            return None
    if recorded.output is None and recorded.raised is None:
        return again
    return None


def _again(plan: Plan, recorded: Recorded) -> str | None:
    """Without live calls, the code around recorded calls is run all the same."""
    if plan.session.policy.live != "forbid" or recorded.status == "cancelled":
        return None
    return REUSED if recorded.has_calls else None
