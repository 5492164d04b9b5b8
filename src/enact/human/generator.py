# SPDX-License-Identifier: Apache-2.0
"""A loop over the questions of a program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from enact.calls import Invocation, invoke, invoke_async
from enact.calls.runs import ATTENDED
from enact.errors import CallError
from enact.human.requests import InputRequest

_NO_ANSWER: Any = object()


class InvocationGenerator(Iterator[InputRequest], AsyncIterator[InputRequest]):
    """Runs a program from question to question.

    Iterate over it, with ``for`` or, for async programs, ``async for``, and give each
    question its answer with ``set_input`` before going on. After the loop,
    ``invocation`` is complete.

    Attributes:
        invocation: as far as it is; None before the first question.

    Example:
        >>> import enact
        >>> @enact.register
        ... def twice():
        ...     return [enact.request_input(int) for _ in range(2)]
        >>> with enact.InMemoryStore():
        ...     gen = enact.InvocationGenerator.from_callable(twice)
        ...     for n, question in enumerate(gen):
        ...         gen.set_input(n)
        ...     gen.invocation.get_output()
        [0, 1]
    """

    def __init__(
        self,
        invocation: Invocation | None,
        program: tuple[Any, Sequence[Any], dict[str, Any] | None] | None = None,
        strict: bool = True,
    ) -> None:
        self.invocation = invocation
        self._program = program
        self._strict = strict
        self._answer: Any = _NO_ANSWER
        self._asked = False

    @classmethod
    def from_callable(
        cls,
        fun: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        strict: bool = True,
    ) -> InvocationGenerator:
        """Start with a program; it runs when the first question is asked for.

        Args:
            fun, args, kwargs: as for ``invoke``.
            strict: as for ``Invocation.replay``.
        """
        return cls(None, (fun, args, kwargs), strict)

    @classmethod
    def from_invocation(
        cls, invocation: Invocation, strict: bool = True
    ) -> InvocationGenerator:
        """Start with an invocation: where it has paused, else by replaying it.

        Args:
            invocation: complete, paused or partial.
            strict: as for ``Invocation.replay``.
        """
        return cls(invocation, None, strict)

    @property
    def complete(self) -> bool:
        """Whether the program has come to its end."""
        return self.invocation is not None and self.invocation.response().is_complete()

    @property
    def input_request(self) -> InputRequest | None:
        """The question that waits, if one does."""
        if self.invocation is None or self.invocation.status != "paused":
            return None
        raised = self.invocation.get_raised()
        return raised if isinstance(raised, InputRequest) else None

    def set_input(self, value: Any) -> None:
        """Give the answer to the question that waits.

        Raises:
            WrongAnswer: it is of the wrong type; the question still waits.
            CallError: no question waits.
        """
        question = self.input_request
        if question is None:
            raise CallError("no question waits for an answer: call next() first")
        question.check(value)
        self._answer = value

    def send(self, value: Any) -> InputRequest:
        """Give the answer and go on to the next question.

        Raises:
            StopIteration: there is none; ``invocation`` is complete.
            WrongAnswer: the answer is of the wrong type; the question still waits.
        """
        if value is not None or self._asked:
            self.set_input(value)
        return next(self)

    async def asend(self, value: Any) -> InputRequest:
        """``send`` for async programs; ends with StopAsyncIteration."""
        if value is not None or self._asked:
            self.set_input(value)
        return await anext(self)

    def __iter__(self) -> InvocationGenerator:
        return self

    def __next__(self) -> InputRequest:
        step = self._step()
        if step is not None:
            go_on, _, args = step
            token = ATTENDED.set(True)
            try:
                self.invocation = go_on(*args)
            finally:
                ATTENDED.reset(token)
        question = self._question()
        if question is None:
            raise StopIteration
        return question

    def __aiter__(self) -> InvocationGenerator:
        return self

    async def __anext__(self) -> InputRequest:
        step = self._step()
        if step is not None:
            _, go_on, args = step
            token = ATTENDED.set(True)
            try:
                self.invocation = await go_on(*args)
            finally:
                ATTENDED.reset(token)
        question = self._question()
        if question is None:
            raise StopAsyncIteration
        return question

    def _question(self) -> InputRequest | None:
        question = self.input_request
        self._asked = question is not None
        return question

    def _step(self) -> tuple[Callable[..., Any], Callable[..., Any], Any] | None:
        """What takes the program further: plainly, in an event loop, arguments."""
        invocation = self.invocation
        if invocation is None:
            assert self._program is not None
            return invoke, invoke_async, self._program
        question = self.input_request
        if question is None:
            if invocation.response().is_complete():
                return None
            strict = (None, self._strict)
            return invocation.replay, invocation.replay_async, strict
        answer, self._answer = self._answer, _NO_ANSWER
        if answer is not _NO_ANSWER:
            return (
                question.continue_invocation,
                question.continue_invocation_async,
                (invocation, answer, self._strict),
            )
        if self._asked:
            raise CallError(
                f"the question still waits ({question}): give the answer with "
                "`set_input` before going on"
            )
        return None
