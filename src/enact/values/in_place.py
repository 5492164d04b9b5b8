# SPDX-License-Identifier: Apache-2.0
"""Making one object equal to another without replacing it.

When a recorded call is answered in replay, the objects that it changed are changed
likewise, so that everything else in the program that holds them sees it.
"""

from __future__ import annotations

import datetime
import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

from enact.errors import UnstorableValue
from enact.values.classes import stored_fields
from enact.values.paths import key_step
from enact.values.registry import BY_TYPE
from enact.values.resources import resource_digest, wrapper_of

#: Exact types of values that cannot change in place.
ATOMIC: frozenset[type] = frozenset(
    (
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type,
        types.EllipsisType,
        datetime.date,
        datetime.timedelta,
    )
)

_MISSING = object()


def is_atomic(value: object) -> bool:
    """Tell whether a value is of a type that cannot change in place.

    Args:
        value: anything.

    Returns:
        False also for immutable containers, which may hold what can change.

    Example:
        >>> is_atomic("a"), is_atomic(()), is_atomic([])
        (True, False, False)
    """
    return type(value) in ATOMIC


def assign_in_place(target: object, source: object) -> None:
    """Make an object equal to another of the same type, in place.

    The target keeps its identity, and so do the lists, dicts, sets, bytearrays, deques
    and registered objects inside it, where the source has something of the same type in
    the same place. The source must not be used afterwards, since parts of it may have
    become parts of the target.

    Args:
        target: the object to change.
        source: what it is to be equal to.

    Raises:
        UnstorableValue: what differs cannot be changed in place, or cannot be stored;
            says which part.

    Example:
        >>> inner = [1]
        >>> outer = {"a": inner}
        >>> assign_in_place(outer, {"a": [1, 2], "b": 3})
        >>> outer["a"] is inner, outer
        (True, {'a': [1, 2], 'b': 3})
    """
    if type(target) is not type(source):
        raise UnstorableValue(
            f"a {type(target).__qualname__} cannot become a "
            f"{type(source).__qualname__} in place"
        )
    if _merged(target, source, "$") is not target:
        raise UnstorableValue(f"a {type(target).__qualname__} cannot change in place")


def _merged(old: Any, new: Any, path: str) -> Any:
    """Return what is to stand where `old` stood, to be equal to `new`.

    That is `old`, changed in place, wherever possible.
    """
    cls = type(old)
    if old is new or cls is not type(new) or cls in ATOMIC:
        return old if old is new or (cls is type(new) and _same(old, new)) else new
    change = _CHANGES.get(cls)
    if change is not None:
        change(old, new, path)
        return old
    if cls is tuple:
        return _merged_tuple(old, new, path)
    if cls in BY_TYPE:
        names = stored_fields(cls)
        if names is not None:
            return _merged_object(old, new, names, path)
    wrapper = wrapper_of(cls)
    if wrapper is not None and not _same(old, new):
        try:
            wrapper.set_wrapped_value(old, new)
        except UnstorableValue as error:
            raise UnstorableValue(error.reason, path) from error
        return old
    return old if _same(old, new) else new


def _same(old: object, new: object) -> bool:
    """Tell whether two values are the same when stored."""
    try:
        return resource_digest(old) == resource_digest(new)
    except UnstorableValue:
        return False


def _merged_items(old: list[Any], new: list[Any], path: str) -> list[Any]:
    """Merge lists: what is the same at both ends is kept, the rest goes by place."""
    shared = min(len(old), len(new))
    start = 0
    while start < shared and _same(old[start], new[start]):
        start += 1
    end = 0
    while end < shared - start and _same(old[-1 - end], new[-1 - end]):
        end += 1
    middle = old[start : len(old) - end]
    merged = old[:start]
    for index in range(start, len(new) - end):
        item = new[index]
        if index - start < len(middle):
            item = _merged(middle[index - start], item, f"{path}[{index}]")
        merged.append(item)
    return merged + old[len(old) - end :]


def _merged_tuple(old: tuple[Any, ...], new: tuple[Any, ...], path: str) -> Any:
    merged = _merged_items(list(old), list(new), path)
    if len(merged) == len(old) and all(map(_is, merged, old)):
        return old
    return tuple(merged)


def _is(one: object, other: object) -> bool:
    return one is other


def _merged_object(old: Any, new: Any, names: tuple[str, ...], path: str) -> Any:
    frozen = getattr(type(old), "__dataclass_params__", None)
    changes: list[tuple[str, Any]] = []
    for name in names:
        part = getattr(old, name, _MISSING)
        wanted = getattr(new, name, _MISSING)
        if part is not _MISSING and wanted is not _MISSING:
            wanted = _merged(part, wanted, f"{path}.{name}")
        if wanted is not part:
            changes.append((name, wanted))
    if changes and frozen is not None and frozen.frozen:
        return new
    for name, wanted in changes:
        if wanted is _MISSING:
            object.__delattr__(old, name)
        else:
            object.__setattr__(old, name, wanted)
    return old


def _change_list(old: Any, new: Any, path: str) -> None:
    old[:] = _merged_items(list(old), list(new), path)


def _change_deque(old: deque[Any], new: deque[Any], path: str) -> None:
    if old.maxlen != new.maxlen:
        raise UnstorableValue("the maxlen of a deque cannot change in place", path)
    merged = _merged_items(list(old), list(new), path)
    old.clear()
    old.extend(merged)


def _change_dict(old: dict[Any, Any], new: dict[Any, Any], path: str) -> None:
    merged = [
        (key, _merged(old[key], item, path + key_step(key)) if key in old else item)
        for key, item in new.items()
    ]
    old.clear()
    old.update(merged)


def _change_counter(old: Any, new: Any, path: str) -> None:
    old.clear()
    dict.update(old, new)


def _change_default_dict(old: Any, new: Any, path: str) -> None:
    _change_dict(old, new, path)
    old.default_factory = new.default_factory


def _change_set(old: set[Any], new: set[Any], path: str) -> None:
    if not _same(old, new):
        old.clear()
        old.update(new)


def _change_bytearray(old: bytearray, new: bytearray, path: str) -> None:
    old[:] = new


_CHANGES: dict[type, Any] = {
    list: _change_list,
    dict: _change_dict,
    OrderedDict: _change_dict,
    defaultdict: _change_default_dict,
    Counter: _change_counter,
    set: _change_set,
    bytearray: _change_bytearray,
    deque: _change_deque,
}
