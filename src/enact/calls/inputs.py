# SPDX-License-Identifier: Apache-2.0
"""What goes into a call: the invokable and its input, encoded before the call runs.

The encoded form is the snapshot that later changes are held against, the request that
the record is searched for, and the blocks that are stored.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.calls.callers import stacklevel
from enact.calls.credentials import look_for_live
from enact.errors import InputChanged, UnstorableValue
from enact.values import (
    ATOMIC,
    LIVE,
    Secret,
    among,
    assign_in_place,
    cid_of,
    decode,
    print_of,
)
from enact.values.cids import CID_PREFIX

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.layout import Blocks
    from enact.calls.runs import Run
    from enact.calls.targets import Target
    from enact.stores import ValueStore


class UntrackedStateWarning(UserWarning):
    """A call changed state of its object that is not recorded."""


class CallArgs:
    """The input of a function: its arguments as they were passed.

    Attributes:
        args: positional arguments.
        kwargs: keyword arguments; in canonical order unless the function takes
            ``**kwargs``, which keeps the caller's order.
    """

    __slots__ = ("args", "kwargs")

    def __init__(
        self,
        args: list[Any] | tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.args = list(args)
        self.kwargs = {} if kwargs is None else kwargs

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CallArgs):
            return NotImplemented
        return self.args == other.args and self.kwargs == other.kwargs

    __hash__ = None  # type: ignore[assignment]  # it holds what can change

    def __repr__(self) -> str:
        return f"CallArgs(args={self.args!r}, kwargs={self.kwargs!r})"


PlainInput = tuple[tuple[Any, ...], "dict[str, Any] | None", bytes]
"""Arguments and keyword arguments that are short scalars, and their block.

