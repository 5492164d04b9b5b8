# SPDX-License-Identifier: Apache-2.0
"""The block layout of calls. It is fixed: a change is a new format version.

Five blocks make a call. ``->`` is a link::

    input       the value; of a function: {"$": "enact/CallArgs", args, kwargs}
    output      the value
    request     {"$": "enact/Request", invokable ->, input ->}
    response    {"$": "enact/Response", invokable ->, output ->?, raised ->?,
                 raised_here, children [->], code?, subtree ->?, details?}
    invocation  {"$": "enact/Invocation", request ->, response ->}

``response.invokable`` is the invokable as it was after the call. ``code`` is the
digest of the code that ran. ``subtree`` is null for a leaf, else a list of name and
code of all invokables that ran below, each once, in order: ``[[name, code], ...]``.
``details`` is null for a call that came to its end alone and in order, else a map of
all of these, null where they do not apply:

    ``alarms``     timers and time limits that went off: of each how many events came
                   before, how many more before anybody reacted, and its name, numbers
                   (see ``timers.py``); left out where there were none
    ``marks``      what else has a place in the order, such as the end of a work item:
                   of each how many events came before, the kind (see ``marks.py``),
                   and the numbers of the lane; left out where nobody could tell
    ``events``     order of starts and ends of the children where it is not sequential:
                   0 is the start of the next child, n + 1 the end of child n, -1 says
                   that the event loop came to rest: all that could react to what had
                   happened did so before the next event, and -2 - n that child n,
                   a stream, handed out an item
    ``ahead``      recorded calls that the program had not asked for when a replay of it
                   was cut off: they may still answer
    ``items``      a link to the ``enact/Stream`` of what a stream had handed out that
                   did not come to its end, in a list; left out where there is none
    ``laps``       how often the event loop went round between what happened, unless it
                   came to rest: of each event that came in a later round than the end
                   (or item, or alarm) before it, how many events came before, and how
                   many rounds later it came; left out where there are none
    ``lanes``      the lane of each child, and of each call ahead, where there are
                   several; the position of a child is its place among those of its lane
    ``opaque``     ``true``: a part could not be stored, so the call must run again
    ``origin``     ``"edited"`` or ``"answered"``: the outcome is not the code's own
    ``rebound``    fields of the object that hold another object afterwards, where the
                   rest is to be restored in place
    ``retry``      indices of the children whose exceptions ended this call
    ``returned``   where in what came in the output is: ``["self"]``, ``["args", 0]``,
                   ``["self", "items"]``, ``["kwargs", "by_name", "x"]``, ...
    ``status``     ``"paused"``, ``"cancelled"`` or ``"incomplete"``, where the outcome
                   alone does not tell
    ``unwinding``  calls made after a pause or interrupt went through, never replayed

The shapes that nearly all calls have are written straight from here. The same blocks
come out of the general encoder for the dataclasses in ``invocation.py``; a test holds
the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from enact.errors import MalformedBlock
from enact.values import Encoder, Ref, cid_text, decode, encode_links, read_links
from enact.values.cbor import decode_form, encode_form
from enact.values.chunks import MIN_ITEMS, SMALL, Shrinker

Cid = bytes
Block = tuple[Cid, bytes]
Blocks = list[Block]

CALL_ARGS = "enact/CallArgs"
REQUEST = "enact/Request"
RESPONSE = "enact/Response"
INVOCATION = "enact/Invocation"

# Among events: the event loop came to rest.
REST = -1


def item_event(slot: int) -> int:
    """Among events: the child in a slot hands out an item."""
    return -2 - slot


def item_of(event: int) -> int:
    """The child that hands out an item at an event; -1 for `REST`."""
    return -2 - event


#: In canonical order.
FIELDS = (
    "laps",
    "ahead",
    "items",
    "lanes",
    "marks",
    "retry",
    "alarms",
    "events",
    "opaque",
    "origin",
    "status",
    "rebound",
    "returned",
    "unwinding",
)
# What came later than the format: left out where it is null.
_LATER = ("laps", "alarms", "marks", "items")

_LINKS = ("ahead", "unwinding", "items")
# These may have links or any text in them, and take more to encode than the rest.
_ENCODED = (*_LINKS, "rebound", "returned")


class Details:
    """The rarely used part of a response; see the module's description."""

    __slots__ = FIELDS

    def __init__(self, fields: dict[str, Any] | None = None) -> None:
        for name in FIELDS:
            setattr(self, name, None if fields is None else fields.get(name))

    laps: list[list[int]] | None
    marks: list[list[int]] | None
    alarms: list[list[int]] | None
    ahead: list[bytes] | None
    items: list[bytes] | None
    lanes: list[tuple[int, ...]] | None
    retry: list[int] | None
    events: list[int] | None
    opaque: bool | None
    origin: str | None
    status: str | None
    rebound: list[str] | None
    returned: list[Any] | None
    unwinding: list[bytes] | None

    def has_order_of(self, other: Details) -> bool:
        """Whether the same calls took place in the same order in the same lanes."""
        return self.lanes == other.lanes and self._moves() == other._moves()

    def _moves(self) -> list[int]:
        if self.events is None:  # one call at a time
            return [event for n in range(len(self.lanes or ())) for event in (0, n + 1)]
        return [event for event in self.events if event != REST]

    def as_map(self) -> dict[str, Any] | None:
        """All fields in canonical order; None if there is nothing to tell."""
        fields = {name: getattr(self, name) for name in FIELDS}
        if self.lanes is not None:
            fields["lanes"] = [[*path] for path in self.lanes]
        for name in _LATER:
            if fields[name] is None:
                del fields[name]
        return None if all(v is None for v in fields.values()) else fields


