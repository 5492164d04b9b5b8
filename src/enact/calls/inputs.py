# SPDX-License-Identifier: Apache-2.0
"""What goes into a call: the invokable and its input, encoded before the call runs.

The encoded form is the snapshot that later changes are held against, the request that
the record is searched for, and the blocks that are stored.
"""

from __future__ import annotations

import types
import warnings
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.errors import InputChanged, UnstorableValue
from enact.values import ATOMIC, assign_in_place, cid_of, decode
from enact.values.cids import CID_PREFIX

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.layout import Blocks
    from enact.calls.runs import Run
    from enact.calls.targets import Target


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


class Input:
    """The invokable and the input of one call.

    Attributes:
        invokable: identifier of the invokable as it was before the call.
        data, cid: block of the input, and its identifier.
        blocks: what is to be stored with the call.
        fixed: nothing in the input can change in place.
        opaque: some part could not be stored.
        receiver: the object whose method or ``call`` runs, else None.
    """

    # Defaults of what most calls never set.
    _before: Blocks
    _extra: dict[str, int]
    _request: bytes | None = None
    opaque = False
    receiver: Any = None

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
        if target.cid not in run.known:
            run.introduce(target)
        if receiver is None:
            self.invokable = target.cid
        else:
            self._take_receiver(run, parent, receiver)
        data = None if target.takes_value else layout.plain_call_args(args, kwargs)
        if data is not None:
            self.fixed = True
        else:
            value = self._value()
            self.fixed = type(value) in ATOMIC
            data, opaque = run.encode(value, self.blocks, parent, "input")
            self.opaque = self.opaque or opaque
        self.data = data
        self.cid = CID_PREFIX + sha256(data).digest()

    def _take_receiver(self, run: Run, parent: Frame, receiver: Any) -> None:
        self.receiver = receiver
        data, self.opaque = run.encode(self._invokable(), self.blocks, parent, "self")
        self.invokable = cid_of(data)
        self.blocks.append((self.invokable, data))
        self._before = list(self.blocks)
        self._extra = _untracked(receiver)

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
            data = layout.request(self.invokable, self.cid)
            request = self._request = CID_PREFIX + sha256(data).digest()
            self.blocks += ((self.cid, self.data), (request, data))
        return request

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
        if self.target.takes_value:
            return "$"
        before = decode(self.data, run.store)
        assert isinstance(before, CallArgs)
        for index, (old, new) in enumerate(zip(before.args, self.args, strict=True)):
            if run.encode(old, [], None, "")[0] != run.encode(new, [], None, "")[0]:
                return f"$.args[{index}]"
        for key, old in before.kwargs.items():
            new = self.kwargs[key]
            if run.encode(old, [], None, "")[0] != run.encode(new, [], None, "")[0]:
                return f"$.kwargs[{key!r}]"
        return "$"

    def alias(self, output: Any) -> list[Any] | None:
        """Which of the objects that came in ``output`` is, else None."""
        if output is self.receiver:
            return ["self"]
        for index, value in enumerate(self.args):
            if value is output:
                return ["args", index]
        for key, value in self.kwargs.items():
            if value is output:
                return ["kwargs", key]
        return None

    def named(self, alias: list[Any]) -> Any:
        """The object that ``alias`` found."""
        if alias[0] == "self":
            return self.receiver
        return self.args[alias[1]] if alias[0] == "args" else self.kwargs[alias[1]]

    def state_after(self, run: Run, frame: Frame) -> tuple[bytes, bool]:
        """Identifier of the invokable as it is now; whether a part is not stored."""
        data, opaque = run.encode(self._invokable(), self.blocks, frame, "self")
        after = cid_of(data)
        extra = _untracked(self.receiver)
        if extra != self._extra:
            names = sorted(set(extra.items()) ^ set(self._extra.items()))
            warnings.warn(
                f"{self.target.name!r} changed {names[0][0]!r} of its object, which is "
                "no field: it is neither recorded nor restored on replay",
                UntrackedStateWarning,
                stacklevel=5,
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
        data, opaque = run.encode(self._invokable(), blocks, None, "self")
        if opaque or cid_of(data) == self.invokable:
            return
        source = run.overlay(self._before)
        before = decode(dict(self._before)[self.invokable], source)
        target, value = before, self.receiver
        if isinstance(before, types.MethodType):
            target = before.__self__
        try:
            assign_in_place(target, value)
        except (UnstorableValue, TypeError) as error:
            raise InputChanged(
                f"{self.target.name!r} changed its object in a way that replay cannot "
                f"repeat in place ({error})"
            ) from None


def _canonical(key: str) -> tuple[int, bytes]:
    data = key.encode("utf-8", "surrogatepass")
    return len(data), data


def _untracked(receiver: Any) -> dict[str, int]:
    """Attributes that are no fields of a dataclass, by identity."""
    fields = getattr(type(receiver), "__dataclass_fields__", None)
    attributes = getattr(receiver, "__dict__", None)
    if fields is None or not attributes or len(attributes) <= len(fields):
        return {}
    return {k: id(v) for k, v in attributes.items() if k not in fields}
