# SPDX-License-Identifier: Apache-2.0
"""Policy: what the caller of an execution wants of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.errors import CallError
from enact.values import Ref

if TYPE_CHECKING:
    from enact.calls.preview import Forecast
    from enact.calls.sampling import Sampler

Override = Callable[[Ref[Any]], "Ref[Any] | None"]


class Policy(NamedTuple):
    """What may run, and what may differ from a recording.

    Attributes:
        strict: stop at a difference from the recording that nothing explains.
        override: given a ref to a recorded exception, gives a ref to the value that
            takes its place, or None.
        on_code_change: what becomes of a recorded outcome when its code has changed:
            ``"rerun"``, ``"reuse"``, or ``"error"``.
        live: ``"allow"``, or ``"forbid"``: no call may run that was not recorded, and
            the code around recorded calls is run again.
        memoize: any call may be answered by an earlier one of the store.
        in_doubt: ``"retry"`` to run calls again that must not be tried twice and were
            in flight when their run was cut off; else ``"raise"``.
        forecast: collects what would run; nothing does but code around registered
            leaf calls.
        sampler: is asked about each call that would run.
    """

    strict: bool = True
    override: Override | None = None
    on_code_change: str = "rerun"
    live: str = "allow"
    memoize: bool = False
    forecast: Forecast | None = None
    in_doubt: str = "raise"
    sampler: Sampler | None = None

    def check(self) -> Policy:
        """This policy.

        Raises:
            CallError: it has an option that does not exist.
        """
        for name, allowed in (
            ("on_code_change", ("rerun", "reuse", "error")),
            ("live", ("allow", "forbid")),
            ("in_doubt", ("raise", "retry")),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise CallError(
                    f"{name}={value!r}: it must be one of "
                    f"{', '.join(map(repr, allowed))}"
                )
        return self
