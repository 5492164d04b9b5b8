# SPDX-License-Identifier: Apache-2.0
"""Recorded executions as one reads them: requests, responses, and views of the tree."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

from enact.calls import edits, layout
from enact.calls.exceptions import NativeException
from enact.calls.execution import resolve
from enact.calls.extraction import program_of
from enact.calls.inputs import CallArgs
from enact.calls.layout import Recorded
from enact.calls.listing import recorded_source
from enact.calls.programs import Program
from enact.errors import AmbiguousCall, NoSuchCall
from enact.stores import ValueStore
from enact.values import (
    ACTIVE,
    Displayed,
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

Self = TypeVar("Self", bound="View")
V = TypeVar("V", bound="View")


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
        subtree: ref to names and digests of all code below; None for a leaf.
        details: order of concurrent calls and other rare facts; None for most calls.
    """

    invokable: Ref[Any]
    output: Ref[Any] | None = None
    raised: Ref[Any] | None = None
    raised_here: bool = False
    children: list[Ref[Any]] = dataclasses.field(default_factory=list)
    code: str | None = None
    subtree: Ref[Any] | None = None
    details: dict[str, Any] | None = None

    def is_complete(self) -> bool:
        """Whether the call came to its end, by returning or raising."""
        if self.details is not None and self.details["status"] is not None:
            return False
        return self.output is not None or self.raised is not None


@dataclasses.dataclass
class View(Displayed, _Subscripted):
    """The part of ``Invocation`` that reads, and finds its way around the tree.

    Attributes:
        request: ref to the ``Request``.
        response: ref to the ``Response``.
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
    def root(self: Self) -> Self:
        """The invocation at the top of the tree that this view was taken from."""
        root: Self = self.__dict__.get("_root", self)
        return root

    @property
    def ref(self: Self) -> Ref[Self]:
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
    def children(self: Self) -> Sequence[Self]:
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

    def get_children(self: Self) -> list[Self]:
        """Views of the calls that it made."""
        return list(self.children)

    def get_child(self: Self, index: int) -> Self:
        """View of one call that it made.

        Raises:
            NoSuchCall: there is none with this index.
        """
        return self[index]

    def program(self) -> Program:
        """The version of the function that ran, as a program of its own.

        Returns:
            Its source, after all that it uses of its project, and the imports; the
            entry is the function. Registered functions that it calls are looked up by
            name. Of a call of a loaded program, that program.

        Raises:
            NotSelfContained: it cannot run on its own; says what is missing.
            SourceNotStored: the store does not have the version that ran.

        Example:
            >>> import enact
            >>> double = enact.Program("def solve(n):\\n    return 2 * n")
            >>> with enact.InMemoryStore():
            ...     inv = enact.invoke(double.load(allow=True), (21,))
            >>> print(inv.program().source)
            def solve(n):
                return 2 * n
        """
        store, code = self._store(), self._recorded().code
        return program_of(recorded_source(store, self.name, code))

    # --- views ----------------------------------------------------------------------

    def __getitem__(self: Self, key: int | tuple[int, ...]) -> Self:
        path = (key,) if isinstance(key, int) else key
        view = self
        for index in path:
            cids = view._recorded().children
            if index < 0:
                index += len(cids)
            cid = edits.child_of(view._recorded(), index, view.path)
            view = view._view(cid, index)
        return view

    def at(self: Self, path: str) -> Self:
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

    def walk(self: Self) -> Iterator[Self]:
        """Views of this call and all below, parents first."""
        todo = [iter([self])]
        while todo:
            view = next(todo[-1], None)
            if view is None:
                todo.pop()
                continue
            yield view
            todo.append(iter(view.children))

    def find(self: Self, invokable: Any) -> list[Self]:
        """Views of all calls of a function or of objects of an invokable class.

        Args:
            invokable: a registered function, an invokable class, or a name.
        """
        name = name_of_invokable(invokable)
        return [view for view in self.walk() if view.name == name]

    def _view(self: Self, cid: bytes, index: int) -> Self:
        store = self._store()
        recorded = edits.read(cid, store)
        return self._view_of(recorded, index, store)

    def _view_of(self: Self, recorded: Recorded, index: int, store: ValueStore) -> Self:
        view = type(self)(Ref(recorded.request, store), Ref(recorded.response, store))
        view.__dict__["_root"] = self.root
        view.__dict__["_path"] = (*self.path, index)
        return view

    def children_by_lane(self: Self) -> list[Self]:
        """Views of the calls that it made, lane by lane."""
        details = self._recorded().details
        views = list(self.children)
        if details is None or details.lanes is None:
            return views
        lanes = details.lanes
        return sorted(views, key=lambda view: (lanes[view.path[-1]], view.path[-1]))

    def _path_of(self, call: View | str) -> tuple[int, ...]:
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

    def verdicts(self) -> dict[str, str]:
        """Of the replay that made this: what was not simply reused, by path."""
        return dict(self.__dict__.get("_verdicts", {}))

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


def name_of_invokable(invokable: Any) -> str:
    """The name of an invokable in stored data.

    Args:
        invokable: a registered callable, an invokable class or object, or the name.
    """
    if isinstance(invokable, str):
        return invokable
    if isinstance(invokable, type):
        return type_name(invokable)
    return resolve(invokable, ())[0].name


class Children(Sequence[V]):
    """The calls that an invocation made, read in batches when they are needed."""

    def __init__(self, parent: V, cids: Sequence[bytes]) -> None:
        self._parent = parent
        self._cids = cids

    def __len__(self) -> int:
        return len(self._cids)

    @overload
    def __getitem__(self, index: int) -> V: ...

    @overload
    def __getitem__(self, index: slice) -> list[V]: ...

    def __getitem__(self, index: int | slice) -> V | list[V]:
        if isinstance(index, slice):
            return [self._parent[i] for i in range(*index.indices(len(self)))]
        return self._parent[index]

    def __iter__(self) -> Iterator[V]:
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
adapter(
    layout.CALL_ARGS,
    [CallArgs],
    lambda value: {"args": value.args, "kwargs": value.kwargs},
    lambda fields: CallArgs(fields["args"], fields["kwargs"]),
)
