# SPDX-License-Identifier: Apache-2.0
"""Questions to people, asked from within a program.

``request_input`` pauses the invocation that asks. The invocation can be stored, and
continued with an answer later, elsewhere, and more than once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from enact.calls import Invocation, Invokable, fits, register, type_in_words
from enact.calls.lanes import CURRENT
from enact.errors import (
    InputRequestOutsideInvocation,
    NoSuchCall,
    Signal,
    WrongAnswer,
)
from enact.values import Ref, adapter, shown

_NO_DEFAULT: Any = object()


class InputRequest(Signal):
    """A question that waits for a person's answer.

    It is raised where the question is asked, through everything above, and is what
    a paused invocation has as ``get_raised()``. It is no ``Exception``, so that a
    program that handles its errors does not take it for one.

    Attributes:
        for_value: ref to the value that the question is about.
        requested_type: of the answer: a class, ``list[int]``, a union, ...
        context: more about the question; any value.
        invokable: ref to the ``RequestInput`` that asked.
    """

    def __init__(
        self,
        for_value: Ref[Any],
        requested_type: Any,
        context: Any = None,
        invokable: Ref[Any] | None = None,
    ) -> None:
        super().__init__(for_value, requested_type, context, invokable)
        self.for_value = for_value
        self.requested_type = requested_type
        self.context = context
        self.invokable = invokable

    def __str__(self) -> str:
        about = f": {self.context}" if self.context is not None else ""
        return f"an answer ({type_in_words(self.requested_type)}) is asked for{about}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputRequest) and self.args == other.args

    def __hash__(self) -> int:
        return hash((self.for_value, self.invokable))

    def check(self, value: Any) -> None:
        """See whether ``value`` can be the answer.

        Raises:
            WrongAnswer: it is not of the type that was asked for.
        """
        if not fits(value, self.requested_type):
            raise WrongAnswer(
                f"the answer must be {type_in_words(self.requested_type)}, not "
                f"{type(value).__qualname__}: {shown(value)}. Nothing is lost: the "
                "question still waits"
            )

    def continue_invocation(
        self, invocation: Invocation, value: Any, strict: bool = True, **options: Any
    ) -> Invocation:
        """Go on with an invocation that this question has paused.

        Args:
            invocation: in which the question waits.
            value: the answer.
            strict, options: as for ``Invocation.replay``.

        Returns:
            The new invocation; the paused one stays as it is, for other answers.

        Raises:
            WrongAnswer: the answer is of the wrong type.
            NoSuchCall: the invocation does not wait for this question.
        """
        answered = self._answered(invocation, value)
        return answered.replay(strict=strict, **options)

    async def continue_invocation_async(
        self, invocation: Invocation, value: Any, strict: bool = True, **options: Any
    ) -> Invocation:
        """``continue_invocation`` for async programs, in a running event loop."""
        answered = self._answered(invocation, value)
        return await answered.replay_async(strict=strict, **options)

    def _answered(self, invocation: Invocation, value: Any) -> Invocation:
        self.check(value)
        for view in waiting(invocation):
            if view.get_raised() == self:
                for tell in ON_CONTINUED:
                    tell(invocation, view)
                return invocation.answer(view, value)
        raise NoSuchCall("the invocation does not wait for an answer to this question")


# Told of each question that the program answers by itself: the invocation, the call.
ON_CONTINUED: list[Callable[[Invocation, Invocation], None]] = []


def waiting(invocation: Invocation) -> list[Invocation]:
    """Views of the calls in which questions wait, in order of lanes."""
    found: list[Invocation] = []
    todo = [invocation]
    while todo:
        view = todo.pop()
        if view.status != "paused":
            continue
        if view.get_raised_here():
            found.append(view)
        todo.extend(reversed(view.children_by_lane()))
    return found


@register(name="enact/RequestInput")
@dataclasses.dataclass
class RequestInput(Invokable[Any, Any]):
    """The invokable that asks: its input is the value that the question is about.

    Attributes:
        requested_type: of the answer.
        context: more about the question; any value.
    """

    requested_type: Any = str
    context: Any = None

    def call(self, for_value: Any = None) -> Any:
        lane = CURRENT.get()
        if lane is None:
            raise InputRequestOutsideInvocation(
                f"an answer ({type_in_words(self.requested_type)}) is asked for "
                "outside any invocation: run the program with `enact.invoke`, or give "
                "`request_input` a default"
            )
        store = lane.frame.run.store
        raise InputRequest(
            store.commit(for_value),
            self.requested_type,
            self.context,
            store.commit(self),
        )


def request_input(
    requested_type: Any = str,
    for_value: Any = None,
    context: Any = None,
    *,
    default: Any = _NO_DEFAULT,
) -> Any:
    """Ask a person.

    Args:
        requested_type: of the answer: a class, ``list[int]``, a union, ...
        for_value: what the question is about; any value that can be stored.
        context: more about the question; any value.
        default: go on with this when nobody is there to answer: outside an
            invocation, or in one that no ``InvocationGenerator`` drives.

    Returns:
        The answer. Until there is one, this does not return: the invocation pauses.

    Raises:
        InputRequestOutsideInvocation: nobody can be asked, and there is no default.

    Example:
        >>> import enact
        >>> @enact.register
        ... def greet():
        ...     return f"Hello, {enact.request_input(str, context='Your name?')}!"
        >>> with enact.InMemoryStore():
        ...     paused = enact.invoke(greet)
        ...     question = paused.get_raised()
        ...     question.context, question.continue_invocation(paused, "Ada").output
        ('Your name?', 'Hello, Ada!')
    """
    if default is not _NO_DEFAULT:
        lane = CURRENT.get()
        if lane is None or not lane.frame.run.attended:
            return default
    return RequestInput(requested_type, context)(for_value)


adapter(
    "enact/InputRequest",
    [InputRequest],
    lambda request: {
        "for_value": request.for_value,
        "requested_type": request.requested_type,
        "context": request.context,
        "invokable": request.invokable,
    },
    lambda fields: InputRequest(**fields),
)
