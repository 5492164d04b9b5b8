# SPDX-License-Identifier: Apache-2.0
"""Two trees of calls beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from enact.calls import Invocation
from enact.calls.layout import read_calls
from enact.values import decode_form

SAME = "same"
CHANGED = "changed"
ADDED = "added"
REMOVED = "removed"

# Beyond this many pairs calls are compared one by one, in order.
_MOST_PAIRS = 4_000_000


class Difference(NamedTuple):
    """How a call of one tree relates to a call of another.

    Attributes:
        kind: ``same``, ``changed``, ``added`` or ``removed``.
        before: a view in the first tree; None for what was added.
        after: a view in the second tree; None for what was removed.
        depth: levels below the calls at the top.
        equal: of ``same``, how many calls in a row are equal; the views are of the
            first.
    """

    kind: str
    before: Invocation | None
    after: Invocation | None
    depth: int
    equal: int = 1


def compare(before: Invocation, after: Invocation) -> Iterator[Difference]:
    """Align two trees of calls.

    Subtrees with the same identifier are equal and are not looked into. Calls are
    aligned by their requests, as a text difference aligns lines, then by their names.

    Args:
        before: a tree.
        after: another.

    Yields:
        Differences, parents first; neighbours that are equal as one.

    Example:
        >>> import enact
        >>> from enact.query.compare import compare
        >>> @enact.register
        ... def line(topic): return f"The {topic} is wide."
        >>> @enact.register
        ... def poem(*topics): return [line(topic) for topic in topics]
        >>> with enact.InMemoryStore():
        ...     two = [enact.invoke(poem, t) for t in (("sea", "sky"), ("sea", "land"))]
        ...     [(one.kind, one.depth) for one in compare(*two)]
        [('changed', 0), ('same', 1), ('changed', 1)]
    """
    todo: list[Difference] = [Difference(CHANGED, before, after, 0)]
    if before.ref == after.ref:
        todo = [Difference(SAME, before, after, 0)]
    while todo:
        one = todo.pop()
        yield one
        if one.kind == CHANGED:
            assert one.before is not None
            assert one.after is not None
            todo.extend(reversed(_children(one.before, one.after, one.depth + 1)))


def _children(before: Invocation, after: Invocation, depth: int) -> list[Difference]:
    old, new = before._recorded().children, after._recorded().children
    begin = 0
    while begin < min(len(old), len(new)) and old[begin] == new[begin]:
        begin += 1
    end = 0
    while end < min(len(old), len(new)) - begin and old[-1 - end] == new[-1 - end]:
        end += 1
    found = [_same(before, after, 0, 0, begin, depth)] if begin else []
    found += _middle(
        before, after, range(begin, len(old) - end), range(begin, len(new) - end), depth
    )
    if end:
        found.append(_same(before, after, len(old) - end, len(new) - end, end, depth))
    return _folded(found)


def _middle(
    before: Invocation, after: Invocation, old: range, new: range, depth: int
) -> list[Difference]:
    old_keys, new_keys = _keys(before, old), _keys(after, new)
    found: list[Difference] = []
    for tag, a, b, c, d in _opcodes(old_keys, new_keys):
        if tag == "equal":
            found += [
                _pair(before, after, old[a + n], new[c + n], depth)
                for n in range(b - a)
            ]
            continue
        names = [key[0] for key in old_keys[a:b]], [key[0] for key in new_keys[c:d]]
        for inner, e, f, g, h in _opcodes(*names):
            if inner == "equal":
                found += [
                    _pair(before, after, old[a + e + n], new[c + g + n], depth)
                    for n in range(f - e)
                ]
                continue
            found += [
                Difference(REMOVED, before[old[n]], None, depth)
                for n in range(a + e, a + f)
            ]
            found += [
                Difference(ADDED, None, after[new[n]], depth)
                for n in range(c + g, c + h)
            ]
    return found


def _pair(
    before: Invocation, after: Invocation, old: int, new: int, depth: int
) -> Difference:
    kinds = SAME if _cid(before, old) == _cid(after, new) else CHANGED
    return Difference(kinds, before[old], after[new], depth)


def _same(
    before: Invocation, after: Invocation, old: int, new: int, count: int, depth: int
) -> Difference:
    return Difference(SAME, before[old], after[new], depth, count)


def _cid(view: Invocation, index: int) -> bytes:
    return view._recorded().children[index]


def _folded(found: list[Difference]) -> list[Difference]:
    folded: list[Difference] = []
    for one in found:
        last = folded[-1] if folded else None
        if last is not None and last.kind == SAME == one.kind:
            folded[-1] = last._replace(equal=last.equal + one.equal)
        else:
            folded.append(one)
    return folded


def _keys(view: Invocation, indices: range) -> list[tuple[str, bytes]]:
    """Name and request of some of the calls that a call made."""
    children = view._recorded().children
    store = view._store()
    calls = read_calls([children[index] for index in indices], store)
    names: dict[bytes, str] = {}
    for call in calls:
        if call.invokable not in names:
            form = decode_form(store.load_block(call.invokable))
            name = form.get("name") if isinstance(form, dict) else None
            kind = form.get("$") if isinstance(form, dict) else None
            names[call.invokable] = str(name if name and "/" in str(kind) else kind)
    return [(names[call.invokable], call.request) for call in calls]


Opcode = tuple[str, int, int, int, int]


def _opcodes(old: Sequence[object], new: Sequence[object]) -> list[Opcode]:
    if len(old) * len(new) <= _MOST_PAIRS:
        import difflib

        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        return list(matcher.get_opcodes())
    both = min(len(old), len(new))
    found: list[Opcode] = []
    for n in range(both):
        tag = "equal" if old[n] == new[n] else "replace"
        found.append((tag, n, n + 1, n, n + 1))
    found.append(("replace", both, len(old), both, len(new)))
    return found
