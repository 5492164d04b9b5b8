# SPDX-License-Identifier: Apache-2.0
"""A program that writes functions, keeps those that work, and builds on them later.

Each session is given tasks as examples of input and output. It writes one candidate
after the other, runs it on the examples, and keeps the first that passes: as a value in
the store, under a tag. The next session finds these skills there and writes functions
that use them. The writer is an enumeration here; a language model would do the same.

    python examples/skills.py [store.db]
"""

from __future__ import annotations

import ast
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import enact
from enact import Program

Examples = list[tuple[list[int], float]]

FOLD = """\
def {name}(xs):
    best = {start}
    for x in xs:
        best = {step}
    return best
"""
STARTS = ["0", "xs[0]"]
STEPS = [
    "x",
    "best + 1",
    "best + x",
    "x if x > best else best",
    "x if x < best else best",
]

SPREAD: Examples = [([3, 9, 2], 7), ([4, 4], 0), ([-5, -1], 4)]
FIRST: dict[str, Examples] = {
    "spread": SPREAD,  # too much to begin with
    "largest": [([3, 9, 2], 9), ([-5, -1], -1)],
    "smallest": [([3, 2, 9], 2), ([-5, -1], -5)],
    "total": [([3, 9, 2], 14), ([-5, 5, 1], 1)],
}
LATER: dict[str, Examples] = {
    "spread": SPREAD,
    "centre": [([3, 9, 2], 5.5), ([4, 4], 4), ([-5, -1], -3)],
    "reach": [([3, 9, 2], 3.5), ([4, 5], 0.5), ([10, 0, 20], 10)],
}


def candidates(name: str, skills: dict[str, Program]) -> Iterator[Program]:
    """All that the writer can think of: loops, then arithmetic on what it knows."""
    for start, step in itertools.product(STARTS, STEPS):
        yield Program(FOLD.format(name=name, start=start, step=step), name)
    forms = ["{a} - {b}", "{a} + {b}", "({a} + {b}) / 2", "{a} - {b} / 2"]
    for a, b in itertools.permutations(sorted(skills), 2):
        for form in forms:
            expression = form.format(a=f"{a}(xs)", b=f"{b}(xs)")
            body = f"def {name}(xs):\n    return {expression}"
            parts = [*functions(skills[a]), *functions(skills[b]), body]
            yield Program("\n\n".join(dict.fromkeys(parts)), name)


def functions(program: Program) -> list[str]:
    return [part.strip() for part in program.source.split("\n\n")]


def harmless(program: Program) -> bool:
    """Whether a program can do nothing but calculate: who loads it asks this."""
    tree = ast.parse(program.source)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    reaching = (ast.Attribute, ast.Import, ast.ImportFrom, ast.While)
    return (
        len(own) == len(tree.body)
        and names <= {*own, "xs", "x", "best"}
        and not any(isinstance(node, reaching) for node in ast.walk(tree))
    )


@enact.register
def write(name: str, attempt: int, skills: dict[str, Program]) -> Program | None:
    """Stands for a language model: the next idea for a function, None without one."""
    return next(itertools.islice(candidates(name, skills), attempt, None), None)


@enact.register
def passes(program: Program, examples: Examples) -> bool:
    function = program.load(allow=harmless)
    return all(function(given) == wanted for given, wanted in examples)


@enact.register
def learn(name: str, examples: Examples, skills: dict[str, Program]) -> Program | None:
    for attempt in itertools.count():
        program = write(name, attempt, skills)
        if program is None or passes(program, examples):
            return program
    return None


def session(title: str, path: Path, tasks: dict[str, Examples]) -> None:
    """One session: looks what it can do already, then learns what it is asked for."""
    print(f"\n== {title} ==")
    with enact.SQLiteStore(path) as store:
        skills = {tag: store[tag] for tag in store.tags()}
        print(f"skills in the store: {', '.join(skills) or 'none'}")
        for name, examples in tasks.items():
            if name in skills:
                print(f"{name}: known already")
                continue
            inv = enact.invoke(learn, (name, examples, dict(skills)))
            tried = len(inv.find(passes))
            if inv.output is None:
                print(f"{name}: none of {tried} candidates does it")
                continue
            skills[name] = inv.output
            store.tag(name, inv.output)
            last = inv.output.source.splitlines()[-1].strip()
            print(f"{name}: candidate {tried} passes, it ends with {last!r}")
        store.close()


def main(path: Path) -> None:
    session("The first session", path, FIRST)
    session("A later session", path, LATER)

    print("\n== Use ==")
    with enact.SQLiteStore(path) as store:
        skill = store["reach"]
        print(skill.source)
        inv = enact.invoke(skill.load(allow=harmless), ([1, 2, 30],))
        print(enact.invocation_summary(inv))
        print(f"From the record, the same program: {inv.program() == skill}.")
        print(f"Calls kept: {sum(1 for _ in store.calls())}.")
        store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else f"{folder}/skills.db"))
