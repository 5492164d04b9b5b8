# SPDX-License-Identifier: Apache-2.0
"""An execution from outside: begin a run, make the call at the top, end the run."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from enact.calls import layout
from enact.calls.calling import call, call_async
from enact.calls.client_streams import read_client_stream
from enact.calls.endings import INTERRUPTS, interrupt
from enact.calls.frames import Top
from enact.calls.lanes import CURRENT, leave_lane
from enact.calls.layout import Recorded
from enact.calls.policy import Policy
from enact.calls.replayer import TopPlan
from enact.calls.rest import is_cancellation
from enact.calls.runs import Origin, Run
from enact.calls.session import Session
from enact.calls.targets import FUNCTION, UNREGISTERED, Target, find, target_of
from enact.calls.tracked_streams import now, tracked_stream
from enact.errors import InvokableTypeError, NotReplayable, Signal, Suspension
from enact.stores import Overlay, ValueStore
from enact.values import active_store, decode, find_live, qualified_name, shown
from enact.values.cbor import decode_form


class Task(NamedTuple):
    """What to execute.

    Attributes:
        fun: the invokable; None to take it from the recording.
        args, kwargs: for it.
        recorded: the invocation to replay, if any.
        policy: what may run, and what may differ.
        origin: of the run.
        commit: write to the store.
    """

    fun: Any
    args: Sequence[Any]
    kwargs: dict[str, Any]
    recorded: Recorded | None = None
    policy: Policy = Policy()
    origin: Origin | None = None
    commit: bool = True


class Outcome(NamedTuple):
    """How an execution ended.

    Attributes:
        cid: the invocation, None if nothing began.
        store: where it is.
        error: what came out of it, None if it returned.
        verdicts: of the replay.
        branch: the run whose calls these are tries of.
        run: the run itself.
        below: versions of the code that ran.
    """

    cid: bytes | None
    store: ValueStore
    error: BaseException | None
    verdicts: dict[str, str]
    branch: str | None = None
    run: str | None = None
    below: frozenset[Any] = frozenset()


class _Execution:
    """The steps around the call at the top, whoever drives it."""

    def __init__(self, task: Task) -> None:
        store = active_store()
        assert isinstance(store, ValueStore)
        self.store = store if task.commit else Overlay(store)
        from enact.calls import hooks  # it needs asyncio
        from enact.calls.processes import hooks as process_hooks

        hooks.install()
        process_hooks.install()
        recorded = task.recorded
        if isinstance(task.args, (str, bytes)) or not isinstance(task.args, Iterable):
            raise InvokableTypeError(
                f"the arguments of {shown(task.fun)} come in a tuple, not as "
                f"{shown(task.args)}: such as `invoke(fun, (argument,))`"
            )
        self.target, self.args = resolve(task.fun, tuple(task.args))
        self.kwargs = task.kwargs
        self.session = Session(task.policy, self.store)
        origin = task.origin or Origin()
        self.session.explained = self.session.changed = origin.changed
        self.run = Run(self.store, self.session, origin)
        made_in = CURRENT.get()
        if made_in is not None and self.run.sampler is None:
            outer = made_in.frame
            watcher = outer.run.sampler if outer.caller is not None else None
            if watcher is not None:
                self.run.sampler = watcher.watching(outer)
        self.top = Top(self.run)
        self.top.execution = self
        self.is_written = False
        if recorded is not None:
            TopPlan(recorded, self.session, self.store).start(self.top)
        self.name = self.target.name
        self.run.begin(self.name)
        self.token = CURRENT.set(self.top)

    def call_arguments(self) -> tuple[Any, ...]:
        if self.target.takes_value:
            return self.top, self.target, self.args[0], self.args[1:], self.kwargs
        return self.top, self.target, None, self.args, self.kwargs

    def stream(self) -> Any:
        """The call at the top, if it is a stream: read to its end, it has run."""
        _, *call = self.call_arguments()
        return tracked_stream(*call)

    async def client_stream(self, in_loop: bool = False) -> None:
        """The same for the stream of a client."""
        _, target, _, args, kwargs = self.call_arguments()
        await read_client_stream(target, args, kwargs, in_loop)

    def end(self, error: BaseException | None) -> Outcome:
        leave_lane(self.token)
        session = self.session
        error = session.error or error or session.disorder
        top = self.top
        top.closed = True
        cid = top.children[0] if top.children else None
        if cid is not None and type(cid) is not bytes:  # cut off, say by recursion
            interrupt(cid, "incomplete")
            cid = top.children[0]
        if not self.is_written:
            self.run.end(self.name, _status(error), cid)
        return self._outcome(cid, error)

    def stand(self, signal: Suspension, cid: bytes) -> Outcome:
        """It waits, recorded as ``cid`` as if ``signal`` had ended it."""
        self.run.end(self.name, _status(signal), cid)
        return self._outcome(cid, signal)

    def _outcome(self, cid: bytes | None, error: BaseException | None) -> Outcome:
        return Outcome(
            cid, self.store, error, self.session.verdicts, self.run.branch,
            self.run.id, frozenset(self.top.below or ()),
        )  # fmt: skip


def _status(error: BaseException | None) -> str:
    if error is None:
        return "completed"
    if isinstance(error, Suspension):
        return "parked"
    if isinstance(error, Signal):
        return "paused"
    cut = isinstance(error, INTERRUPTS) or is_cancellation(error)
    return "interrupted" if cut else "failed"


def execute(task: Task) -> Outcome:
    """Execute a plain callable.

    Raises:
        NoActiveContext: no store is active.
        UnstorableValue: an argument cannot be stored; nothing has run.
    """
    execution = _Execution(task)
    if execution.target.is_async or execution.target.is_async_stream:
        execution.end(None)
        raise InvokableTypeError(
            f"{execution.name!r} is async: use `await enact.invoke_async(...)`"
        )
    error = None
    try:
        if execution.target.reads is not None:
            now(execution.client_stream())
        elif execution.target.is_stream:
            for _ in execution.stream():
                pass
        else:
            call(*execution.call_arguments())
    except BaseException as raised:  # it is part of the outcome, whatever it is
        error = raised
    return execution.end(error)


async def execute_async(task: Task) -> Outcome:
    """Execute a callable, async or not, in a running event loop.

    Raises:
        NoActiveContext: no store is active.
        UnstorableValue: an argument cannot be stored; nothing has run.
    """
    from enact.calls.hooks import install, install_on_loop  # it needs asyncio

    install()
    install_on_loop()
    execution = _Execution(task)
    error = None
    if not (execution.target.registered or execution.target.is_async):
        execution.target = _awaiting(execution.target)
    try:
        if execution.target.reads is not None:
            await execution.client_stream(in_loop=True)
        elif execution.target.is_async_stream:
            async for _ in execution.stream():
                pass
        elif execution.target.is_stream:
            for _ in execution.stream():
                pass
        elif execution.target.is_async:
            await call_async(*execution.call_arguments())
        else:
            call(*execution.call_arguments())
    except BaseException as raised:  # it is part of the outcome, whatever it is
        error = raised
    return execution.end(error)


def _awaiting(target: Target) -> Target:
    """A plain callable that may give an awaitable, as a lambda does."""
    fn = target.fn

    async def run(*args: Any, **kwargs: Any) -> Any:
        output = fn(*args, **kwargs)
        return await output if inspect.isawaitable(output) else output

    waiting = Target(run, target.name, registered=False)
    waiting.ordered_kwargs = target.ordered_kwargs
    return waiting


def resolve(fun: Any, args: tuple[Any, ...]) -> tuple[Target, tuple[Any, ...]]:
    """The target that ``fun`` stands for, and the arguments with its receiver."""
    # Invokable objects know the target of their class; see invokable.py.
    of_class = getattr(type(fun), "__enact_target_of_class__", None)
    if of_class is not None:
        return of_class(), (fun, *args)
    if isinstance(fun, types.MethodType):
        target = target_of(fun.__func__)
        if target is not None:
            return target, (fun.__self__, *args)
    target = target_of(fun)
    if target is not None:
        return target, args
    if not callable(fun):
        raise InvokableTypeError(f"cannot invoke {shown(fun)}: it is not callable")
    return Target(fun, qualified_name(fun), registered=False), args


def invokable_of(recorded: Recorded, store: ValueStore) -> Any:
    """The invokable of a recorded call, in the version that ran if it is still here.

    Raises:
        NotReplayable: it was never registered.
        UnregisteredType: it is not known here.
    """
    data = store.load_block(recorded.invokable)
    fields: Any = decode_form(data)
    kind = fields.get("$") if isinstance(fields, dict) else None
    if kind == FUNCTION:
        return find(fields["name"], recorded.code).wrapper
    if kind == UNREGISTERED:
        raise NotReplayable(
            f"{fields['name']!r} was not registered when it was invoked, so its "
            "invocation cannot be replayed: decorate it with `@enact.register` and "
            "record it again"
        )
    return decode(data, store, secrets=find_live)


__all__ = ["Outcome", "Task", "execute", "execute_async", "invokable_of", "layout"]
