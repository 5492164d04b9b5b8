# SPDX-License-Identifier: Apache-2.0
"""From blocks to values.

The lists and dicts that libipld gives are new, so raising a form to a value changes
them in place, and only where an item is not its own value. Nothing is imported and
nothing that was stored is run: names find only what is registered or loaded already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, TypeVar

from enact.errors import (
    EnactError,
    LimitExceeded,
    MalformedBlock,
    SchemaMismatch,
    UnregisteredType,
)
from enact.values.cbor import MAX_INT, MIN_INT, Form, check_block, decode_form, unescape
from enact.values.cids import is_cid
from enact.values.coders import Loader
from enact.values.encoder import Encoder
from enact.values.limits import DEPTH_SLACK, MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES
from enact.values.registry import LOADERS, find_loader, unregistered
from enact.values.trees import (
    NOTHING,
    Source,
    as_link,
    bytes_length,
    list_chunks,
    list_length,
    read_bytes,
)
from enact.values.unknown import Unknown

T = TypeVar("T")

FindSecret: TypeAlias = Callable[[tuple[bytes, bytes]], object]

_MAX_DEPTH = MAX_DEPTH + DEPTH_SLACK

#: What loaders raise when a block does not hold what they expect.
_UNFIT = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
)


def decode(
    data: bytes,
    source: Source | None = None,
    *,
    unknown: bool = False,
    secrets: FindSecret | None = None,
) -> object:
    """Return the value that a block holds, fresh every time.

    Args:
        data: the bytes of the block.
        source: has the chunks of long lists and strings; refs in the value remember it.
        unknown: give `Unknown` for types that are not known here.
        secrets: gives the secret with a fingerprint, or None; without it, secrets are
            loaded without their values.

    Returns:
        The value.

    Raises:
        UnregisteredType: a type is not known here.
        SchemaMismatch: stored fields do not fit the class as it is now.
        MalformedBlock: the bytes are no block of ours.
        LimitExceeded: the block is too large, too deep, or has too many parts.
        MissingBlock: the source lacks a chunk.

    Example:
        >>> decode(bytes.fromhex("a161618201f6"))
        {'a': [1, None]}
    """
    decoder = Decoder(source, unknown)
    decoder.secrets = secrets
    return decoder.decode(data)


def decode_foreign(data: bytes, source: Source | None = None) -> object:
    """Return the value that a block from elsewhere holds, if an encoder made it.

    Like `decode`, but the value must also encode to the bytes that it was read from,
    unless its class has changed since.

    Args:
        data: the bytes of the block.
        source: has the chunks of long lists and strings.

    Returns:
        The value.

    Raises:
        UnregisteredType: a type is not known here.
        SchemaMismatch: stored fields do not fit the class as it is now.
        MalformedBlock: no encoder of ours writes these bytes.
        LimitExceeded: the block is too large, too deep, or has too many parts.
        MissingBlock: the source lacks a chunk.

    Example:
        >>> decode_foreign(bytes.fromhex("a261248143466f6f"))
        Traceback (most recent call last):
        ...
        enact.errors.MalformedBlock: Failed to decode DAG-CBOR. end of data
    """
    check_block(data)
    decoder = Decoder(source, unknown=False)
    value = decoder.decode(data)
    if not decoder.evolved and Encoder(_drop).encode(value) != data:
        raise MalformedBlock("a block is not in canonical form")
    return value


def _drop(cid: bytes, data: bytes) -> None:
    """Take a block that nobody needs."""


class Decoder:
    """Raises forms to values. Loaders of envelopes get it as their first argument.

    Args:
        source: has the chunks of long lists and strings.
        unknown: give `Unknown` for types that are not known here.
    """

    __slots__ = ("_budget", "_source", "_text", "_unknown", "evolved", "secrets")

    #: Makes a ref; set by `refs`, which in turn decodes.
    make_ref: ClassVar[type]

    def __init__(self, source: Source | None, unknown: bool) -> None:
        self._source = source
        self._unknown = unknown
        self._budget = MAX_NODES
        self._text = MAX_TEXT_BYTES
        #: Set when a value was read that today's class would write differently.
        self.evolved = False
        #: Gives the secret with a fingerprint, if anybody has it.
        self.secrets: FindSecret | None = None

    def decode(self, data: bytes) -> object:
        """Return the value that a block holds.

        Args:
            data: the bytes of the block.

        Returns:
            The value.
        """
        form = decode_form(data)
        try:
            return self.value(form, 0)
        except EnactError:
            raise
        except _UNFIT as error:
            raise MalformedBlock(
                f"a block does not hold what it says: {error}"
            ) from error
        except RecursionError as error:
            raise LimitExceeded("a block is nested too deep") from error

    def value(self, form: Any, depth: int) -> Any:
        """Return the value of a form.

        Args:
            form: the form, which may be changed.
            depth: of containers around it.

        Returns:
            The value.
        """
        # Few frames per level here and below: a deep value must not meet the recursion
        # limit of Python first.
        cls = type(form)
        if cls is str or form is None or cls is bool or cls is float:
            return form
        if cls is dict:
            name = form.get("$")
            if name is None:
                return self._dict(form, depth)
            loader: Loader | None = None
            if type(name) is str:
                loader = LOADERS.get(name) or find_loader(name)
            if loader is None or self._unknown:
                return self._odd_envelope(name, loader, form, depth)
            return loader(self, form, depth)
        if cls is list:
            return self._list(form, depth)
        if cls is bytes:
            if form and form[0] == 1:
                if not is_cid(form):
                    raise MalformedBlock("a link that is no CID of a dag-cbor block")
                return self.ref(form)
            return unescape(form)
        if not MIN_INT <= form <= MAX_INT:
            raise MalformedBlock("an integer beyond 64 bits that is no envelope")
        return form

    def ref(self, cid: bytes) -> Any:
        """Return the value of a link.

        Args:
            cid: what it links to.

        Returns:
            A ref that remembers the source.
        """
        return self.make_ref(cid, self._source)

    def fields(self, form: dict[str, Form], depth: int) -> dict[str, Any]:
        """Return the values of all fields of an envelope.

        Args:
            form: the envelope.
            depth: of the envelope.

        Returns:
            A new dict without the key "$".
        """
        self._enter(len(form), depth)
        fields = {}
        for key, item in form.items():
            if key != "$":
                fields[key] = self.value(item, depth + 1)
        return fields

    def part(self, cls: type[T], form: dict[str, Form], key: str, depth: int) -> T:
        """Return the value of one field of an envelope.

        Args:
            cls: the exact type that it must have.
            form: the envelope.
            key: of the field.
            depth: of the envelope.

        Returns:
            The value.

        Raises:
            MalformedBlock: there is no such field, or one of another type.
        """
        # The field is no container of its own in the value, hence of the same depth.
        item: Any = form.get(key)
        value = (
            self._list(item, depth) if type(item) is list else self.value(item, depth)
        )
        if type(value) is not cls:
            raise MalformedBlock(f"{form['$']!r} without a {cls.__name__} {key!r}")
        return value

    def exactly(self, cls: type[T], form: dict[str, Form], key: str, depth: int) -> T:
        """Return the value of the only field of an envelope.

        Args:
            cls: the exact type that it must have.
            form: the envelope.
            key: of the field.
            depth: of the envelope.

        Returns:
            The value.

        Raises:
            MalformedBlock: there is another field, or no such, or of another type.
        """
        if len(form) != 2:
            self.only(form, 2)
        item: Any = form.get(key)
        value = (
            self._list(item, depth) if type(item) is list else self.value(item, depth)
        )
        if type(value) is not cls:
            raise MalformedBlock(f"{form['$']!r} without a {cls.__name__} {key!r}")
        return value

    def only(self, form: dict[str, Form], size: int) -> None:
        """Check how many keys an envelope has.

        Args:
            form: the envelope.
            size: how many it must have, "$" included.

        Raises:
            MalformedBlock: it has more, or fewer.
        """
        if len(form) != size:
            raise MalformedBlock(f"{form['$']!r} with the keys {sorted(form)}")

    def call(self, what: str, function: Callable[[Any], T], argument: Any) -> T:
        """Call something that users define, whose errors say that data does not fit.

        Args:
            what: its name, for the message.
            function: what to call.
            argument: for it.

        Returns:
            What it returns.

        Raises:
            SchemaMismatch: it raised.
        """
        try:
            return function(argument)
        except EnactError:
            raise
        except Exception as error:
            raise SchemaMismatch(
                f"{what} does not take what was stored: {type(error).__name__}: {error}"
            ) from error

    def _enter(self, size: int, depth: int) -> None:
        self._budget -= size + 1
        if depth >= _MAX_DEPTH:
            raise LimitExceeded(f"a value is nested deeper than {MAX_DEPTH}")
        if self._budget < 0:
            raise LimitExceeded(f"a value has more than {MAX_NODES} parts")

    def _list(self, form: list[Any], depth: int) -> list[Any]:
        self._enter(len(form), depth)
        for index, item in enumerate(form):
            cls = type(item)
            if cls is str or item is None or cls is float:
                continue
            if cls is int and MIN_INT <= item <= MAX_INT:
                continue
            form[index] = self.value(item, depth + 1)
        return form

    def _dict(self, form: dict[str, Any], depth: int) -> dict[str, Any]:
        self._enter(len(form), depth)
        if "" in form:
            raise MalformedBlock("a plain dict with the key ''")
        for key, item in form.items():
            cls = type(item)
            if cls is str or item is None or cls is float:
                continue
            if cls is int and MIN_INT <= item <= MAX_INT:
                continue
            form[key] = self.value(item, depth + 1)
        return form

    def _odd_envelope(
        self, name: object, loader: Loader | None, form: dict[str, Any], depth: int
    ) -> object:
        """Read an envelope of chunks, or one that perhaps nobody can read."""
        if type(name) is not str:
            raise MalformedBlock("an envelope without the name of a type")
        if name == "enact/List":
            return self._chunked_list(form, depth)
        if name == "enact/Bytes":
            self._text -= bytes_length(form)
            if self._text < 0:
                raise LimitExceeded(f"more than {MAX_TEXT_BYTES} bytes of text")
            return read_bytes(form, self._source)
        if not self._unknown:
            raise unregistered(name, self._recorded(name))
        if loader is None:
            return Unknown(name, self.fields(form, depth))
        # A loader may find names of types inside that it does not know.
        spare = _copied(form)
        try:
            return loader(self, form, depth)
        except UnregisteredType:
            return Unknown(name, self.fields(spare, depth))

    def _chunked_list(self, form: dict[str, Any], depth: int) -> list[Any]:
        self._enter(list_length(form), depth)
        values: list[Any] = []
        for chunk in list_chunks(form, self._source):
            for item in chunk:
                if type(item) is dict and "" in item:
                    item = self._outlined(item)
                values.append(self.value(item, depth + 1))
        return values

    def _outlined(self, item: dict[str, Any]) -> Form:
        """Return the form of an item of a list that is a block of its own."""
        if len(item) != 1:
            raise MalformedBlock("something else where an item of a list should be")
        return decode_form((self._source or NOTHING).load_block(as_link(item[""])))

    def _recorded(self, name: str) -> tuple[str, str] | None:
        """Ask the store where a type came from."""
        ask = getattr(self._source, "requirement", None)
        return ask(name) if callable(ask) else None


def _copied(form: Any) -> Any:
    """Copy a form, before a loader changes it."""
    if type(form) is dict:
        return {key: _copied(item) for key, item in form.items()}
    if type(form) is list:
        return [_copied(item) for item in form]
    return form
