# SPDX-License-Identifier: Apache-2.0
"""Which packages a stored value needs, as written down when values were stored.

An entry of kind ``type`` has the distribution and the version that defined a type when
a value of it was last written here, and earlier versions. Versions never go into
identifiers, and entries are written when something is committed and when runs begin
and end, never while calls are recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from enact.stores.backend import Backend
from enact.stores.closure import BlockSource, batches, graph, load_many
from enact.values import WRITTEN, distribution_of, loaded_distribution
from enact.values.cbor import decode_form

KIND = "type"
"""Of the entries."""

Requirement = tuple[str, str]
"""A distribution and a version of it."""


def requirements(source: BlockSource, root: bytes, backend: Backend) -> dict[str, str]:
    """Maps distributions to their versions, for a block and all that it links to.

    Args:
        source: where the blocks are.
        root: identifier of the topmost block.
        backend: where the entries are.

    Raises:
        MissingBlock: the source lacks a block that is reached.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    for batch in batches(graph(source, [root])):
        for data in load_many(source, batch).values():
            names.update(_names(decode_form(data)))
    for name in sorted(names):
        distribution = recorded(backend, name) or distribution_of(name)
        if distribution is not None:
            found[distribution[0]] = distribution[1]
    return dict(sorted(found.items()))


def recorded(backend: Backend, name: str) -> Requirement | None:
    """Says what defined a type when a value of it was last written.

    Args:
        backend: where the entries are.
        name: of the type in stored data.
    """
    entry = _read(backend.entries(KIND, name).get(name))
    return None if entry is None else (entry["distribution"], entry["version"])


def note(backend: Backend, since: int) -> int:
    """Writes down where the types come from that this process has written values of.

    Args:
        backend: where the entries go.
        since: what this returned the last time, at first 0.

    Returns:
        How many types have been looked at.
    """
    end = len(WRITTEN)
    for name, module in WRITTEN[since:end]:
        distribution = loaded_distribution(module)
        if distribution is not None:
            _write(backend, name, distribution)
    return end


def _write(backend: Backend, name: str, distribution: Requirement) -> None:
    while True:
        old = backend.entries(KIND, name).get(name)
        entry = _read(old)
        fields: dict[str, Any] = dict(
            zip(("distribution", "version"), distribution, strict=True)
        )
        if entry is not None:
            before = (entry["distribution"], entry["version"])
            if before == distribution:
                return
            earlier = [*entry.get("earlier", ()), " ".join(before)]
            fields["earlier"] = list(dict.fromkeys(earlier))
        if backend.swap(KIND, name, old, json.dumps(fields, sort_keys=True)):
            return


def _read(text: str | None) -> dict[str, Any] | None:
    """Reads an entry; one that somebody else made up counts as none."""
    try:
        fields = json.loads(text or "null")
        known = isinstance(fields["distribution"], str)
        return fields if known and isinstance(fields["version"], str) else None
    except (ValueError, TypeError, KeyError):
        return None


def _names(form: Any) -> Iterator[str]:
    """Lists the names of types, and of functions and types as values, in a form."""
    waiting = [form]
    while waiting:
        part = waiting.pop()
        if type(part) is dict:
            if "$" in part:
                yield from (
                    part[key] for key in ("$", "name") if type(part.get(key)) is str
                )
            waiting += part.values()
        elif type(part) is list:
            waiting += part
