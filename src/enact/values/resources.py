# SPDX-License-Identifier: Apache-2.0
"""Base classes for values of users, and wrappers for values of third parties."""

from __future__ import annotations

import typing
from typing import Any, ClassVar, Generic, TypeVar

from enact.errors import UnstorableValue
from enact.values.cids import cid_of
from enact.values.decoder import Decoder
from enact.values.encoder import Encoder
from enact.values.refs import Ref
from enact.values.registry import (
    BY_TYPE,
    LOADERS,
    LOWERERS,
    REGISTRATION_HOOKS,
    TypeEntry,
)
from enact.values.secrets import among

if typing.TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowerer, Lowering, Raising
    from enact.values.paths import Frame

T = TypeVar("T")


class Resource:
    """Base of dataclasses that can be stored.

    Example:
        >>> import dataclasses
        >>> from enact.values import register_type
        >>> @register_type
        ... @dataclasses.dataclass
        ... class Poem(Resource):
        ...     title: str
        ...     lines: list[str]
        >>> deepcopy(Poem("Sea", ["salt"]))
        Poem(title='Sea', lines=['salt'])
    """

    __slots__ = ()


class ImmutableResource(Resource):
    """Base of frozen dataclasses that can be stored.

    Example:
        >>> import dataclasses
        >>> from enact.values import register_type
        >>> @register_type
        ... @dataclasses.dataclass(frozen=True)
        ... class Point(ImmutableResource):
        ...     x: int
        >>> deepcopy(Point(1))
        Point(x=1)
    """

    __slots__ = ()


