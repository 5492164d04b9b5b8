# SPDX-License-Identifier: Apache-2.0
"""Invokables: programs that are values, with fields to be varied and versioned."""

from __future__ import annotations

import inspect
import typing
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from enact.calls.calling import call, call_async
from enact.calls.children import CHILD_OF, warn_in_child
from enact.calls.invocation import (
    RAISED,
    Invocation,
    invoke,
    invoke_async,
)
from enact.calls.lanes import CURRENT
from enact.calls.policy import Override
from enact.calls.targets import Target
from enact.calls.tracked_streams import tracked_stream
from enact.calls.typecheck import fits, name
from enact.errors import InvokableTypeError
from enact.values import Ref, Resource, register_type, shown, type_name

I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)
C = TypeVar("C", bound=type)


def _checked_out(ref: Ref[Any] | None) -> tuple[Any, ...]:
    return () if ref is None else (ref.checkout(),)


class InvokableBase(Resource):
    """What ``Invokable`` and ``AsyncInvokable`` share; not for direct use."""

    __enact_types__: ClassVar[tuple[Any, Any] | None] = None

    @classmethod
    def __enact_target_of_class__(cls) -> Target:
        return target_of_class(cls)

    @classmethod
    def get_input_type(cls) -> Any:
        """Type of the input of ``call``; None if it takes no input."""
        return _types(cls)[0]

    @classmethod
    def get_output_type(cls) -> Any:
        """Type of what ``call`` returns."""
        return _types(cls)[1]


class Invokable(InvokableBase, Generic[I_contra, O_co]):
    """Base of dataclasses whose calls are tracked.

    Define ``call`` with one argument or none. Calling the object calls it, and
    within an invocation records the object as it was before and after. The types of
    input and output come from the annotations of ``call``, or from
    ``typed_invokable``, and are checked.

    Example:
        >>> import dataclasses, enact
        >>> @enact.register
        ... @dataclasses.dataclass
        ... class Greet(enact.Invokable[str, str]):
        ...     greeting: str = "Hello"
        ...     def call(self, name: str) -> str:
        ...         return f"{self.greeting}, {name}!"
        >>> Greet()("Ada")
        'Hello, Ada!'
    """

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the invokable does; define it with one argument or none."""
        raise InvokableTypeError(f"{type(self).__qualname__} defines no `call`")

    def __call__(self, *args: I_contra) -> O_co:
        lane = CURRENT.get()
        target = target_of_class(type(self))
        output: O_co
        if target.is_stream and lane is not None:
            output = tracked_stream(target, self, args, {})  # type: ignore[assignment]  # as its type says, an iterator
        elif lane is None:
            if CHILD_OF:
                warn_in_child(target.name)
            output = self.call(*target.fit(args))
            if target.check_output is not None:
                target.check_output(output)
        else:
            output = call(lane, target, self, args, {})
        return output

    def invoke(
        self,
        arg: Ref[Any] | None = None,
        replay_from: Invocation | None = None,
        exception_override: Override | None = None,
        raise_on_errors: tuple[type[BaseException], ...] = RAISED,
        wrap_exceptions: bool = False,
        strict: bool = True,
        commit: bool = True,
    ) -> Invocation:
        """Invoke this object.

        Args:
            arg: ref to the input (``enact.commit(value)``); None for no input.
            replay_from, exception_override, raise_on_errors, wrap_exceptions: as for
                ``enact.invoke``.
            strict, commit: as for ``enact.invoke``.

        Returns:
            The invocation.
        """
        return invoke(
            self, _checked_out(arg), None, replay_from, exception_override,
            raise_on_errors, wrap_exceptions, strict, commit,
        )  # fmt: skip


class AsyncInvokable(InvokableBase, Generic[I_contra, O_co]):
    """``Invokable`` with ``async def call``."""

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the invokable does; define it with one argument or none."""
        raise InvokableTypeError(f"{type(self).__qualname__} defines no `call`")

    async def __call__(self, *args: I_contra) -> O_co:
        lane = CURRENT.get()
        target = target_of_class(type(self))
        output: O_co
        if lane is None:
            if CHILD_OF:
                warn_in_child(target.name)
            output = await self.call(*target.fit(args))
            if target.check_output is not None:
                target.check_output(output)
        else:
            output = await call_async(lane, target, self, args, {})
        return output

    async def invoke(
        self,
        arg: Ref[Any] | None = None,
        replay_from: Invocation | None = None,
        exception_override: Override | None = None,
        raise_on_errors: tuple[type[BaseException], ...] = RAISED,
        wrap_exceptions: bool = False,
        strict: bool = True,
        commit: bool = True,
    ) -> Invocation:
        """Invoke this object within a running event loop; see ``Invokable.invoke``."""
        return await invoke_async(
            self, _checked_out(arg), None, replay_from, exception_override,
            raise_on_errors, wrap_exceptions, strict, commit,
        )  # fmt: skip

    invoke_async = invoke


