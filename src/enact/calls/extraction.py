# SPDX-License-Identifier: Apache-2.0
"""Programs out of recorded code: one text that runs on its own."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

from enact.calls.code.syntax import is_register
from enact.calls.listing import Source
from enact.calls.programs import Program
from enact.errors import NotSelfContained

_REGISTERED = "registered "


def program_of(source: Source) -> Program:
    """A program that does what a recorded function did.

    Args:
        source: of the function.

    Returns:
        The program that the function is part of; else one of the texts of all that it
        uses. Registered functions that it calls are looked up by name.

    Raises:
        NotSelfContained: it needs what is not in its source; says what.
    """
    if source.whole is not None:
        return Program(*source.whole)
    missing = list(source.missing)
    text, entry = "", "solve"
    if not missing:
        try:
            own, entry = _entry(source)
            text = "\n\n".join([*_blocks(source), own]) + "\n"
            text = _imports(source, text) + text
            missing += [f"the name {name!r}" for name in _unbound(text)]
        except SyntaxError as error:
            missing.append(f"a text that can be read on its own ({error.msg})")
        if "Secret(...)" in text:
            missing.append("a secret, which is never stored")
    if missing:
        raise NotSelfContained(
            f"{source.name!r} does not run on its own; what is missing: "
            f"{'; '.join(missing)}",
            tuple(missing),
        )
    return Program(text, entry)


def _entry(source: Source) -> tuple[str, str]:
    """The text of the function itself, and its name."""
    node = ast.parse(source.text).body[0]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return _unregistered(source.text), node.name
    name = source.name.rpartition(":")[2].rpartition("/")[2]
    name = name if name.isidentifier() else "solve"
    return f"{name} = {source.text}", name


def _blocks(source: Source) -> Iterator[str]:
    """What comes before the function: parts, and other names for them."""
    meant = {**source.names}
    for name, attributes in source.spaces.items():
        for attribute, meaning in attributes.items():
            meant[f"{name}.{attribute}"] = meaning
    keys = set(meant.values())
    for key, text in source.parts.items():
        if key in keys:
            yield _unregistered(text)
            own = key.partition(":")[2]
            for name, meaning in source.names.items():
                if meaning == key and name != own:
                    yield f"{name} = {own}"
    for name, attributes in source.spaces.items():
        fields = ", ".join(
            f"{attribute}={_value(attribute, meaning)}"
            for attribute, meaning in sorted(attributes.items())
        )
        yield f"{name} = __import__('types').SimpleNamespace({fields})"


def _value(name: str, meaning: str) -> str:
    if meaning.startswith(_REGISTERED):
        return _look_up(meaning)
    return meaning.partition(":")[2] or name


def _look_up(meaning: str) -> str:
    return f"enact.registered({meaning.removeprefix(_REGISTERED)!r})"


def _imports(source: Source, text: str) -> str:
    """The lines at the top, with an empty one behind."""
    meanings = source.names.values()
    imports = {m for m in meanings if m.startswith(("import ", "from "))}
    calls = [
        f"{name} = {_look_up(meaning)}"
        for name, meaning in sorted(source.names.items())
        if meaning.startswith(_REGISTERED)
    ]
    if calls or "enact" in _unbound(text):
        imports.add("import enact")
    lines = sorted(imports, key=lambda line: (not line.startswith("from __f"), line))
    groups = ["\n".join(group) for group in (lines, calls) if group]
    return "".join(f"{group}\n\n" for group in groups)


def _unregistered(text: str) -> str:
    """A text whose functions register nothing; classes do so in the plainest way."""
    root = ast.parse(text)
    lines: dict[int, str] = dict(enumerate(text.splitlines(), 1))
    for node in ast.walk(root):
        stays = isinstance(node, ast.ClassDef) or node not in root.body
        for decorator in getattr(node, "decorator_list", ()):
            if not is_register(decorator):
                continue
            line = lines[decorator.lineno]
            for number in range(decorator.lineno, decorator.end_lineno + 1):
                del lines[number]
            if stays:
                margin = line[: len(line) - len(line.lstrip())]
                lines[decorator.lineno] = f"{margin}@enact.register"
    return "\n".join(lines[number] for number in sorted(lines))


def _unbound(text: str) -> list[str]:
    """Global names that a module uses and does not bind."""
    top = symtable.symtable(text, "<program>", "exec")
    bound = {symbol.get_name() for symbol in top.get_symbols() if _binds(symbol)}
    bound |= {*vars(builtins), "__name__", "__doc__"}
    found: set[str] = set()
    todo = [top]
    while todo:
        table = todo.pop()
        todo += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_global() or table is top:
                if symbol.is_referenced():
                    found.add(symbol.get_name())
    return sorted(found - bound)


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