_MIN_INT = -(2**63)
_MAX_INT = 2**63 - 1
_SHORT = 1000

# An input without keyword arguments is the list of arguments between these two.
_ARGS_HEAD, _ARGS_TAIL = encode_form(
    {"$": CALL_ARGS, "args": "here", "kwargs": {}}
).split(encode_form("here"))


def plain_call_args(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes | None:
    """The block of ``CallArgs`` if all arguments are short plain scalars, else None.

    Such arguments cannot change in place, and encode as themselves.
    """
    # Lists of more items or more keywords may need chunks or keep an order.
    if len(args) > 8 or len(kwargs) > 1:
        return None
    for value in (*args, *kwargs.values()) if kwargs else args:
        kind = type(value)
        if kind is str:
            if len(value) > _SHORT:
                return None
        elif kind is int:
            if not _MIN_INT <= value <= _MAX_INT:
                return None
        elif value is not None and kind is not bool:
            return None
    try:
        if not kwargs:
            data = encode_form([*args])
            if len(data) > SMALL and len(args) >= MIN_ITEMS:
                return None  # such a list goes into chunks
            return _ARGS_HEAD + data + _ARGS_TAIL
        (name,) = kwargs
        if name == "$" or type(name) is not str or not 0 < len(name) < 64:
            return None  # given by ``**``: such keys have another form
        if len(args) >= MIN_ITEMS and len(encode_form([*args])) > SMALL:
            return None
        return encode_form({"$": CALL_ARGS, "args": [*args], "kwargs": kwargs})
    except ValueError:  # lone surrogates
        return None


def plain_scalar(value: Any) -> bytes | None:
    """The block of a short plain scalar, else None."""
    kind = type(value)
    if kind is str:
        if len(value) > _SHORT:
            return None
    elif kind is int:
        if not _MIN_INT <= value <= _MAX_INT:
            return None
    elif value is not None and kind is not bool:
        return None
    try:
        return encode_form(value)
    except ValueError:  # lone surrogates
        return None


def request(invokable: Cid, input: Cid) -> bytes:
    """The block of a request."""
    return encode_form({"$": REQUEST, "input": input, "invokable": invokable})


def invocation(request: Cid, response: Cid) -> bytes:
    """The block of an invocation."""
    return encode_form({"$": INVOCATION, "request": request, "response": response})


def leaf_response(
    invokable: Cid, output: Cid | None, raised: Cid | None, here: bool, code: str | None
) -> bytes:
    """The response of a call that made no calls and has nothing special."""
    return encode_form(
        {
            "$": RESPONSE,
            "children": [],
            "code": code,
            "details": None,
            "invokable": invokable,
            "output": output,
            "raised": raised,
            "raised_here": here,
            "subtree": None,
        }
    )


def response(
    invokable: Cid,
    output: Cid | None,
    raised: Cid | None,
    here: bool,
    children: Sequence[Cid],
    code: str | None,
    subtree: Cid | None,
    details: Details | None,
    blocks: Blocks,
) -> bytes:
    """Any response; chunks of long lists go to ``blocks``."""

    def emit(cid: Cid, data: bytes) -> None:
        blocks.append((cid, data))

    form = None if details is None else _details_form(details, emit)
    return encode_form(
        {
            "$": RESPONSE,
            "children": encode_links(children, emit) if children else [],
            "code": code,
            "details": form,
            "invokable": invokable,
            "output": output,
            "raised": raised,
            "raised_here": here,
            "subtree": subtree,
        }
    )


def _details_form(details: Details, emit: Callable[[Cid, bytes], None]) -> Any:
    fields = details.as_map()
    if fields is None:
        return None
    if all(fields.get(name) is None for name in _ENCODED):
        # Lists of small integers are forms as they are. They may be long.
        data = encode_form(fields)
        return Shrinker(emit).shrink(fields, data) if len(data) > SMALL else fields
    for name in _LINKS:
        if fields.get(name):
            fields[name] = [Ref(cid) for cid in fields[name]]
    return Encoder(emit).form(fields)


#: Of a leaf, in the order of ``Recorded.of_leaf``: request, response, invokable, input,
#: output, code, value of the output.
Leaf = tuple[Cid, Cid, Cid, Cid, Cid, "str | None", Any]

NOT_READ: Any = object()

# Longer lists of children are read from their chunks.
READY_CHILDREN = 4096

# How many recorded calls a store keeps ready. Search replays the same ones over and
# over.
READY = 1 << 14


class Recorded:
    """One recorded invocation, as far as replay needs it.

    Attributes:
        cid, request, response: identifiers of its blocks.
        invokable, input: what was called, before the call.
        after: the invokable after the call.
        output, raised, raised_here, code, subtree: as in the response.
        children: the links, read when they are needed.
        simple: it returned, its object stayed as it was, and there are no details.
        value: the output, once read, if it cannot change in place.
        details: see the module's description; None for most calls.
    """

    # What holds for most calls: a value returned, nothing called, nothing special.
    raised: Cid | None = None
    raised_here = False
    children: Sequence[Cid] = ()
    subtree: Cid | None = None
    details: Details | None = None
    simple = True

    @staticmethod
    def of_leaf(cid: Cid, leaf: Leaf) -> Recorded:
        """A call that was written just now, in this process."""
        recorded = object.__new__(Recorded)
        recorded.cid = cid
        (
            recorded.request,
            recorded.response,
            recorded.invokable,
            recorded.input,
            recorded.output,
            recorded.code,
            recorded.value,
        ) = leaf
        recorded.after = recorded.invokable
        return recorded

    def __init__(
        self,
        cid: Cid,
        invocation: dict[str, Any],
        request: dict[str, Any],
        response: dict[str, Any],
        source: Any,
    ) -> None:
        self.cid = cid
        self.request = invocation["request"]
        self.response = invocation["response"]
        self.invokable = request["invokable"]
        self.input = request["input"]
        self.after = response["invokable"]
        self.output = response["output"]
        self.raised = response["raised"]
        self.raised_here = response["raised_here"]
        self.code = response["code"]
        self.subtree = response["subtree"]
        children = response["children"]
        if children:
            kept = source.ready.get(self.response)
            self.children = kept if type(kept) is list else read_links(children, source)
        details = response["details"]
        self.details = None if details is None else _read_details(details, source)
        self.simple = (
            details is None and self.output is not None and self.after == self.invokable
        )
        self.value: Any = NOT_READ

    @property
    def is_given(self) -> bool:
        """Whether somebody put the outcome in: then it stands."""
        return self.details is not None and self.details.origin is not None

    @property
    def is_leaf(self) -> bool:
        """Whether it returned, with nothing special, and made no calls."""
        return self.simple and self.subtree is None and not self.children

    @property
    def is_in_flight(self) -> bool:
        """Whether nothing but its request is known."""
        return self.status == "incomplete" and not self.has_calls

    @property
    def is_open(self) -> bool:
        """Whether it had not come to its end, and there are calls that may answer."""
        return self.status == "incomplete" and self.has_calls

    @property
    def is_open_stream(self) -> bool:
        """Whether it is a stream that did not come to its end."""
        return self.details is not None and self.details.items is not None

    @property
    def has_calls(self) -> bool:
        """Whether there are recorded calls below it, made or ahead."""
        details = self.details
        return bool(self.children or (details is not None and details.ahead))

    @property
    def status(self) -> str:
        """``completed``, ``failed``, ``paused``, ``cancelled`` or ``incomplete``."""
        if self.details is not None and self.details.status is not None:
            return self.details.status
        if self.output is not None:
            return "completed"
        return "incomplete" if self.raised is None else "failed"


def _read_details(fields: dict[str, Any], source: Any) -> Details:
    unlinked = {name: None if name in _LINKS else fields[name] for name in fields}
    plain = decode(encode_form(unlinked), source)
    details = Details(cast("dict[str, Any]", plain))
    if details.lanes is not None:
        details.lanes = [tuple(path) for path in details.lanes]
    for name in _LINKS:
        if fields.get(name) is not None:
            setattr(details, name, list(read_links(fields[name], source)))
    return details


def read_calls(cids: Sequence[Cid], source: Any) -> list[Recorded]:
    """Read recorded invocations, in batches.

    Args:
        cids: their identifiers.
        source: the store; has ``load_blocks(cids) -> dict`` and ``ready``, a dict.

    Raises:
        MissingBlock: part of one is in no store at hand.
        MalformedBlock: a block is no invocation.
    """
    known = read_ready(cids, source)
    for place, one in enumerate(known):
        if type(one) is tuple:
            known[place] = source.ready[cids[place]] = Recorded.of_leaf(
                cids[place], one
            )
    return known


def read_ready(cids: Sequence[Cid], source: Any) -> list[Any]:
    """``read_calls``, but leaves as they are kept at hand: a ``Leaf`` each."""
    ready = source.ready
    found = [ready.get(cid) for cid in cids]
    unread = [cid for cid, known in zip(cids, found, strict=True) if known is None]
    if unread:
        if len(ready) > READY:
            ready.clear()
        read = _read_calls(unread, source)
        ready.update(zip(unread, read, strict=True))
        fresh = iter(read)
        found = [next(fresh) if known is None else known for known in found]
    return found


def _read_calls(cids: Sequence[Cid], source: Any) -> list[Recorded]:
    invocations = [
        read_fields(data, INVOCATION, cid) for cid, data in _load(cids, source)
    ]
    needed = [c for inv in invocations for c in (inv["request"], inv["response"])]
    parts = [data for _, data in _load(needed, source)]
    return [
        Recorded(
            cid,
            inv,
            read_fields(parts[2 * n], REQUEST, cid),
            read_fields(parts[2 * n + 1], RESPONSE, cid),
            source,
        )
        for n, (cid, inv) in enumerate(zip(cids, invocations, strict=True))
    ]


def read_versions(
    cids: Sequence[Cid], source: Any
) -> list[tuple[str | None, Cid | None]]:
    """Code and subtree of recorded invocations, and nothing else of them.

    Raises:
        MissingBlock: part of one is in no store at hand.
    """
    responses = [
        read_fields(data, INVOCATION, cid)["response"]
        for cid, data in _load(cids, source)
    ]
    found = [read_fields(data, RESPONSE, cid) for cid, data in _load(responses, source)]
    return [(response["code"], response["subtree"]) for response in found]


def read_invocation(cid: Cid, source: Any) -> tuple[Cid, Cid]:
    """Identifiers of the request and the response of a recorded invocation."""
    fields = read_fields(source.load_block(cid), INVOCATION, cid)
    return fields["request"], fields["response"]


def read_parts(cid: Cid, request: Cid, response: Cid, source: Any) -> Recorded:
    """Read a recorded invocation whose request and response are known."""
    parts = source.load_blocks([request, response])
    return Recorded(
        cid,
        {"request": request, "response": response},
        read_fields(parts[request], REQUEST, request),
        read_fields(parts[response], RESPONSE, response),
        source,
    )


def _load(cids: Sequence[Cid], source: Any) -> list[tuple[Cid, bytes]]:
    blocks = source.load_blocks(cids)
    return [(cid, blocks[cid]) for cid in cids]


def read_fields(data: bytes, kind: str, cid: Cid) -> dict[str, Any]:
    """The fields of a block that should be of a certain kind.

    Raises:
        MalformedBlock: it is not.
    """
    fields = decode_form(data)
    if type(fields) is not dict or fields.get("$") != kind:
        raise MalformedBlock(f"{cid_text(cid)} is not the {kind} that it should be")
    return fields