class TypeWrapper(Resource, Generic[T]):
    """Stores values of a type that others define.

    A subclass is a registered dataclass whose fields hold what is to be stored of a
    value. Once it is registered, values of the wrapped type can be stored wherever they
    occur inside other values, and come back as values of that type.

    Attributes:
        wraps_subclasses: whether values of subclasses of the wrapped type are wrapped
            too; then `unwrap` decides what they come back as.

    Example:
        >>> import array, dataclasses
        >>> from enact.values import register_type
        >>> @register_type
        ... @dataclasses.dataclass
        ... class ArrayWrapper(TypeWrapper[array.array]):
        ...     code: str
        ...     data: bytes
        ...     @classmethod
        ...     def wrap(cls, value):
        ...         return cls(value.typecode, value.tobytes())
        ...     def unwrap(self):
        ...         return array.array(self.code, self.data)
        >>> deepcopy([array.array("B", [1, 2])])
        [array('B', [1, 2])]
    """

    wraps_subclasses: ClassVar[bool] = False

    @classmethod
    def wrapped_type(cls) -> type[T]:
        """Return the type that this wraps.

        Returns:
            By default the class that the base ``TypeWrapper[...]`` names.

        Raises:
            TypeError: it names none.
        """
        for base in getattr(cls, "__orig_bases__", ()):
            origin, args = typing.get_origin(base), typing.get_args(base)
            if isinstance(origin, type) and issubclass(origin, TypeWrapper):
                if len(args) == 1 and isinstance(args[0], type):
                    return args[0]
        raise TypeError(
            f"{cls.__qualname__} does not say what it wraps: derive it from "
            "TypeWrapper[SomeClass], or define wrapped_type()"
        )

    @classmethod
    def wrap(cls, value: T) -> TypeWrapper[T]:
        """Return what is to be stored of a value.

        Args:
            value: of the wrapped type.

        Returns:
            An instance of this class.
        """
        raise NotImplementedError(f"{cls.__qualname__} does not define wrap()")

    def unwrap(self) -> T:
        """Make a value of what was stored.

        Returns:
            A value of the wrapped type.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not define unwrap()")

    @classmethod
    def set_wrapped_value(cls, target: T, src: T) -> None:
        """Make one value equal to another, in place. Optional.

        Args:
            target: the value to change.
            src: what it is to be equal to.

        Raises:
            UnstorableValue: values of the wrapped type are not changed in place.
        """
        raise UnstorableValue(
            f"{type(target).__qualname__} cannot be restored in place; "
            f"define {cls.__qualname__}.set_wrapped_value"
        )


#: Wrappers by the type that they wrap.
WRAPPERS: dict[type, type[TypeWrapper[Any]]] = {}


def wrapper_of(cls: type) -> type[TypeWrapper[Any]] | None:
    """Return the registered wrapper for values of a type.

    Args:
        cls: an exact type.

    Returns:
        The wrapper, or None.

    Example:
        >>> wrapper_of(int) is None
        True
    """
    for base in cls.__mro__:
        found = WRAPPERS.get(base)
        if found is not None and (base is cls or found.wraps_subclasses):
            return found
    return None


def wrap(value: Any) -> Any:
    """Wrap a value of a type that a `TypeWrapper` is registered for.

    Args:
        value: anything.

    Returns:
        The wrapper; the value itself if its type has none.

    Example:
        >>> wrap(3)
        3
    """
    wrapper = wrapper_of(type(value))
    return value if wrapper is None else wrapper.wrap(value)


def unwrap(value: Any) -> Any:
    """Undo `wrap`.

    Args:
        value: anything.

    Returns:
        What a wrapper wraps; the value itself if it is no wrapper.

    Example:
        >>> unwrap(3)
        3
    """
    return value.unwrap() if isinstance(value, TypeWrapper) else value


def deepcopy(value: T) -> T:
    """Copy a value by encoding and decoding it.

    Args:
        value: any value that can be stored.

    Returns:
        What checking it out of a store would give, but with the secrets that are in
        it. Refs in it remember their stores.

    Raises:
        UnstorableValue: a part cannot be stored; says which and why.
        LimitExceeded: the value is too large.

    Example:
        >>> deepcopy({"a": [1]})
        {'a': [1]}
    """
    copying = _Copying()
    encoder = Encoder(copying.blocks.__setitem__, copying.adopt)
    data = encoder.encode(value)
    decoder = _CopyDecoder(copying)
    if encoder.withheld is not None:
        decoder.secrets = among(encoder.withheld)
    return decoder.decode(data)  # type: ignore[return-value]


def resource_digest(value: object) -> str:
    """Return the digest of a value, without storing it.

    Args:
        value: any value that can be stored.

    Returns:
        The same as ``commit(value).digest``: a SHA-256 in hexadecimal.

    Raises:
        UnstorableValue: a part cannot be stored; says which and why.
        LimitExceeded: the value is too large.

    Example:
        >>> resource_digest(None)[:8]
        'b0b2988b'
    """
    return cid_of(Encoder(_drop).encode(value))[4:].hex()


def _drop(cid: bytes, data: bytes) -> None:
    """Take a block that nobody needs."""


class _Copying:
    """Holds the blocks of one value that is copied, and the refs inside it."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.refs: dict[bytes, Ref[Any]] = {}

    def adopt(self, ref: Ref[Any]) -> None:
        self.refs[ref.cid] = ref

    def load_block(self, cid: bytes, /) -> bytes:
        return self.blocks[cid]


class _CopyDecoder(Decoder):
    """Gives refs the origin that they had before."""

    __slots__ = ("_refs",)

    def __init__(self, copying: _Copying) -> None:
        super().__init__(copying, unknown=False)
        self._refs = copying.refs

    def ref(self, cid: bytes) -> Ref[Any]:
        return Ref(cid, self._refs[cid].origin)


def _remember_wrapper(entry: TypeEntry) -> None:
    if issubclass(entry.cls, TypeWrapper):
        wrapped = entry.cls.wrapped_type()
        WRAPPERS[wrapped] = entry.cls
        LOWERERS.pop(wrapped, None)


def resolve(cls: type) -> Lowerer | None:
    wrapper = wrapper_of(cls)
    if wrapper is None or cls in BY_TYPE:
        return None

    def lower(encoder: Lowering, value: Any, frame: Frame) -> Form:
        part = (frame[0] + 1, frame, None, "")
        return {"$": "enact/Wrapped", "by": encoder.lower(wrapper.wrap(value), part)}

    return lower


def _load_wrapped(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 2)
    return decoder.call("unwrap", unwrap, decoder.value(form.get("by"), depth + 1))


REGISTRATION_HOOKS.append(_remember_wrapper)
LOADERS["enact/Wrapped"] = _load_wrapped