None stands for no keyword arguments: a tuple without a dict in it costs the garbage
collector nothing, however many calls are in flight.
"""


class Input:
    """The invokable and the input of one call.

    Attributes:
        invokable: identifier of the invokable as it was before the call.
        data, cid: block of the input, and its identifier.
        blocks: what is to be stored with the call.
        fixed: nothing in the input can change in place.
        opaque: some part could not be stored.
        receiver: the object whose method or ``call`` runs, else None.
        withheld: secrets in it.
    """

    # Defaults of what most calls never set.
    _before: Blocks
    _extra: dict[str, int]
    _held: dict[str, Any]
    _request: bytes | None = None
    opaque = False
    receiver: Any = None
    withheld: Sequence[object] = ()

    def __init__(
        self,
        run: Run,
        parent: Frame,
        target: Target,
        receiver: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.target = target
        self.args = args
        self.kwargs = kwargs
        self.blocks: Blocks = []
        if receiver is None:
            self.invokable = target.cid
        else:
            self._take_receiver(run, parent, receiver)
        value = self._value()
        self.fixed = type(value) in ATOMIC
        found: list[object] = []
        data, opaque = run.encode(value, self.blocks, parent, "input", found)
        self.opaque = self.opaque or opaque
        if found:
            self.withheld = [*self.withheld, *found]
        self.data = data
        self.cid = CID_PREFIX + sha256(data).digest()
        if LIVE:
            look_for_live(target, data, self.blocks, "input")

    @staticmethod
    def of(target: Target, given: Input | PlainInput) -> Input:
        """The input of a call that may have been given plain scalars only."""
        if isinstance(given, Input):
            return given
        made = object.__new__(Input)
        made.target = target
        made.args, kwargs, made.data = given
        made.kwargs = kwargs or {}
        made.blocks = []
        made.invokable = target.cid
        made.fixed = True
        made.cid = CID_PREFIX + sha256(made.data).digest()
        return made

    def _take_receiver(self, run: Run, parent: Frame, receiver: Any) -> None:
        self.receiver = receiver
        found: list[object] = []
        data, self.opaque = run.encode(
            self._invokable(), self.blocks, parent, "self", found
        )
        if found:
            self.withheld = found
        self.invokable = cid_of(data)
        self.blocks.append((self.invokable, data))
        self._before = list(self.blocks)
        self._extra = _untracked(receiver)
        self._held = _held(receiver)

    def _value(self) -> Any:
        if self.target.takes_value:
            return self.args[0] if self.args else None
        kwargs = self.kwargs
        if len(kwargs) > 1 and not self.target.ordered_kwargs:
            kwargs = {key: kwargs[key] for key in sorted(kwargs, key=_canonical)}
        return CallArgs(self.args, kwargs)

    def _invokable(self) -> Any:
        if self.target.takes_value:
            return self.receiver
        return types.MethodType(self.target.wrapper, self.receiver)

    def request(self) -> bytes:
        """Identifier of the request; from now on ``blocks`` has it, and the input."""
        request = self._request
        if request is None:
            made = self._request_blocks()
            self.blocks += made
            request = self._request = made[-1][0]
        return request

    def in_flight(self) -> Blocks:
        """All blocks of the request, which is the last; for other threads."""
        return [*self.blocks, *self._request_blocks()]

    def _request_blocks(self) -> Blocks:
        data = layout.request(self.invokable, self.cid)
        request = CID_PREFIX + sha256(data).digest()
        return [(self.cid, self.data), (request, data)]

    def changed(self, run: Run) -> str | None:
        """Where the input differs from what it was, else None."""
        if self.opaque:
            return None  # what could not be stored cannot be compared either
        try:
            data, _ = run.encode(self._value(), [], None, "input")
        except UnstorableValue as error:
            return error.path
        if data == self.data:
            return None
        return self._difference(run)

    def _difference(self, run: Run) -> str:
        before = decode(self.data, run.store)
        if self.target.takes_value:
            return differing_path(before, self._value(), "$")
        assert isinstance(before, CallArgs)
        path = differing_path(before.args, list(self.args), "$.args")
        if path == "$.args":
            path = differing_path(before.kwargs, self.kwargs, "$.kwargs")
        return path

    def alias(self, output: Any) -> list[Any] | None:
        """Where in what came in ``output`` itself is, else None."""
        roots: list[tuple[list[Any], Any]] = []
        if self.receiver is not None:
            roots.append((["self"], self.receiver))
        roots += [(["args", n], value) for n, value in enumerate(self.args)]
        roots += [(["kwargs", key], value) for key, value in self.kwargs.items()]
        return find_alias(output, roots)

    def named(self, alias: list[Any]) -> Any:
        """The object that ``alias`` found."""
        kind, *steps = alias
        if kind == "self":
            value = self.receiver
        elif kind == "args":
            value = self.args[steps.pop(0)]
        else:
            value = self.kwargs[steps.pop(0)]
        for step in steps:
            if isinstance(value, (list, tuple, dict)):
                value = value[step]
            else:
                value = getattr(value, step)
        return value

    def rebound(self) -> list[str] | None:
        """Fields of the receiver that now hold another object than before."""
        receiver = self.receiver
        names = [k for k, v in self._held.items() if getattr(receiver, k, v) is not v]
        return names or None

    def load(self, cid: bytes, store: ValueStore) -> Any:
        """Load a block, with the secrets that came in wherever it has them."""
        secrets = among(self.withheld) if self.withheld else None
        return decode(store.load_block(cid), store, secrets=secrets)

    def _has(self, withheld: list[object]) -> bool:
        """Whether all these are secrets that came in, as they will in a replay."""
        find = among(self.withheld)
        return all(
            isinstance(part, Secret) and find(print_of(part)) is not None
            for part in withheld
        )

    def restore(self, after: Any, rebound: list[str] | None) -> None:
        """Make the receiver what it was after the call, as the call did: in place."""
        receiver = self.receiver
        if isinstance(after, types.MethodType):
            after = after.__self__
        for name in rebound or ():
            object.__setattr__(receiver, name, getattr(after, name))
        assign_in_place(receiver, after)

    def state_after(self, run: Run, frame: Frame) -> tuple[bytes, bool]:
        """Identifier of the invokable as it is now; whether a part is not stored."""
        found: list[object] = []
        data, opaque = run.encode(self._invokable(), self.blocks, frame, "self", found)
        after = cid_of(data)
        if found and after != self.invokable:
            opaque = opaque or not self._has(found)
        extra = _untracked(self.receiver)
        if extra != self._extra:
            names = sorted(set(extra.items()) ^ set(self._extra.items()))
            warnings.warn(
                f"{self.target.name!r} changed {names[0][0]!r} of its object, which is "
                "no field: it is neither recorded nor restored on replay",
                UntrackedStateWarning,
                stacklevel=stacklevel(),
            )
        if after != self.invokable:
            self.blocks.append((after, data))
        return after, opaque

    def require_restorable(self, run: Run) -> None:
        """See that replay can make the same change to the object in place.

        Raises:
            InputChanged: it cannot.
        """
        blocks: Blocks = []
        if self.opaque or self.receiver is None:
            return
        data, opaque = run.encode(self._invokable(), blocks, None, "self", [])
        if opaque or cid_of(data) == self.invokable:
            return
        source = run.overlay(self._before)
        before = decode(dict(self._before)[self.invokable], source)
        target, value = before, self.receiver
        if isinstance(before, types.MethodType):
            target = before.__self__
        try:
            for name in self.rebound() or ():
                object.__setattr__(target, name, getattr(value, name))
            assign_in_place(target, value)
        except (UnstorableValue, TypeError) as error:
            raise InputChanged(
                f"{self.target.name!r} changed its object in a way that replay cannot "
                f"repeat in place ({error})"
            ) from None


def _canonical(key: str) -> tuple[int, bytes]:
    data = key.encode("utf-8", "surrogatepass")
    return len(data), data


def _held(receiver: Any) -> dict[str, Any]:
    """The objects that fields hold, those that others may hold too."""
    fields = getattr(type(receiver), "__dataclass_fields__", ())
    values = ((name, getattr(receiver, name, None)) for name in fields)
    return {name: value for name, value in values if type(value) not in ATOMIC}


def find_alias(
    wanted: Any, roots: list[tuple[list[Any], Any]], limit: int = 64
) -> list[Any] | None:
    """The path at which an object is found, breadth first.

    Args:
        wanted: the object.
        roots: paths and objects to begin with.
        limit: how many objects to look at; deep inside large ones it is not found.
    """
    todo = list(roots)
    for path, value in todo:
        if value is wanted:
            return path
        if len(todo) > limit:
            continue
        if isinstance(value, dict):
            steps = [(k, v) for k, v in value.items() if type(k) in (str, int)]
        elif isinstance(value, (list, tuple)):
            steps = list(enumerate(value[:limit]))
        else:
            steps = list(_held(value).items())
        todo += [([*path, k], v) for k, v in steps if type(v) not in ATOMIC]
    return None


def differing_path(before: Any, now: Any, path: str) -> str:
    """Where two values differ, as deep as that can be told."""
    if type(before) is not type(now):
        return path
    steps: list[tuple[str, Any, Any]] = []
    if isinstance(before, dict) and before.keys() == now.keys():
        steps = [(f"[{key!r}]", before[key], now[key]) for key in before]
    elif isinstance(before, (list, tuple)) and len(before) == len(now):
        steps = [
            (f"[{n}]", *pair) for n, pair in enumerate(zip(before, now, strict=True))
        ]
    elif hasattr(type(before), "__dataclass_fields__"):
        names = type(before).__dataclass_fields__
        steps = [(f".{k}", getattr(before, k), getattr(now, k)) for k in names]
    for step, old, new in steps:
        if old is not new and not _equal(old, new):
            return differing_path(old, new, path + step)
    return path


def _equal(one: Any, other: Any) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # a broken __eq__ only makes the path shorter
        return False


def _untracked(receiver: Any) -> dict[str, int]:
    """Attributes that are no fields of a dataclass, by identity."""
    fields = getattr(type(receiver), "__dataclass_fields__", None)
    attributes = getattr(receiver, "__dict__", None)
    if fields is None or not attributes or len(attributes) <= len(fields):
        return {}
    return {k: id(v) for k, v in attributes.items() if k not in fields}
