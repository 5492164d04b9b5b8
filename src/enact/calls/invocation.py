# SPDX-License-Identifier: Apache-2.0
"""``Invocation``, what a recorded execution is to its users, and ``invoke``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from enact.calls import edits, layout
from enact.calls.calling import call, call_async
from enact.calls.endings import INTERRUPTS
from enact.calls.exceptions import (
    ExceptionResource,
    NativeException,
)
from enact.calls.execution import (
    Outcome,
    Task,
    execute,
    execute_async,
    invokable_of,
    resolve,
)
from enact.calls.inputs import CallArgs
from enact.calls.lanes import CURRENT
from enact.calls.nested import INVOKE, as_call, noted, within
from enact.calls.policy import Override, Policy
from enact.calls.runs import Origin
from enact.calls.targets import Target, add
from enact.calls.views import View
from enact.errors import (
    CallError,
    FrameworkError,
    InvocationError,
    ReplayError,
    Signal,
)
from enact.stores import ValueStore
from enact.values import (
    Ref,
    active_store,
    decode,
    find_live,
    redact,
    register_type,
    require_written,
)

if TYPE_CHECKING:
    from enact.calls.preview import Forecast, Preview

T = TypeVar("T")

_MISSING: Any = object()
RAISED = (InvocationError, FrameworkError)


@dataclasses.dataclass
class Invocation(View):
    """A recorded execution: a request, its response, and the calls made on the way.

    Invocations are values: equal ones have the same content. A view (``inv[1]``,
    ``inv.at("1/0")``, ``inv.walk()``, ``inv.children``) also knows its ``path`` in the
    tree that it was taken from, which is no part of its value.

    Attributes:
        request: ref to the ``Request``.
        response: ref to the ``Response``.

    Example:
        >>> import enact
        >>> @enact.register
        ... def shout(text: str) -> str:
        ...     return text.upper()
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(shout, ("sea",))
        ...     inv.status, inv.output, inv.input.args
        ('completed', 'SEA', ['sea'])
    """

    # --- changing -------------------------------------------------------------------

    def clear_output(self) -> None:
        """Drop the outcome of this invocation, in place."""
        cid = edits.rewound(self._recorded(), self._store(), 0)
        self.response = Ref(edits.read(cid, self._store()).response, self._store())

    def rewind(
        self, num_calls: int = 1, *, to: Invocation | str | None = None
    ) -> Invocation:
        """Drop the outcome and the last calls; ``replay`` goes on from there.

        Args:
            num_calls: how many of the calls made by the call at the top to drop, 0 for
                the outcome alone; all if there are fewer.
            to: cut this call off instead, and all that began after it at every level
                above it: a view of a call at any depth, or its path.

        Returns:
            The partial invocation; this one stays as it is.

        Raises:
            AmbiguousCall: ``to`` is no view and occurs more than once.
            NoSuchCall: ``to`` is not in this invocation.
        """
        store = self._store()
        if to is not None:
            cid = edits.rewound_to(self._recorded(), store, self._path_of(to))
        else:
            if num_calls < 0:
                raise CallError(f"cannot rewind {num_calls} calls: give 0 or more")
            cid = edits.rewound(self._recorded(), store, num_calls)
        return from_cid(cid, store)

    def edit(
        self,
        call: Invocation | str | None = None,
        *,
        output: Any = _MISSING,
        raises: BaseException | None = None,
    ) -> Invocation:
        """Replace one recorded outcome; ``replay`` runs what depends on it.

        Args:
            call: a view of the call at any depth, or its path; by default the top.
            output: what it is to have returned.
            raises: or what it is to have raised.

        Returns:
            The partial invocation; this one stays as it is.

        Raises:
            AmbiguousCall: ``call`` is no view and occurs more than once.
            NoSuchCall: ``call`` is not in this invocation.
            InvokableTypeError: the output is of the wrong type.
            UnstorableValue: it cannot be stored.
        """
        if (output is _MISSING) == (raises is None):
            raise CallError("edit takes one of output=... and raises=...")
        path = () if call is None else self._path_of(call)
        if raises is None:
            self._check_output(self[path], output)
        return self._given(path, output, raises, "edited", drop_rest=False)

    def answer(
        self,
        call: Invocation | str,
        value: Any = None,
        *,
        raises: BaseException | None = None,
    ) -> Invocation:
        """Put in the answer to a question; ``replay`` goes on with it.

        What the tasks that lead to the question did after it is dropped. See
        ``InputRequest.continue_invocation``, which checks the answer's type.

        Args:
            call: a view of the call that asked, or its path.
            value: the answer.
            raises: or what asking is to raise in place of an answer.
        """
        path = self._path_of(call)
        return self._given(path, value, raises, "answered", drop_rest=True)

    def _given(
        self,
        path: tuple[int, ...],
        output: Any,
        raises: BaseException | None,
        origin: str,
        *,
        drop_rest: bool,
    ) -> Invocation:
        store = self._store()
        output_cid = raised_cid = None
        require_written(output if raises is None else raises)
        if raises is None:
            output_cid = store.commit(output).cid
        elif isinstance(raises, (ExceptionResource, Signal)):
            raised_cid = store.commit(raises).cid
        else:
            native = NativeException(
                type(raises).__qualname__, redact(str(raises)), None, raises
            )
            raised_cid = store.commit(native).cid
        cid = edits.given(
            self._recorded(), store, path,
            output=output_cid, raised=raised_cid, origin=origin, drop_rest=drop_rest,
        )  # fmt: skip
        return from_cid(cid, store)

    def _check_output(self, view: Invocation, output: Any) -> None:
        recorded = view._recorded()
        invokable = decode(
            self._store().load_block(recorded.invokable), self._store(), unknown=True
        )
        if hasattr(type(invokable), "__enact_target_of_class__"):
            check = resolve(invokable, ())[0].check_output
            if check is not None:
                check(output)

    # --- going on -------------------------------------------------------------------

    def replay(
        self,
        exception_override: Override | None = None,
        strict: bool = True,
        **options: Any,
    ) -> Invocation:
        """Go on from here: recorded calls are answered, the rest runs live.

        Args:
            exception_override: given a ref to a recorded exception, gives a ref to
                the value that takes its place, or None.
            strict: stop at a difference that nothing explains.
            options: as for ``invoke``: ``on_code_change``, ``live``, ``memoize``, ...

        Returns:
            The new invocation, complete unless it pauses.

        Raises:
            ReplayError: the program left the record.
            NotReplayable: the invokable was never registered.
        """
        fun, args, kwargs = program_of(self)
        return invoke(
            fun, args, kwargs,
            replay_from=self, exception_override=exception_override, strict=strict,
            **options,
        )  # fmt: skip

    async def replay_async(
        self,
        exception_override: Override | None = None,
        strict: bool = True,
        **options: Any,
    ) -> Invocation:
        """``replay`` for async programs, within a running event loop."""
        fun, args, kwargs = program_of(self)
        return await invoke_async(
            fun, args, kwargs,
            replay_from=self, exception_override=exception_override, strict=strict,
            **options,
        )  # fmt: skip

    def preview(
        self,
        *,
        strict: bool = False,
        on_code_change: str = "rerun",
        exception_override: Override | None = None,
        memoize: bool = False,
    ) -> Preview:
        """What ``replay`` would run live, and what that cost last time.

        No registered leaf call runs, and nothing is written. The code around them
        runs: if it does things that are no registered calls, they are done.

        Args:
            strict, on_code_change, exception_override, memoize: as for ``invoke``.

        Returns:
            The calls that would run, with last known durations and usage.

        Raises:
            ReplayError: with ``strict``, the program leaves the record.

        Example:
            >>> import enact
            >>> @enact.register
            ... def line(topic):
            ...     return f"The {topic} is wide."
            >>> @enact.register
            ... def poem(topic):
            ...     return [line(topic), line("sky")]
            >>> with enact.InMemoryStore():
            ...     inv = enact.invoke(poem, ("sea",))
            ...     [call.path for call in inv.rewind(1).preview().calls]
            ['1']
        """
        policy = Policy(strict, exception_override, on_code_change, memoize=memoize)
        task, forecast = self._forecast(policy.check())
        return _foreseen(forecast, execute(task))

    async def preview_async(self, **options: Any) -> Preview:
        """``preview`` for async programs, within a running event loop."""
        options = {"strict": False, **options}
        policy = Policy(
            options.pop("strict"), options.pop("exception_override", None), **options
        )
        task, forecast = self._forecast(policy.check())
        return _foreseen(forecast, await execute_async(task))

    def _forecast(self, policy: Policy) -> tuple[Task, Forecast]:
        from enact.calls.preview import Forecast  # rarely needed

        store = self._store()
        forecast = Forecast(store)
        policy = policy._replace(forecast=forecast)
        fun, args, kwargs = program_of(self)
        recorded = self._recorded()
        origin = Origin(recorded.cid, "preview")
        return Task(fun, args, kwargs, recorded, policy, origin, False), forecast


register_type(Invocation, name=layout.INVOCATION)


def from_cid(cid: bytes, store: ValueStore) -> Invocation:
    """The invocation with this identifier."""
    request, response = layout.read_invocation(cid, store)
    return Invocation(Ref(request, store), Ref(response, store))


def program_of(inv: Invocation) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """What was invoked, with its arguments: the callable as it is now.

    Secrets in it have their values if they are alive in this process.

    Raises:
        NotReplayable: it was never registered.
        UnregisteredType: it is not known here.
    """
    recorded = inv._recorded()
    store = inv._store()
    fun = invokable_of(recorded, store)
    value = decode(store.load_block(recorded.input), store, secrets=find_live)
    if isinstance(value, CallArgs) and not hasattr(
        type(fun), "__enact_target_of_class__"
    ):
        return fun, tuple(value.args), value.kwargs
    return fun, () if value is None else (value,), {}


def _foreseen(forecast: Forecast, outcome: Outcome) -> Preview:
    error = outcome.error
    if isinstance(error, (ReplayError, *INTERRUPTS)):
        raise error
    preview = forecast.preview
    preview.error = None if isinstance(error, Signal) else error
    return preview


# --- invoke -------------------------------------------------------------------------


def invoke(
    fun: Any,
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    replay_from: Invocation | None = None,
    exception_override: Override | None = None,
    raise_on_errors: tuple[type[BaseException], ...] = RAISED,
    wrap_exceptions: bool = False,
    strict: bool = True,
    commit: bool = True,
    *,
    on_code_change: str = "rerun",
    live: str = "allow",
    memoize: bool = False,
) -> Invocation:
    """Run a callable and record it.

    Args:
        fun: a registered function or method, or an ``Invokable`` object. Any other
            callable runs too, and the registered callables that it calls are
            recorded; but such an invocation cannot be replayed.
        args, kwargs: its arguments.
        replay_from: a partial invocation to go on from.
        exception_override: given a ref to a recorded exception, gives a ref to the
            value that takes its place where it was first raised, or None.
        raise_on_errors: always raised, whatever ``wrap_exceptions`` says.
        wrap_exceptions: give an invocation that carries the exception, instead of
            raising it. (``ExceptionResource`` is always carried.)
        strict: in a replay, stop at a difference that nothing explains.
        commit: false to leave the store as it is; refs then live with the result.
        on_code_change: in a replay, what becomes of a recorded outcome when the code
            that made it has changed: ``"rerun"``, ``"reuse"`` or ``"error"``.
        live: ``"forbid"`` for a replay that may run no call that is not recorded, as
            in a regression test: the code around recorded calls is run again.
        memoize: answer calls from equal ones anywhere in the store, made by the same
            code. (Or register single functions with ``memoize=True``.)

    Returns:
        The invocation. It is paused if the program waits for a person's answer.

    Raises:
        NoActiveContext: no store is active.
        UnstorableValue: an argument cannot be stored; nothing has run.
        InputChanged: the program changed an argument in place.
        ReplayError: the program left the record that it is replayed from.
        LiveCallForbidden: a call would have had to run, with ``live="forbid"``.

    Example:
        >>> import enact
        >>> @enact.register
        ... def add(a, b):
        ...     return a + b
        >>> with enact.InMemoryStore():
        ...     enact.invoke(add, (1,), {"b": 2}).get_output()
        3
    """
    policy = Policy(strict, exception_override, on_code_change, live, memoize)
    task = _task(fun, args, kwargs, replay_from, policy.check(), commit)
    lane = CURRENT.get()
    keep = Keep(raise_on_errors, wrap_exceptions)
    if lane is None or lane.frame.closed:  # or of a task that outlived its call
        return keep(execute(task))

    def inner(*_: Any, **__: Any) -> Invocation:
        return keep(noted(execute(within(task))))

    nested = Target(inner, INVOKE, builtin=True)
    return call(lane, nested, None, *as_call(task))  # type: ignore[no-any-return]  # an Invocation


async def invoke_async(
    fun: Any,
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    replay_from: Invocation | None = None,
    exception_override: Override | None = None,
    raise_on_errors: tuple[type[BaseException], ...] = RAISED,
    wrap_exceptions: bool = False,
    strict: bool = True,
    commit: bool = True,
    *,
    on_code_change: str = "rerun",
    live: str = "allow",
    memoize: bool = False,
) -> Invocation:
    """``invoke`` for async callables, within a running event loop."""
    policy = Policy(strict, exception_override, on_code_change, live, memoize)
    task = _task(fun, args, kwargs, replay_from, policy.check(), commit)
    lane = CURRENT.get()
    keep = Keep(raise_on_errors, wrap_exceptions)
    if lane is None or lane.frame.closed:  # or of a task that outlived its call
        return keep(await execute_async(task))

    async def inner(*_: Any, **__: Any) -> Invocation:
        return keep(noted(await execute_async(within(task))))

    nested = Target(inner, INVOKE, builtin=True)
    return await call_async(lane, nested, None, *as_call(task))  # type: ignore[no-any-return]  # an Invocation


def _task(
    fun: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any] | None,
    replay_from: Invocation | None,
    policy: Policy,
    commit: bool,
) -> Task:
    store = active_store()
    assert isinstance(store, ValueStore)
    recorded = None
    origin = None
    if replay_from is not None:
        ref = replay_from.ref
        if not store.has_block(ref.cid):
            store.commit(replay_from)
        recorded = edits.read(ref.cid, store)
        branch = replay_from.__dict__.get("_branch")
        origin = Origin(recorded.cid, "replay", branch)
    return Task(fun, args, kwargs or {}, recorded, policy, origin, commit)


add(Target(invoke, INVOKE, builtin=True))


class Keep:
    """Which outcomes become invocations, and which are raised."""

    def __init__(self, always: tuple[type[BaseException], ...], wrap: bool) -> None:
        self.always = always
        self.wrap = wrap

    def __call__(self, outcome: Outcome) -> Invocation:
        error = outcome.error
        if outcome.cid is None or self._goes_on(error):
            assert error is not None
            raise error
        invocation = from_cid(outcome.cid, outcome.store)
        invocation.__dict__["_verdicts"] = outcome.verdicts
        # A replay of just this tries its failed calls again, under the same keys.
        invocation.__dict__["_branch"] = outcome.branch
        invocation.__dict__["_run"] = outcome.run
        return invocation

    def _goes_on(self, error: BaseException | None) -> bool:
        if error is None:
            return False
        if isinstance(error, (*self.always, ReplayError, *INTERRUPTS)):
            return True
        if isinstance(error, Signal):
            return False
        if isinstance(error, ExceptionResource):
            return False
        return not (self.wrap and isinstance(error, Exception))
