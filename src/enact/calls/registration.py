# SPDX-License-Identifier: Apache-2.0
"""``register``: makes functions and classes known, and calls of functions tracked."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable
from typing import Any, TypeVar, overload

from enact.calls import targets
from enact.calls.calling import call, call_async
from enact.calls.children import CHILD_OF, warn_in_child
from enact.calls.client_streams import client_stream, client_stream_async
from enact.calls.lanes import CURRENT
from enact.calls.targets import Target
from enact.calls.tracked_streams import tracked_stream
from enact.errors import DuplicateName, InvokableTypeError
from enact.values import qualified_name, register_type, shown

F = TypeVar("F")


@overload
def register(obj: F, /) -> F: ...


@overload
def register(
    obj: F,
    /,
    *,
    name: str | None = None,
    former: tuple[str, ...] | list[str] = (),
    deterministic: bool = False,
    retry: str | None = None,
    memoize: bool = False,
    stream: bool | str = False,
) -> F: ...


@overload
def register(
    *,
    name: str | None = None,
    former: tuple[str, ...] | list[str] = (),
    deterministic: bool = False,
    retry: str | None = None,
    memoize: bool = False,
    stream: bool | str = False,
) -> Callable[[F], F]: ...


def register(
    obj: Any = None,
    /,
    *,
    name: str | None = None,
    former: tuple[str, ...] | list[str] = (),
    deterministic: bool = False,
    retry: str | None = None,
    memoize: bool = False,
    stream: bool | str = False,
) -> Any:
    """Register a function or a class.

    Calls of a registered function are recorded when they happen inside an
    invocation; elsewhere it just runs. A registered class can be stored.

    Args:
        obj: a function, method, async function, class, ``staticmethod``,
            ``classmethod``, or property, of which the getter is tracked; or any
            callable, such as a method of somebody's client object, whose tracked
            version is returned. Methods of such a callable, like ``cache_clear``,
            stay reachable.
        name: in stored data; by default module and qualified name. Give one to
            functions that may move, and to lambdas and closures.
        former: names that it had before, so that old records find it.
        deterministic: it always gives the same output for the same input, so search
            need not branch on it.
        retry: ``"never"`` if it must not run twice for one recorded call.
        memoize: an answer in the store to the same request may stand for a call.
        stream: what it gives is the stream of a client: an iterator or a context
            manager, plain or async, or what gives one when it is awaited. Its items
            are recorded as they are read. ``"text_stream"`` if they are those of an
            attribute, ``"iter_lines()"`` if they are those of a method.

    Returns:
        What takes the place of ``obj``: classes themselves; for functions one with
        the same signature, name and documentation. Without ``obj``, a decorator.

    Raises:
        DuplicateName: another class has the name.
        InvokableTypeError: it can be neither called nor stored.

    Example:
        >>> import enact
        >>> @enact.register
        ... def double(n: int) -> int:
        ...     return 2 * n
        >>> with enact.InMemoryStore():
        ...     enact.invoke(double, (21,)).get_output()
        42
    """
    if obj is None:
        return functools.partial(
            register,
            name=name,
            former=former,
            deterministic=deterministic,
            retry=retry,
            memoize=memoize,
            stream=stream,
        )
    if isinstance(obj, type):
        if stream is not False:
            raise InvokableTypeError(
                f"{obj.__qualname__} is a class, and no stream: register a function "
                "that gives an object of it"
            )
        return register_type(obj, name=name, former=tuple(former))
    again = functools.partial(
        register,
        name=name,
        former=former,
        deterministic=deterministic,
        retry=retry,
        memoize=memoize,
        stream=stream,
    )
    if isinstance(obj, (staticmethod, classmethod)):
        return type(obj)(again(obj.__func__))
    if type(obj) is property and obj.fget is not None:
        return obj.getter(again(obj.fget))
    if type(obj) is functools.cached_property:
        return functools.cached_property(again(obj.func))
    known = targets.target_of(obj)
    if known is not None and name in (None, known.name):
        return obj
    if not callable(obj):
        below = ""
        if hasattr(type(obj), "__get__"):
            below = (
                ". Put `@enact.register` below the decorator that made it, on the "
                "function itself"
            )
        raise InvokableTypeError(
            f"cannot register {shown(obj)}: it is neither a class nor callable{below}"
        )
    if retry not in (None, "never"):
        raise InvokableTypeError(f"retry must be None or 'never', not {retry!r}")
    target = Target(obj, name or _name(obj))
    target.deterministic = deterministic
    target.retry = retry
    target.memoize = memoize
    if stream is not False:
        _note_stream(target, stream)
    target.wrapper = wrapped(target)
    targets.add(target, tuple(former))
    return target.wrapper


def _note_stream(target: Target, stream: Any) -> None:
    if not (stream is True or (isinstance(stream, str) and _NAME.fullmatch(stream))):
        raise InvokableTypeError(
            "stream must be True, the name of an attribute, or that of a method with "
            f"brackets behind it, as in 'iter_lines()'; not {stream!r}"
        )
    if target.is_stream:
        raise InvokableTypeError(
            f"{target.name!r} is a generator function, and so a stream as it is: "
            "register it without `stream`"
        )
    target.is_stream = True
    target.reads = "" if stream is True else stream


_NAME = re.compile(r"[^\W\d]\w*(\(\))?")


def _name(obj: Any) -> str:
    if isinstance(obj, functools.partial) or not hasattr(obj, "__qualname__"):
        raise DuplicateName(
            f"{shown(obj)} has no name of its own: give it one, as in "
            "`enact.register(fn, name='pkg/fn')`"
        )
    return qualified_name(obj)


def wrapped(target: Target) -> Callable[..., Any]:
    """What takes the place of a callable: it is tracked within an invocation."""
    fn = target.fn
    current = CURRENT.get

    tracked: Any
    if target.reads is not None and target.is_async:

        async def tracked_client_async(*args: Any, **kwargs: Any) -> Any:
            if current() is None:
                if CHILD_OF:
                    warn_in_child(target.name)
                return await fn(*args, **kwargs)
            return await client_stream_async(target, args, kwargs)

        tracked = tracked_client_async
    elif target.reads is not None:

        def tracked_client(*args: Any, **kwargs: Any) -> Any:
            if current() is None:
                if CHILD_OF:
                    warn_in_child(target.name)
                return fn(*args, **kwargs)
            return client_stream(target, args, kwargs)

        tracked = tracked_client
    elif target.is_stream:

        def tracked_generator(*args: Any, **kwargs: Any) -> Any:
            if current() is None:
                if CHILD_OF:
                    warn_in_child(target.name)
                return fn(*args, **kwargs)
            return tracked_stream(target, None, args, kwargs)

        tracked = tracked_generator
    elif target.is_async:

        async def tracked_async(*args: Any, **kwargs: Any) -> Any:
            lane = current()
            if lane is None:
                if CHILD_OF:
                    warn_in_child(target.name)
                return await fn(*args, **kwargs)
            return await call_async(lane, target, None, args, kwargs)

        tracked = tracked_async
    else:

        def tracked_plain(*args: Any, **kwargs: Any) -> Any:
            lane = current()
            if lane is None:
                if CHILD_OF:
                    warn_in_child(target.name)
                return fn(*args, **kwargs)
            return call(lane, target, None, args, kwargs)

        tracked = tracked_plain
    _look_like(tracked, fn, target.name.rpartition(":")[2])
    tracked.__enact_target__ = target
    return tracked  # type: ignore[no-any-return]  # a function of unknown signature


def _look_like(tracked: Any, fn: Any, name: str) -> None:
    """Give a tracked function the names, documentation and attributes of ``fn``.

    Data attributes of objects that are called are left out: a copy would grow old.
    """
    if isinstance(fn, functools.partial):
        tracked.func, tracked.args, tracked.keywords = fn.func, fn.args, fn.keywords
    elif not isinstance(fn, types.FunctionType):
        for key in dir(type(fn)):
            if not key.startswith("_") and _is_method(type(fn), key):
                setattr(tracked, key, getattr(fn, key))
    if hasattr(fn, "__qualname__"):
        functools.update_wrapper(tracked, fn)
        return
    tracked.__wrapped__ = fn
    tracked.__doc__ = getattr(fn, "__doc__", None)
    tracked.__name__ = tracked.__qualname__ = name
    made_by = fn.func if isinstance(fn, functools.partial) else type(fn)
    tracked.__module__ = getattr(made_by, "__module__", None)


def _is_method(cls: type, key: str) -> bool:
    attribute = inspect.getattr_static(cls, key, None)
    return isinstance(attribute, (staticmethod, classmethod)) or inspect.isroutine(
        attribute
    )
