# SPDX-License-Identifier: Apache-2.0
"""A session: what holds for one execution as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from enact.calls.policy import Policy
from enact.calls.verdicts import CHANGES, CODE_CHANGED, REQUEST_CHANGED
from enact.calls.versions import Versions

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.errors import CallError


class Session:
    """What holds for a whole execution.

    Args:
        policy: what may run, and what may differ.
        source: the store.

    Attributes:
        policy: as given.
        versions: compares recorded code with the code of today.
        explained: some call was not answered from the record, so that the program
            may do other things from here on.
        changed: the program was seen to take another way than the recorded one.
        rewritten: calls do something else than recorded, not only their outcomes.
        verdicts: of calls that were not simply reused, by path.
        error: the first difference that nothing explained. The program may catch it,
            but the replay has failed.
        disorder: a call came in another order than the recorded one, and could not
            wait. The program goes on; it is told in the end.
    """

    __slots__ = (
        "changed",
        "disorder",
        "error",
        "explained",
        "policy",
        "rewritten",
        "verdicts",
        "versions",
    )

    def __init__(self, policy: Policy, source: Any) -> None:
        self.policy = policy
        self.versions = Versions(source)
        self.explained = False
        self.changed = False
        self.rewritten = False
        self.verdicts: dict[str, str] = {}
        self.error: CallError | None = None
        self.disorder: CallError | None = None

    @property
    def is_exact(self) -> bool:
        """Whether a difference from the record is an error."""
        return self.policy.strict and not self.explained

    def failed(self, error: CallError) -> CallError:
        """Note that the replay has failed; gives the first error."""
        if self.error is None:
            self.error = error
        return self.error

    def tell(self, frame: Frame) -> None:
        """A call runs, so that what comes after it may differ."""
        assert frame.verdict is not None
        self.explain(frame.path_in_tree(), frame.verdict)

    def explain(self, path: str, verdict: str) -> None:
        """Note a verdict that explains differences from here on."""
        self.explained = True
        self.changed = self.changed or verdict in CHANGES
        self.rewritten = self.rewritten or verdict in (CODE_CHANGED, REQUEST_CHANGED)
        self.verdicts[path] = verdict
