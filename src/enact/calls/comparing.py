# SPDX-License-Identifier: Apache-2.0
"""Code as data for users: the source that ran, and how two versions differ."""

from __future__ import annotations

from typing import Any

from enact.calls.execution import resolve
from enact.calls.listing import Source, recorded_source, source_of
from enact.calls.targets import Target
from enact.calls.versions import Version, current_targets, decode_versions, is_current
from enact.calls.views import View


def source(of: Any) -> Source:
    """The source of a function, with all that it uses of its own project.

    Args:
        of: an invocation, or a view of a call in one, for the version that ran; or a
            registered function, a callable object or any other callable, for the
            version of now.

    Returns:
        Its text, and the texts of the helpers, classes and constants that it uses. Of
        a function without source, one that says so.

    Raises:
        SourceNotStored: the store does not have the version that ran.
        InvokableTypeError: it is neither an invocation nor callable.

    Example:
        >>> import enact
        >>> program = enact.Program("def solve(n):\\n    return LIMIT * n\\nLIMIT = 2")
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(program.load(allow=True), (21,))
        ...     print(enact.source(inv).text)
        def solve(n):
            return LIMIT * n
        >>> list(enact.source(inv).parts.values())
        ['LIMIT = 2']
    """
    if not isinstance(of, View):
        return source_of(_target(of))
    return recorded_source(of._store(), of.name, of._recorded().code)


def code_diff(before: View, after: View | None = None) -> str:
    """How the code of two executions differs: of the calls at the top and all below.

    Args:
        before: an invocation, or a view of a call in one.
        after: another; by default the code of now of all that ``before`` called.

    Returns:
        A unified difference for each function, helper, class and constant whose text
        is another one, sorted by name; empty if nothing differs.

    Raises:
        SourceNotStored: the store does not have a version that ran.

    Example:
        >>> import enact
        >>> long = enact.Program("def solve(n):\\n    return 2 * n").load(allow=True)
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(long, (21,))
        ...     enact.code_diff(inv)  # the code of now is what ran
        ''
    """
    ran = _versions(before)
    if after is not None:
        others = _versions(after)
        old = [_recorded(before, version) for version in sorted(ran - others)]
        new = [_recorded(after, version) for version in sorted(others - ran)]
        return _difference(old, new, "before", "after")
    gone = sorted(version for version in ran if not is_current(*version))
    old = [_recorded(before, version) for version in gone]
    targets_now = [
        target for name in sorted({name for name, _ in gone})
        for target in current_targets(name)
    ]  # fmt: skip
    return _difference(old, list(map(source_of, targets_now)), "recorded", "now")


def _target(of: Any) -> Target:
    of_class = getattr(of, "__enact_target_of_class__", None)
    if of_class is not None:  # an invokable class, or an object of it
        return of_class()  # type: ignore[no-any-return]  # a Target
    return resolve(of, ())[0]


def _versions(view: View) -> set[Version]:
    """Versions of the code of a call, and of all that it called."""
    recorded = view._recorded()
    found: set[Version] = set()
    if recorded.code is not None:
        found.add((view.name, recorded.code))
    if recorded.subtree is not None:
        found |= decode_versions(recorded.subtree, view._store())
    return found


def _recorded(view: View, version: Version) -> Source:
    return recorded_source(view._store(), *version)


def _difference(old: list[Source], new: list[Source], before: str, after: str) -> str:
    old_texts, new_texts = _texts(old), _texts(new)
    found: list[str] = []
    for key in sorted(old_texts.keys() | new_texts.keys()):
        one, other = old_texts.get(key, ""), new_texts.get(key, "")
        import difflib  # rarely needed

        lines = difflib.unified_diff(
            one.splitlines(),
            other.splitlines(),
            f"{key} ({before})" if one else f"{key} (not used)",
            f"{key} ({after})" if other else f"{key} (not used)",
            lineterm="",
        )
        found += lines
    if not found:
        for name in sorted({source.name for source in (*old, *new)}):
            found.append(f"# {name}: the same text; what it captured, or what is not")
            found.append("# in its source, is another one")
    return "\n".join(found)


def _texts(sources: list[Source]) -> dict[str, str]:
    """Texts by name; the parts that several functions use, once."""
    found: dict[str, dict[str, None]] = {}
    for source in sources:
        own = source.text or str(source)
        for key, text in {source.name: own, **source.parts}.items():
            found.setdefault(key, {})[text] = None
    return {key: "\n".join(texts) for key, texts in found.items()}
