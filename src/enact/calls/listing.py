# SPDX-License-Identifier: Apache-2.0
"""Sources as values: the text behind each digest of code, kept in the store."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any

from enact.calls.code.listing import NO_SOURCE, list_sources
from enact.calls.versions import current_targets
from enact.errors import MissingBlock, SourceNotStored
from enact.values import ImmutableResource, Ref, register_type

if TYPE_CHECKING:
    from enact.calls.targets import Target
    from enact.stores import ValueStore

KIND = "source"
"""Of the entries of a store that lead from the digest of code to its ``Source``."""

WAIT = 0.25
"""Seconds that entries wait for others, at most, while functions are met."""


@dataclasses.dataclass(frozen=True, eq=False)
class Source(ImmutableResource):
    """What a version of a function is made of, as text.

    ``str(source)`` is all of it. Secrets (``enact.Secret``), captured values and what
    the environment holds are never in it.

    Attributes:
        name: of the function, as in stored data.
        code: digest of the code.
        text: of the function itself; empty if there is no source.
        parts: texts of the helpers, classes and constants that it uses, by qualified
            name, in an order in which they could run.
        names: what global names mean: a part, an import, or a registered function.
        spaces: the same for attributes of modules of the project.
        missing: what stands against running it on its own, in words.
        whole: of a function in an ``enact.Program``, source and entry of that.

    Example:
        >>> import enact
        >>> print(enact.source(len))
        # not to be had: the source of builtin builtins:len
    """

    name: str
    code: str
    text: str
    parts: dict[str, str]
    names: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    spaces: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=dict, repr=False
    )
    missing: list[str] = dataclasses.field(default_factory=list, repr=False)
    whole: tuple[str, str] | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        text = self.text
        if not text:
            text = "# not to be had: " + "; ".join(self.missing)
        below = [f"# {name}\n{part}" for name, part in self.parts.items()]
        return "\n\n\n".join([text, *below])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Source):
            return NotImplemented
        return (self.name, self.code, self.text, self.parts) == (
            other.name, other.code, other.text, other.parts,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.name, self.code))


register_type(Source, name="enact/Source")


def source_of(target: Target) -> Source:
    """The source of a target, as it is now."""
    code = target.refresh_code() or ""
    try:
        found = list_sources(target.fn)
    except Exception as error:  # an oddity of the program must not stop its recording
        reason = f"reading it raised {type(error).__name__}: {error}"
        return Source(target.name, code, "", {}, missing=[reason])
    whole = getattr(target.fn, "__globals__", {}).get("__enact_program__")
    own = found.own
    order = dict.fromkeys([*found.order(), *found.texts])
    names = dict(found.meanings)
    if found.future:
        names["annotations"] = "from __future__ import annotations"
    return Source(
        target.name,
        code,
        "" if found.texts.get(own) == NO_SOURCE else found.texts.get(own, ""),
        {key: found.texts[key] for key in order if key != own},
        names,
        found.spaces,
        list(found.missing),
        None if whole is None else (whole.source, whole.entry),
    )


class SourceKeeper:
    """Writes the sources of what a run calls, where the store does not have them.

    Once known to be there, one costs a look into a set; when a process first uses a
    store, a look-up by the digest; when the digest is new, the sources are read. The
    entries are written together, when the run ends, or later than `WAIT` seconds: in a
    file each time costs a flush.

    Args:
        store: where the run is recorded.
    """

    __slots__ = ("_new", "_store", "_written")

    def __init__(self, store: ValueStore) -> None:
        self._store = store
        self._new: dict[str, str] = {}
        self._written = 0.0

    def keep(self, target: Target) -> None:
        """See to it that the source of a target is there when the run has ended."""
        code = target.code
        store = self._store
        known = store.sources
        if code is None or known is None or code in known:
            return
        old = store.backend.entries(KIND, code).get(code)
        if old is None or not store.has(_ref(old)):
            value = source_of(target)
            if value.code == code:  # files may be edited meanwhile
                entry = {"name": value.name, "ref": store.commit(value).id}
                self._new[code] = json.dumps(entry, sort_keys=True)
        known.add(code)
        now = time.monotonic()
        if self._written == 0.0:
            self._written = now
        elif now - self._written > WAIT:
            self.write()

    def write(self) -> None:
        """Write the entries that are new."""
        if self._new:
            entries, self._new = self._new, {}
            try:
                self._store.backend.write_entries(KIND, entries)
            except BaseException:
                if self._store.sources is not None:
                    self._store.sources.difference_update(entries)
                raise
            self._written = time.monotonic()


def recorded_source(store: ValueStore, name: str, code: str | None) -> Source:
    """The source of a version that ran.

    Args:
        store: where to look.
        name: of the function that is meant: equal code may have several names.
        code: digest; None for what is part of enact.

    Raises:
        SourceNotStored: it is not there, and it is not what would run now either.
    """
    if code is None:
        raise SourceNotStored(f"{name!r} is part of enact: its source is not recorded")
    entry = store.journal.entries(KIND, code).get(code)
    if entry is not None:
        try:
            found = store.checkout(_ref(entry))
        except MissingBlock:
            pass
        else:
            if isinstance(found, Source):
                return dataclasses.replace(found, name=name)
    for target in current_targets(name):
        if target.refresh_code() == code:
            return source_of(target)
    raise SourceNotStored(
        f"the source of {name!r} in the version {code} is not in this store: it was "
        "recorded elsewhere, or before sources were kept. Next: open the store that "
        "it was recorded in"
    )


def _ref(entry: str) -> Ref[Any]:
    return Ref.from_id(json.loads(entry)["ref"])
