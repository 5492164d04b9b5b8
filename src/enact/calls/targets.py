# SPDX-License-Identifier: Apache-2.0
"""Registered callables, under the names that stored data knows them by.

A ``Target`` is what a tracked call runs. The registry keeps, per name, every live
definition by the digest of its code, so that closures and lambdas made in a loop
share a name without taking each other's place.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from enact.calls.callers import stacklevel
from enact.calls.code import code_digest
from enact.calls.fixed_blocks import FixedBlocks
from enact.calls.stream_value import Stream
from enact.errors import UnregisteredType
from enact.values import cid_of, encode_form
from enact.values.registry import is_late

FUNCTION = "enact/Function"
METHOD = "enact/Method"
UNREGISTERED = "enact/UnregisteredFunction"
# Stored forms that have a name of their own; of others, the type is the name.
NAMED = (FUNCTION, METHOD, UNREGISTERED)

_Dispatch = functools.singledispatchmethod

PROGRAM = "enact_program_"
"""With a digest behind it, the module of a program (``enact.Program``)."""


class AmbiguousNameWarning(UserWarning):
    """Several live functions share a name in stored data."""


class Target:
    """A callable that can be tracked, and what recording needs to know of it.

    Attributes:
        fn: what runs.
        name: in stored data.
        block, cid: the stored form of the function itself.
        fit: checks the arguments of an ``Invokable``, and gives those to pass on.
        check_output: likewise for what it returns; None for functions.
        is_async: whether ``fn`` is a coroutine function.
        is_stream: whether it is a generator function, plain or async.
        is_async_stream: whether it is an async one.
        reads: of a client's function that gives a stream, what of that gives the items:
            "" for the stream itself; None for any other function.
        ordered_kwargs: ``fn`` takes ``**kwargs``, so their order is part of the input.
        method: the attribute name if ``fn`` was defined in a class body.
        former: identifiers that the function had under former names.
        takes_value: the input is one plain value, as for an ``Invokable``.
        registered: false for a callable that was only given to ``invoke``.
        builtin: part of enact itself.
        draws: it draws from time or chance, so it may not run where no call may.
        code: digest of the code, as of the last ``refresh_code``; None before the
            first, and for what enact itself brings along.
        code_bytes: the same digest, not as text.
        version: name and code.
        fixed: what blocks of leaf calls have in common; there after the first
            ``refresh_code``.
    """

    __slots__ = (
        "__weakref__",
        "_owners",
        "block",
        "builtin",
        "check_output",
        "cid",
        "code",
        "code_bytes",
        "deterministic",
        "draws",
        "fixed",
        "former",
        "fit",
        "fn",
        "is_async",
        "is_async_stream",
        "is_stream",
        "memoize",
        "method",
        "name",
        "ordered_kwargs",
        "reads",
        "registered",
        "retry",
        "takes_value",
        "version",
        "wrapper",
    )

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str,
        *,
        registered: bool = True,
        builtin: bool = False,
    ) -> None:
        self.fn = fn
        self.name = name
        self.registered = registered
        kind = FUNCTION if registered else UNREGISTERED
        self.cid, self.block = _stored_form(kind, name)
        self.is_async = is_async_callable(fn)
        self.is_async_stream = _is_kind(inspect.isasyncgenfunction, fn)
        self.is_stream = self.is_async_stream or _is_kind(
            inspect.isgeneratorfunction, fn
        )
        self.reads: str | None = None
        self.ordered_kwargs = _takes_any_kwargs(fn)
        self.method = _method_name(fn)
        self.takes_value = False
        self.fit: Callable[[Any], tuple[Any, ...]] = _as_they_are
        self.check_output: Callable[[Any], None] | None = None
        self.deterministic = False
        self.draws = not builtin
        self.retry: str | None = None
        self.memoize = False
        self.builtin = builtin
        self.code: str | None = None
        self.code_bytes: bytes | None = None
        self.version: tuple[str, str] | None = None
        self.fixed: Any = None  # a FixedBlocks
        self._owners: dict[type, bool] = {}
        self.wrapper: Callable[..., Any] = fn
        self.former: frozenset[bytes] = frozenset()

    def refresh_code(self) -> str | None:
        """Look at the code again, which a notebook may have changed; its digest."""
        if not self.builtin:
            code = code_digest(self.fn)
            if code != self.code:
                self.fixed = FixedBlocks(self.cid, code)
                self.code_bytes = bytes.fromhex(code)
                self.version = self.name, code
                self.code = code
        elif self.fixed is None:
            self.fixed = FixedBlocks(self.cid, None)
        return self.code

    def __reduce__(self) -> tuple[Any, ...]:
        """For libraries that send functions of a script along whole (cloudpickle)."""
        options = {name: getattr(self, name) for name in _OPTIONS}
        made = self.fn, self.name, self.registered, self.builtin
        return _sent, made, (options, self.wrapper)

    def __setstate__(self, state: tuple[dict[str, Any], Any]) -> None:
        options, self.wrapper = state
        for name, value in options.items():
            setattr(self, name, value)
        if not any(_same(known, self) for known in live(self.name)):
            add(self)

    @property
    def certain(self) -> bool:
        """Whether search gains nothing from calling it again with the same input."""
        return self.deterministic or self.memoize

    def returns(self) -> Any:
        """The annotation of what the function returns; ``Any`` without one."""
        if self.is_stream:
            return Stream
        try:
            return typing.get_type_hints(self.fn).get("return", Any)
        except (NameError, TypeError, AttributeError):
            return Any  # names for type checkers only, or no function

    def owns(self, cls: type) -> bool:
        """Whether this target, called with a ``cls`` object first, is its method."""
        known = self._owners.get(cls)
        if known is None:
            assert self.method is not None
            known = self._owners[cls] = any(
                _is_method(attribute, self.wrapper)
                for base in cls.__mro__
                for attribute in _named(base, self.method)
            )
        return known


_OPTIONS = (
    "deterministic", "retry", "memoize", "is_stream", "reads", "takes_value", "fit",
    "check_output",
)  # fmt: skip


def _sent(fn: Any, name: str, registered: bool, builtin: bool) -> Target:
    return Target(fn, name, registered=registered, builtin=builtin)


def _same(one: Target, other: Target) -> bool:
    return one.refresh_code() == other.refresh_code()


def _as_they_are(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args


def _stored_form(kind: str, name: str) -> tuple[bytes, bytes]:
    block = encode_form({"$": kind, "name": name})
    return cid_of(block), block


def _named(cls: type, name: str) -> list[object]:
    """The attributes of a class in which a method of this name may be.

    ``singledispatchmethod`` has the methods that it chooses from under any name.
    """
    attributes = vars(cls)
    choosing = [a for a in attributes.values() if type(a) is _Dispatch]
    return [attributes.get(name), *choosing]


def _is_method(attribute: object, wrapper: object) -> bool:
    """Whether calling a class attribute calls ``wrapper`` with the object first."""
    inner = [attribute]
    for seen in range(64):
        if seen == len(inner):
            return False
        found: Any = inner[seen]
        if found is wrapper:
            return True
        if isinstance(found, property):
            inner += [found.fget, found.fset, found.fdel]
        elif isinstance(found, functools.cached_property):
            inner.append(found.func)
        elif isinstance(found, _Dispatch):
            inner += [found.func, *found.dispatcher.registry.values()]
        elif not isinstance(found, (staticmethod, classmethod)):
            wrapped = getattr(found, "__wrapped__", None)
            if wrapped is not None:
                inner.append(wrapped)
    return False


def is_async_callable(fn: Callable[..., Any]) -> bool:
    """Whether calling ``fn`` gives a coroutine."""
    return _is_kind(inspect.iscoroutinefunction, fn)


def _is_kind(is_one: Callable[[Any], bool], fn: Callable[..., Any]) -> bool:
    """Whether a callable, or the function that it calls, is of a kind."""
    if is_one(fn):
        return True
    call = getattr(type(fn), "__call__", None)  # noqa: B004  # it is looked into
    inner = getattr(fn, "func", None)  # functools.partial
    return is_one(call) or (inner is not None and is_one(inner))


def _takes_any_kwargs(fn: Callable[..., Any]) -> bool:
    code = getattr(fn, "__code__", None)
    if code is not None:
        return bool(code.co_flags & inspect.CO_VARKEYWORDS)
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


def _method_name(fn: Callable[..., Any]) -> str | None:
    owner, _, name = getattr(fn, "__qualname__", "").rpartition(".")
    return name if owner and not owner.endswith("<locals>") else None


# --- the registry -------------------------------------------------------------

_newest: dict[str, Target] = {}
# name -> digest -> definition. Closures come and go with the code that made them.
_live: dict[str, weakref.WeakSet[Target]] = {}
_warned: set[str] = set()


def add(target: Target, former: tuple[str, ...] = ()) -> None:
    """Make ``target`` known under its name, and under names that it used to have."""
    newest = _newest.get(target.name)
    named = not is_nameless(target.name)
    if named and newest is not None and _same_code(newest.fn, target.fn):
        _warn_ambiguous(target.name)
    target.former = frozenset(_stored_form(FUNCTION, name)[0] for name in former)
    for name in (target.name, *former):
        _newest[name] = target
        live = _live.get(name)
        if live is None:
            live = _live[name] = weakref.WeakSet()
        live.add(target)


def find(name: str, code: str | None = None) -> Target:
    """The definition of ``name``.

    Args:
        name: as in stored data.
        code: of functions without a name of their own, the one with this digest.

    Raises:
        UnregisteredType: nothing is registered under this name.
    """
    newest = _newest.get(name) or (_newest.get(name) if is_late(name) else None)
    if newest is None and name.startswith(PROGRAM):
        raise UnregisteredType(
            f"the program that defines {name!r} is not loaded here. Next: load it, as "
            "in `invocation.program().load(allow=...)`"
        )
    if newest is None:
        raise UnregisteredType(
            f"no function is registered here as {name!r}: import the module that "
            "defines it, or register the function that took its place with "
            f"`@enact.register(former=[{name!r}])`"
        )
    if code is not None and is_nameless(name):
        for target in live(name):
            if target.refresh_code() == code:
                return target
    return newest


def live(name: str) -> list[Target]:
    """The definitions of a name that are alive, the newest first."""
    newest = _newest.get(name) or (_newest.get(name) if is_late(name) else None)
    if newest is None:
        return []
    return [newest, *(other for other in list(_live[name]) if other is not newest)]


def modules_of(names: Iterable[str]) -> list[str]:
    """The modules that define functions, for a process that is to know them.

    Args:
        names: of registered functions.

    Returns:
        Names to import; those that cannot be, as ``__main__``, are left out.
    """
    found = {
        str(getattr(target.fn, "__module__", ""))
        for one in names
        for target in live(one)
    }
    return sorted(found - {"__main__", "__mp_main__", "", "None"})


def warn_if_ambiguous(target: Target) -> None:
    """Warn once when a nameless function is one of several different ones alive."""
    name = target.name
    if name in _warned or not is_nameless(name):
        return
    # A few are enough to see it: thousands may have been made in a loop.
    live = list(_live.get(name, ()))[:8]
    if len({other.refresh_code() for other in live}) > 1:
        _warn_ambiguous(name)


def _same_code(one: Any, other: Any) -> bool:
    """Whether two functions are closures that one place in a program made."""
    code = getattr(one, "__code__", None)
    if one is other or not isinstance(code, types.CodeType) or not code.co_freevars:
        return False
    return code is getattr(other, "__code__", None)


def _warn_ambiguous(name: str) -> None:
    if name in _warned:
        return
    _warned.add(name)
    means = (
        "a record tells them apart by their code and captured values only"
        if is_nameless(name)
        else "a record means the newest of them"
    )
    warnings.warn(
        f"several different functions named {name!r} are alive; {means}: give each a "
        "name of its own, as in `enact.register(fn, name='draft/short')`",
        AmbiguousNameWarning,
        stacklevel=stacklevel(),
    )


def target_of(fn: object) -> Target | None:
    """The target behind a registered callable, else None."""
    found = getattr(fn, "__enact_target__", None)
    # `functools.wraps` copies attributes: a decorator above `register` is not it.
    return found if isinstance(found, Target) and found.wrapper is fn else None


def is_nameless(name: str) -> bool:
    """Whether several functions may well have this name at the same time."""
    return "<lambda>" in name or "<locals>" in name
