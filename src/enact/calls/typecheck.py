# SPDX-License-Identifier: Apache-2.0
"""Whether a value fits an annotation, as far as that can be seen at run time."""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Any, Literal, TypeVar, Union

_Check = typing.Callable[[Any, Any], bool]


def fits(value: Any, annotation: Any) -> bool:
    """Whether ``value`` is of the type that ``annotation`` says.

    Containers are looked into. What cannot be checked, such as the signature of a
    callable, is taken on trust. As in PEP 484, an ``int`` serves as ``float`` or
    ``complex``; a ``bool`` does not serve as ``int``.

    Args:
        value: any.
        annotation: a class, a union, ``list[int]``, ``Literal[...]``, ``Any``, ...

    >>> fits([1, 2], list[int]), fits([1, "2"], list[int]), fits(None, int | None)
    (True, False, True)
    """
    if annotation is Any or annotation is None or isinstance(annotation, str):
        return value is None if annotation is None else True
    if isinstance(annotation, TypeVar):
        bound = annotation.__bound__
        return bound is None or fits(value, bound)
    origin = typing.get_origin(annotation)
    if origin is None:
        return _fits_class(value, annotation)
    arguments = typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in arguments)
    if origin is typing.Annotated:
        return fits(value, arguments[0])
    if origin in (typing.Final, typing.ClassVar, typing.Required, typing.NotRequired):
        return fits(value, arguments[0])
    if origin is type:
        return isinstance(value, type) and _is_subclass(value, arguments[0])
    if not isinstance(value, origin):
        return False
    return _contents_fit(value, origin, arguments)


def _fits_class(value: Any, annotation: Any) -> bool:
    if not isinstance(annotation, type):
        supertype = getattr(annotation, "__supertype__", None)  # typing.NewType
        return True if supertype is None else fits(value, supertype)
    if isinstance(value, bool):
        return annotation in (bool, object) or (
            annotation is not int and isinstance(value, annotation)
        )
    if annotation is float:
        return isinstance(value, (int, float))
    if annotation is complex:
        return isinstance(value, (int, float, complex))
    if getattr(annotation, "_is_protocol", False):
        if not getattr(annotation, "_is_runtime_protocol", False):
            return True
    if typing.is_typeddict(annotation):
        return _fits_typed_dict(value, annotation)
    return isinstance(value, annotation)


def _fits_typed_dict(value: Any, annotation: Any) -> bool:
    if not isinstance(value, dict):
        return False
    hints = typing.get_type_hints(annotation)
    required = annotation.__required_keys__
    return required <= value.keys() <= hints.keys() and all(
        fits(item, hints[key]) for key, item in value.items()
    )


def _is_subclass(value: type, annotation: Any) -> bool:
    if isinstance(annotation, TypeVar) or annotation is Any:
        return True
    return isinstance(annotation, type) and issubclass(value, annotation)


def _contents_fit(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(fits(item, arguments[0]) for item in value)
        if arguments == ((),):
            return not value
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if isinstance(value, collections.abc.Mapping) and len(arguments) == 2:
        key, item = arguments
        return all(fits(k, key) and fits(v, item) for k, v in value.items())
    if isinstance(value, (collections.abc.Sequence, collections.abc.Set)):
        if len(arguments) == 1 and not isinstance(value, (str, bytes)):
            return all(fits(item, arguments[0]) for item in value)
    return True


def name(annotation: Any) -> str:
    """An annotation in words.

    >>> name(list[int]), name(int), name(int | None)
    ('list[int]', 'int', 'int | None')
    """
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")
