# SPDX-License-Identifier: Apache-2.0
"""Values that an adapter takes apart into fields and puts together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from enact.errors import DuplicateName, UnstorableValue
from enact.values.registry import (
    ENTRIES,
    LOADERS,
    LOWERERS,
    NAMED_TYPES,
    TYPE_NAMES,
)

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Loader, Lowerer, Lowering, Raising
    from enact.values.paths import Frame


def adapter(
    name: str,
    types: Sequence[type],
    dump: Callable[[Any], Mapping[str, object]],
    load: Callable[[Mapping[str, Any]], object],
) -> None:
    """Teach the codec a kind of value: the extension point for upper layers.

    Args:
        name: under which such values are stored.
        types: the exact types that `dump` takes.
        dump: gives the fields of a value, which are stored in turn. May raise
            `UnstorableValue`.
        load: makes a value of the fields.

    Raises:
        DuplicateName: another kind of value has this name.

    Example:
        >>> class Celsius:
        ...     def __init__(self, degrees): self.degrees = degrees
        >>> adapter("doc/Celsius", [Celsius], vars, lambda fields: Celsius(**fields))
    """
    if name in ENTRIES or (name in LOADERS and NAMED_TYPES.get(name) not in types):
        raise DuplicateName(f"{name!r} is the name of other values already")
    lowerer = adapted_lowerer(name, dump)
    for each in types:
        LOWERERS[each] = lowerer
        if each.__module__ != "builtins":
            TYPE_NAMES.setdefault(each, name if len(types) == 1 else "")
    if types:
        NAMED_TYPES[name] = types[0]
    LOADERS[name] = adapted_loader(name, load)


def adapted_lowerer(name: str, dump: Callable[[Any], Mapping[str, object]]) -> Lowerer:
    """Make the function that writes values of an adapter.

    Args:
        name: of the envelope.
        dump: gives the fields of a value.

    Returns:
        A lowerer.
    """

    def lower(encoder: Lowering, value: Any, frame: Frame) -> Form:
        try:
            fields = dump(value)
        except UnstorableValue as error:
            return encoder.unstorable(value, frame, error.reason)
        return encoder.envelope(name, fields, frame)

    return lower


def adapted_loader(name: str, load: Callable[[Mapping[str, Any]], object]) -> Loader:
    """Make the function that reads values of an adapter.

    Args:
        name: of the envelope.
        load: makes a value of the fields.

    Returns:
        A loader.
    """

    def loader(decoder: Raising, form: dict[str, Form], depth: int) -> object:
        return load(decoder.fields(form, depth))

    return loader
