# SPDX-License-Identifier: Apache-2.0
"""From what people type to values of the type that is asked for."""

from __future__ import annotations

import builtins
import dataclasses
import datetime
import decimal
import json
import pathlib
import sys
import types
import typing
import uuid
from enum import Enum
from typing import Any, Literal, Union

from enact.calls import fits, type_in_words
from enact.errors import WrongAnswer

_FROM_TEXT: dict[Any, Any] = {
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    decimal.Decimal: decimal.Decimal,
    uuid.UUID: uuid.UUID,
    pathlib.Path: pathlib.Path,
    pathlib.PurePath: pathlib.PurePath,
    complex: complex,
}
_WORDS = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_MISFIT = (ValueError, TypeError, KeyError, ArithmeticError, AttributeError)


def read_value(text: str, wanted: Any) -> Any:
    """The value that a text stands for.

    Args:
        text: for text itself, what was typed; for other types JSON, or a word such as
            ``yes`` or the name of a member of an enumeration.
        wanted: the type: a class, a union, ``list[int]``, ...

    Raises:
        WrongAnswer: it is no such value.

    Example:
        >>> read_value("yes", bool), read_value("[1, 2]", list[int])
        (True, [1, 2])
        >>> read_value("12", str), read_value("12", int | str)
        ('12', 12)
    """
    if wanted is str:
        return text
    if wanted is bool and text.strip().lower() in _WORDS:
        return _WORDS[text.strip().lower()]
    try:
        data = json.loads(text)
    except ValueError:
        data = text
    try:
        value = from_data(data, wanted)
    except _MISFIT:
        value = data
    if not fits(value, wanted) and fits(text, wanted):
        value = text
    if not fits(value, wanted):
        hint = "" if isinstance(data, str) else ", as JSON"
        raise WrongAnswer(
            f"{text!r} is no {type_in_words(wanted)}: give one{hint or ' (JSON)'}"
        )
    return value


def from_data(data: Any, wanted: Any) -> Any:
    """The value of a type that plain data stands for; raises if it cannot be made.

    >>> from_data([1, 2], tuple[int, ...]), from_data({"a": ["1"]}, dict[str, set[str]])
    ((1, 2), {'a': {'1'}})
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Annotated:
        return from_data(data, arguments[0])
    if origin in (Union, types.UnionType):
        return _of_union(data, arguments)
    if origin is Literal or wanted is Any or wanted is None:
        return data
    kind = origin or wanted
    if not isinstance(kind, type) or fits(data, wanted):
        return data
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{k: from_data(v, hints.get(k, Any)) for k, v in data.items()})
    if issubclass(kind, Enum):
        by_name = isinstance(data, str) and data in kind.__members__
        return kind[data] if by_name else kind(data)
    if kind in _FROM_TEXT:
        return _FROM_TEXT[kind](str(data))
    if issubclass(kind, dict) and arguments:
        return kind({k: from_data(v, arguments[1]) for k, v in data.items()})
    if issubclass(kind, tuple) and arguments and arguments[-1] is not ...:
        return tuple(
            from_data(item, one) for item, one in zip(data, arguments, strict=True)
        )
    if issubclass(kind, (list, tuple, set, frozenset)) and isinstance(data, list):
        item_type = arguments[0] if arguments else Any
        return kind(from_data(item, item_type) for item in data)
    return kind(data) if kind is float and type(data) is int else data


def _of_union(data: Any, arguments: tuple[Any, ...]) -> Any:
    for one in arguments:
        if fits(data, one):
            return data
    for one in arguments:
        try:
            value = from_data(data, one)
        except _MISFIT:
            continue
        if fits(value, one):
            return value
    return data


def exception_in(text: str) -> BaseException:
    """The exception that a text such as ``ValueError: too long`` stands for.

    Raises:
        WrongAnswer: there is none of this name.

    >>> exception_in("ValueError: too long")
    ValueError('too long')
    """
    name, _, message = text.partition(":")
    module, dot, qualname = name.strip().rpartition(".")
    place: Any = sys.modules.get(module) if dot else builtins
    found = getattr(place, qualname, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise WrongAnswer(
            f"{name.strip()!r} is no exception here: give one of Python's own, such as"
            " 'ValueError: too long', or one of a loaded module by its full name"
        )
    message = message.strip()
    return found(message) if message else found()
