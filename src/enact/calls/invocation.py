# SPDX-License-Identifier: Apache-2.0
"""``Invocation``, what a recorded execution is to its users, and ``invoke``."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

from enact.calls import edits, layout
from enact.calls.calling import call, call_async
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
from enact.calls.frames import INTERRUPTS
from enact.calls.inputs import CallArgs
from enact.calls.lanes import CURRENT
from enact.calls.layout import Recorded
from enact.calls.targets import Target, add
from enact.errors import (
    AmbiguousCall,
    CallError,
    FrameworkError,
    InvocationError,
    NoSuchCall,
    ReplayError,
    Signal,
)
from enact.stores import ValueStore
from enact.values import (
    ACTIVE,
    Ref,
    Resource,
    active_store,
    adapter,
    cid_of,
    decode,
    decode_form,
    register_type,
    type_name,
)

T = TypeVar("T")
Override = Callable[[Ref[Any]], "Ref[Any] | None"]

_MISSING: Any = object()
RAISED = (InvocationError, FrameworkError)


class _Subscripted(Resource):
    """Takes type arguments in annotations, as in ``Invocation[str, int]``."""

    @classmethod
    def __class_getitem__(cls, arguments: Any) -> Any:
        return types.GenericAlias(cls, arguments)


@dataclasses.dataclass
class Request(_Subscripted):
    """What was asked: an invokable, as it was before the call, and its input.

    Attributes:
        invokable: ref to it.
        input: ref to a ``CallArgs`` for functions and methods, to the value itself
            for ``Invokable`` objects.
    """

    invokable: Ref[Any]
    input: Ref[Any]


@dataclasses.dataclass
class Response(_Subscripted):
    """What came of a request.

    Attributes:
        invokable: ref to the invokable as it was after the call.
        output: ref to what it returned, None if it did not return.
        raised: ref to what it raised, None if it raised nothing.
        raised_here: whether that was raised first in this very call.
        children: refs to the invocations that it made, in order of start.
        code: digest of the code that ran.
        subtree: digest over all code below.
        details: order of concurrent calls and other rare facts; None for most calls.
    """

    invokable: Ref[Any]
    output: Ref[Any] | None = None
    raised: Ref[Any] | None = None
    raised_here: bool = False
    children: list[Ref[Invocation]] = dataclasses.field(default_factory=list)
    code: str | None = None
    subtree: str | None = None
    details: dict[str, Any] | None = None

    def is_complete(self) -> bool:
        """Whether the call came to its end, by returning or raising."""
        if self.details is not None and self.details["status"] is not None:
            return False
        return self.output is not None or self.raised is not None


@dataclasses.dataclass
class Invocation(_Subscripted):
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

    request: Ref[Request]
    response: Ref[Response]

    # --- reading --------------------------------------------------------------------

    @property
    def path(self) -> tuple[int, ...]:
        """Where a view is in its tree; ``()`` for the top, or without a tree."""
        path: tuple[int, ...] = self.__dict__.get("_path", ())
        return path

    @property
    def root(self) -> Invocation:
        """The invocation at the top of the tree that this view was taken from."""
        root: Invocation = self.__dict__.get("_root", self)
        return root

    @property
    def ref(self) -> Ref[Invocation]:
        """Ref to this invocation, in the store that it came from."""
        return Ref(self._cid(), self._store())

    @property
    def status(self) -> str:
        """``completed``, ``failed``, ``paused``, ``cancelled`` or ``incomplete``."""
        return self._recorded().status

    @property
    def name(self) -> str:
        """Name of the invokable in stored data."""
        fields: Any = decode_form(self._store().load_block(self._recorded().invokable))
        kind = fields["$"]
        return str(fields["name"]) if "name" in fields and "/" in kind else str(kind)

    @property
    def input(self) -> Any:
        """The input, fresh from the store."""
        return self._load(self._recorded().input)

    @property
    def output(self) -> Any:
        """The output; None also if there is none (see ``status``)."""
        return self._load(self._recorded().output)

    @property
    def error(self) -> BaseException | None:
        """What ended the call, as a Python exception; None if nothing did."""
        raised = self.get_raised()
        if isinstance(raised, NativeException):
            error = raised.exception
            return error if isinstance(error, BaseException) else raised
        return raised  # type: ignore[no-any-return]  # signals and resources

    @property
    def children(self) -> Sequence[Invocation]:
        """Views of the calls that it made, in order of start; read when needed."""
        return Children(self, self._recorded().children)

    def successful(self) -> bool:
        """Whether the call returned."""
        return self.status == "completed"

    def get_input(self) -> Any:
        """The input: ``CallArgs`` of a function, the value for an ``Invokable``."""
        return self.input

    def get_output(self) -> Any:
        """The output, fresh from the store; None if there is none."""
        return self.output

    def get_raised(self) -> Any:
        """What was raised, as recorded: ``NativeException`` for Python's own."""
        return self._load(self._recorded().raised)

    def get_raised_here(self) -> bool:
        """Whether that was raised first in this very call."""
        return bool(self._recorded().raised_here)

    def get_children(self) -> list[Invocation]:
        """Views of the calls that it made."""
        return list(self.children)

    def get_child(self, index: int) -> Invocation:
        """View of one call that it made.

        Raises:
            NoSuchCall: there is none with this index.
        """
        return self[index]

    # --- views ----------------------------------------------------------------------

    def __getitem__(self, key: int | tuple[int, ...]) -> Invocation:
        path = (key,) if isinstance(key, int) else key
        view = self
        for index in path:
            cids = view._recorded().children
            if index < 0:
                index += len(cids)
            cid = edits.child_of(view._recorded(), index, view.path)
            view = view._view(cid, index)
        return view

    def at(self, path: str) -> Invocation:
        """View of a call by its path.

        Args:
            path: as in ``"1/0"``; ``""`` for the invocation itself.

        Raises:
            NoSuchCall: there is no such call.
        """
        try:
            return self[tuple(int(part) for part in path.split("/") if part)]
        except ValueError:
            raise NoSuchCall(
                f"{path!r} is no path: it has numbers with slashes between, as in '1/0'"
            ) from None

    def walk(self) -> Iterator[Invocation]:
        """Views of this call and all below, parents first."""
        todo = [iter([self])]
        while todo:
            view = next(todo[-1], None)
            if view is None:
                todo.pop()
                continue
            yield view
            todo.append(iter(view.children))

    def find(self, invokable: Any) -> list[Invocation]:
        """Views of all calls of a function or of objects of an invokable class.

        Args:
            invokable: a registered function, an invokable class, or a name.
        """
        if isinstance(invokable, str):
            name = invokable
        elif isinstance(invokable, type):
            name = type_name(invokable)
        else:
            name = resolve(invokable, ())[0].name
        return [view for view in self.walk() if view.name == name]

    def _view(self, cid: bytes, index: int) -> Invocation:
        store = self._store()
        recorded = edits.read(cid, store)
        return self._view_of(recorded, index, store)

    def _view_of(self, recorded: Recorded, index: int, store: ValueStore) -> Invocation:
        view = Invocation(Ref(recorded.request, store), Ref(recorded.response, store))
        view.__dict__["_root"] = self.root
        view.__dict__["_path"] = (*self.path, index)
        return view

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

    def answer(self, call: Invocation | str, value: Any) -> Invocation:
        """Put in the answer to a question; ``replay`` goes on with it.

        What the tasks that lead to the question did after it is dropped. See
        ``InputRequest.continue_invocation``, which checks the answer's type.

        Args:
            call: a view of the call that asked, or its path.
            value: the answer.
        """
        path = self._path_of(call)
        return self._given(path, value, None, "answered", drop_rest=True)

    def children_by_lane(self) -> list[Invocation]:
        """Views of the calls that it made, lane by lane."""
        details = self._recorded().details
        views = list(self.children)
        if details is None or details.lanes is None:
            return views
        lanes = details.lanes
        return sorted(views, key=lambda view: (lanes[view.path[-1]], view.path[-1]))

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
        if raises is None:
            output_cid = store.commit(output).cid
        elif isinstance(raises, (ExceptionResource, Signal)):
            raised_cid = store.commit(raises).cid
        else:
            native = NativeException(
                type(raises).__qualname__, str(raises), None, raises
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

    def _path_of(self, call: Invocation | str) -> tuple[int, ...]:
        if isinstance(call, str):
            return self.at(call).path[len(self.path) :]
        if "_path" in call.__dict__ and call.root == self.root:
            path = call.path
            if path[: len(self.path)] == self.path:
                return path[len(self.path) :]
        if call == self:
            return ()
        found = [view.path for view in self.walk() if view == call]
        start = len(self.path)
        if len(found) == 1:
            return found[0][start:]
        if not found:
            raise NoSuchCall("the call is not part of this invocation")
        paths = ", ".join("/".join(map(str, path[start:])) for path in found)
        raise AmbiguousCall(
            f"equal calls are at {paths}: take a view, as in "
            f"`inv.at('{paths.partition(',')[0]}')`"
        )

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
            options: as for ``invoke``.

        Returns:
            The new invocation, complete unless it pauses.

        Raises:
            ReplayError: the program left the record.
            NotReplayable: the invokable was never registered.
        """
        fun, args, kwargs = self._program()
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
        fun, args, kwargs = self._program()
        return await invoke_async(
            fun, args, kwargs,
            replay_from=self, exception_override=exception_override, strict=strict,
            **options,
        )  # fmt: skip

    def verdicts(self) -> dict[str, str]:
        """Of the replay that made this: what was not simply reused, by path."""
        return dict(self.__dict__.get("_verdicts", {}))

    def _program(self) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        recorded = self._recorded()
        fun = invokable_of(recorded, self._store())
        value = self._load(recorded.input)
        if isinstance(value, CallArgs) and not hasattr(
            type(fun), "__enact_target_of_class__"
        ):
            return fun, tuple(value.args), value.kwargs
        return fun, () if value is None else (value,), {}

    # --- within ---------------------------------------------------------------------

    def _store(self) -> ValueStore:
        """Where the blocks are: the active store if it has them, else the origin."""
        active = ACTIVE.get()
        if isinstance(active, ValueStore) and active.has_block(self.response.cid):
            return active
        origin = self.response.origin or self.request.origin
        if isinstance(origin, ValueStore):
            return origin
        store = active_store()
        assert isinstance(store, ValueStore)
        return store

    def _cid(self) -> bytes:
        return cid_of(layout.invocation(self.request.cid, self.response.cid))

    def _recorded(self) -> Recorded:
        key = (self.request.cid, self.response.cid)
        known = self.__dict__.get("_known")
        if known is not None and known[0] == key:
            return known[1]  # type: ignore[no-any-return]  # from __dict__
        recorded = layout.read_parts(self._cid(), *key, self._store())
        self.__dict__["_known"] = (key, recorded)
        return recorded

    def _load(self, cid: bytes | None) -> Any:
        if cid is None:
            return None
        store = self._store()
        return decode(store.load_block(cid), store)


class Children(Sequence[Invocation]):
    """The calls that an invocation made, read in batches when they are needed."""

    def __init__(self, parent: Invocation, cids: Sequence[bytes]) -> None:
        self._parent = parent
        self._cids = cids

    def __len__(self) -> int:
        return len(self._cids)

    @overload
    def __getitem__(self, index: int) -> Invocation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Invocation]: ...

    def __getitem__(self, index: int | slice) -> Invocation | list[Invocation]:
        if isinstance(index, slice):
            return [self._parent[i] for i in range(*index.indices(len(self)))]
        return self._parent[index]

    def __iter__(self) -> Iterator[Invocation]:
        parent = self._parent
        store = parent._store()
        for start in range(0, len(self._cids), 256):
            cids = list(self._cids[start : start + 256])
            for place, recorded in enumerate(layout.read_calls(cids, store)):
                yield parent._view_of(recorded, start + place, store)

    def __repr__(self) -> str:
        return f"<{len(self)} calls>"


register_type(Request, name=layout.REQUEST)
register_type(Response, name=layout.RESPONSE)
register_type(Invocation, name=layout.INVOCATION)
adapter(
    layout.CALL_ARGS,
    [CallArgs],
    lambda value: {"args": value.args, "kwargs": value.kwargs},
    lambda fields: CallArgs(fields["args"], fields["kwargs"]),
)


def from_cid(cid: bytes, store: ValueStore) -> Invocation:
    """The invocation with this identifier."""
    request, response = layout.read_invocation(cid, store)
    return Invocation(Ref(request, store), Ref(response, store))


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

    Returns:
        The invocation. It is paused if the program waits for a person's answer.

    Raises:
        NoActiveContext: no store is active.
        UnstorableValue: an argument cannot be stored; nothing has run.
        InputChanged: the program changed an argument in place.
        ReplayError: the program left the record that it is replayed from.

    Example:
        >>> import enact
        >>> @enact.register
        ... def add(a, b):
        ...     return a + b
        >>> with enact.InMemoryStore():
        ...     enact.invoke(add, (1,), {"b": 2}).get_output()
        3
    """
    task = _task(fun, args, kwargs, replay_from, exception_override, strict, commit)
    lane = CURRENT.get()
    keep = _Keep(raise_on_errors, wrap_exceptions)
    if lane is None:
        return keep(execute(task))

    def inner(*_: Any, **__: Any) -> Invocation:
        return keep(execute(task))

    nested = Target(inner, INVOKE, builtin=True)
    return call(lane, nested, None, *_as_call(task))  # type: ignore[no-any-return]  # an Invocation


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
) -> Invocation:
    """``invoke`` for async callables, within a running event loop."""
    task = _task(fun, args, kwargs, replay_from, exception_override, strict, commit)
    lane = CURRENT.get()
    keep = _Keep(raise_on_errors, wrap_exceptions)
    if lane is None:
        return keep(await execute_async(task))

    async def inner(*_: Any, **__: Any) -> Invocation:
        return keep(await execute_async(task))

    nested = Target(inner, INVOKE, builtin=True)
    return await call_async(lane, nested, None, *_as_call(task))  # type: ignore[no-any-return]  # an Invocation


INVOKE = "enact/invoke"


def _as_call(task: Task) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """An invocation within an invocation is a call: these are its arguments."""
    options: dict[str, Any] = {}
    if task.recorded is not None:
        options["replay_from"] = Ref(task.recorded.cid, active_store())
    if task.override is not None:
        options["exception_override"] = task.override
    return (task.fun, list(task.args), task.kwargs), options


def _task(
    fun: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any] | None,
    replay_from: Invocation | None,
    override: Override | None,
    strict: bool,
    commit: bool,
) -> Task:
    store = active_store()
    assert isinstance(store, ValueStore)
    recorded = None
    if replay_from is not None:
        ref = replay_from.ref
        if not store.has_block(ref.cid):
            store.commit(replay_from)
        recorded = edits.read(ref.cid, store)
    return Task(fun, args, kwargs or {}, recorded, override, strict, commit)


add(Target(invoke, INVOKE, builtin=True))


class _Keep:
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