def typed_invokable(input_type: Any, output_type: Any) -> Callable[[C], C]:
    """Declare the types of an invokable, in place of annotations on ``call``.

    Args:
        input_type: of the argument of ``call``; ``type(None)`` for no argument, None
            for any.
        output_type: of what it returns; None for any.

    Returns:
        A class decorator, which registers the class as well.
    """

    def decorate(cls: C) -> C:
        register_type(cls)
        given = (input_type, output_type)
        types = tuple(Any if one is None else one for one in given)
        cls.__enact_types__ = types  # type: ignore[attr-defined]  # declared by InvokableBase
        _targets.pop(cls, None)
        return cls

    return decorate


# --- targets of classes -----------------------------------------------------------

_targets: weakref.WeakKeyDictionary[type, Target] = weakref.WeakKeyDictionary()


def target_of_class(cls: type) -> Target:
    """The target of an invokable class; its name is that of the class."""
    target = _targets.get(cls)
    if target is None:
        builtin = cls.__module__.startswith("enact.")
        target = Target(cls.call, type_name(cls), builtin=builtin)  # type: ignore[attr-defined]  # both bases define it
        target.takes_value = True
        target.method = None
        input_type, output_type = _types(cls)
        target.fit = _fitter(target, input_type)
        if not target.is_stream:
            target.check_output = _output_check(target, output_type)
        _targets[cls] = target
    return target


def _types(cls: type) -> tuple[Any, Any]:
    declared = getattr(cls, "__enact_types__", None)
    if declared is not None:
        return typing.cast("tuple[Any, Any]", declared)
    function = cls.call  # type: ignore[attr-defined]  # only called for invokables
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):  # names that exist for type checkers only
        hints = {}
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if not parameters:
        return type(None), hints.get("return", Any)
    if parameters[0].kind is parameters[0].VAR_POSITIONAL:
        return Any, hints.get("return", Any)
    return hints.get(parameters[0].name, Any), hints.get("return", Any)


def _fitter(target: Target, annotation: Any) -> Callable[[Any], tuple[Any, ...]]:
    """What checks arguments, and makes them as many as ``call`` takes."""
    parameters = list(inspect.signature(target.fn).parameters.values())[1:]
    needs = any(
        p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in parameters
    )

    def fit(args: Any) -> tuple[Any, ...]:
        # No input and None as the input are the same.
        if args == (None,) and not parameters:
            args = ()
        elif not args and needs:
            args = (None,)
        if len(args) > (1 if parameters else 0):
            raise InvokableTypeError(
                f"{target.name} takes {'one' if parameters else 'no'} input, got "
                f"{len(args)}"
            )
        if args and not fits(args[0], annotation):
            raise InvokableTypeError(
                f"{target.name} expects {name(annotation)}, got "
                f"{type(args[0]).__qualname__}: {shown(args[0])}"
            )
        return tuple(args)

    return fit


def _output_check(target: Target, annotation: Any) -> Callable[[Any], None] | None:
    if annotation is Any:
        return None

    def check(output: Any) -> None:
        if not fits(output, annotation):
            raise InvokableTypeError(
                f"{target.name} must give {name(annotation)}, gave "
                f"{type(output).__qualname__}: {shown(output)}"
            )

    return check


__all__ = [
    "AsyncInvokable",
    "Invokable",
    "InvokableBase",
    "target_of_class",
    "typed_invokable",
]
