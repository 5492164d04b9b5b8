# SPDX-License-Identifier: Apache-2.0
"""Versions: which code a record was made by, and whether that is the code of today.

A version is the name of an invokable with the digest of its code. Of every call that
made calls the record lists the versions of all code below it, so that a replay can
tell, without looking at each of those calls, whether it would run the same code again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from enact.calls import targets
from enact.errors import UnregisteredType
from enact.values import Encoder, cid_of, decode, lookup_type

if TYPE_CHECKING:
    from enact.calls.layout import Blocks, Recorded
    from enact.calls.targets import Target

Version = tuple[str, str]
"""Name of an invokable, digest of its code."""


def encode_versions(versions: Iterable[Version], blocks: Blocks) -> bytes:
    """Write a set of versions as a block; its identifier.

    Args:
        versions: in any order.
        blocks: takes the block, and chunks if it is long.
    """

    def emit(cid: bytes, data: bytes) -> None:
        blocks.append((cid, data))

    data = Encoder(emit).encode([list(version) for version in sorted(versions)])
    cid = cid_of(data)
    blocks.append((cid, data))
    return cid


def decode_versions(cid: bytes, source: Any) -> frozenset[Version]:
    """Read what ``encode_versions`` wrote."""
    pairs: Any = decode(source.load_block(cid), source)
    return frozenset((name, code) for name, code in pairs)


class Versions:
    """Compares recorded versions with the code as it is now, during one run.

    Args:
        source: the store.
    """

    __slots__ = ("_below", "_current", "_same", "_source")

    def __init__(self, source: Any) -> None:
        self._source = source
        self._current: dict[Version, bool] = {}
        self._below: dict[bytes, frozenset[Version]] = {}
        self._same: dict[bytes, bool] = {}

    def below(self, subtree: bytes | None) -> frozenset[Version]:
        """The versions of the code below a recorded call."""
        if subtree is None:
            return frozenset()
        found = self._below.get(subtree)
        if found is None:
            found = self._below[subtree] = decode_versions(subtree, self._source)
        return found

    def changed(
        self, recorded: Recorded, target: Target, deep: bool = True
    ) -> str | None:
        """The name of code that is another one now, for a recorded call or below it.

        Args:
            recorded: the call.
            target: what would run now.
            deep: look below it as well.
        """
        if recorded.code != target.code:
            return target.name
        subtree = recorded.subtree
        if subtree is None or not deep or self._same.get(subtree):
            return None
        for version in sorted(self.below(subtree)):
            if not self._is_current(version):
                return version[0]
        self._same[subtree] = True
        return None

    def _is_current(self, version: Version) -> bool:
        known = self._current.get(version)
        if known is None:
            known = self._current[version] = is_current(*version)
        return known


def is_current(name: str, code: str) -> bool:
    """Whether code that was recorded is what would run under its name now.

    A function that is made inside another one and does not exist at the moment is taken
    to be the same: its source is part of that other function's. So is one of a program
    that is not loaded: its name has the digest of the source.
    """
    found = current_targets(name)
    if not found:
        return targets.is_nameless(name) or name.startswith(targets.PROGRAM)
    return any(target.refresh_code() == code for target in found)


def current_targets(name: str) -> list[Target]:
    """What would run under a name now: the newest definition, or all nameless ones."""
    found = targets.live(name)
    if found:
        return found if targets.is_nameless(name) else found[:1]
    try:
        of_class = getattr(lookup_type(name), "__enact_target_of_class__", None)
    except UnregisteredType:
        return []
    return [] if of_class is None else [of_class()]
