# SPDX-License-Identifier: Apache-2.0
"""Random programs, as source text, and the world that they run in.

A program is written by Hypothesis, a line at a time, as the source of a few coroutine
functions. The same source runs untracked, in the reference and in the package: what
differs is what the names in it stand for (``call``, ``spawn``, ``pause``, ...), which
each of the three brings along.

Leaf calls draw *samples* from a ``World``, which keeps a log, so that one sees which
calls ran. Where the world is ``ordered``, each sample is the next number. Else it
depends on the request and on the world's ``epoch``, but not on the order of calls.
"""

from __future__ import annotations

import copy
import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st


class Oops(Exception):
    """An exception of the programs' own."""


# --- the world --------------------------------------------------------------------


class World:
    """What is around a running program.

    Attributes:
        log: the leaf calls that ran, in order.
        epoch: changes the samples that are drawn.
        knob: something that programs depend on and nobody records.
    """

    def __init__(
        self, source: str, names: dict[str, Any], *, ordered: bool = True
    ) -> None:
        self.log: list[tuple[str, str]] = []
        self.ordered = ordered
        self.epoch = 0
        self.knob = 0
        self.names: dict[str, Any] = {
            **HELPERS,
            "knob": lambda: self.knob,
            "draw": self.draw,
            **names,
        }
        exec(compile(LEAVES + source, "<program>", "exec"), self.names)

    def body(self, name: str) -> Callable[..., Any]:
        """The coroutine function that runs when ``name`` is called."""
        return self.names[f"{name}_body"]

    def draw(self, name: str, *request: Any) -> int:
        """A sample, for a leaf call that runs."""
        self.log.append((name, repr(plain(request))))
        if len(self.log) > 400:
            raise TooLong
        if self.ordered:
            return len(self.log) + 50 * self.epoch
        return crc((name, plain(request), self.epoch)) % 50


class TooLong(BaseException):
    """The program runs for too long to be an example."""


def crc(value: object) -> int:
    """A number that depends on a value, the same in every process."""
    return zlib.crc32(repr(value).encode())


def plain(value: Any) -> Any:
    """A value in builtin types: objects by the name of their class and their fields."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return type(value).__name__, fields
    if isinstance(value, BaseException):
        return type(value).__name__, tuple(map(plain, value.args))
    return value


def plus(one: Any, other: Any) -> Any:
    """Some value that depends on both."""
    if type(one) is int and type(other) is int:
        return (one + other) % 100
    return f"{plain(one)}{plain(other)}"[:12]


def odd(value: Any) -> bool:
    """A condition that depends on any value."""
    return value % 2 == 1 if type(value) is int else crc(plain(value)) % 2 == 1


def done(*values: Any) -> Any:
    """What functions return: all that they know, but never much."""
    return copy.deepcopy(list(values)) if len(repr(plain(values))) < 160 else crc(plain(values)) % 1000


def words(outcomes: list[Any]) -> list[Any]:
    """Outcomes of tasks, exceptions in words."""
    return [plain(one) if isinstance(one, Exception) else one for one in outcomes]


def first_error(outcomes: list[Any]) -> list[Any]:
    """The results of tasks; raises the first exception if there is one."""
    for one in outcomes:
        if isinstance(one, Exception):
            raise one
    return outcomes


def all_errors(outcomes: list[Any]) -> list[Any]:
    """The results of tasks; raises all exceptions if there is one."""
    errors = [one for one in outcomes if isinstance(one, Exception)]
    if errors:
        raise ExceptionGroup("tasks failed", errors)
    return outcomes


HELPERS = {
    "Oops": Oops,
    "all_errors": all_errors,
    "copy": copy.deepcopy,
    "done": done,
    "first_error": first_error,
    "odd": odd,
    "plus": plus,
    "words": words,
}

# `pause` is nothing in programs without tasks. `Tally` changes its state, also when it
# fails; `Agent` is a program with state, some of it in another invokable object.
LEAVES = '''
async def sample_body(x):
    await pause()
    return draw("sample", x)

async def echo_body(x):
    draw("echo", x)
    await pause()
    return x

async def fail_body(x):
    await pause()
    raise ValueError(draw("fail", x))

async def flaky_body(x):
    await pause()
    n = draw("flaky", x)
    if odd(n):
        raise (ValueError if odd(n // 2) else Oops)(n)
    return [n, x]

async def Tally_body(self, x):
    await pause()
    n = draw("Tally", x, self.count, self.items)
    self.count += 1
    self.items.append(n)
    if self.count == 3:
        raise ValueError("three")
    return self if x == "self" else [n, x]
'''

LEAF_NAMES = ["sample", "echo", "fail", "flaky"]
RISKY = ["fail", "flaky"]
FUNCTIONS = ["f1", "f2", "f3"]
CLASSES = ["Tally", "Agent"]


# --- writing programs -------------------------------------------------------------


class Program:
    """A program; ``main`` takes ``argument``."""

    def __init__(self, source: str, argument: Any) -> None:
        self.source = source
        self.argument = argument

    def __repr__(self) -> str:
        return f"main({self.argument!r}) of\n{self.source}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


VALUES = st.sampled_from([0, 1, 2, True, "a", "1", [], [1], None, 1.0])


class Writer:
    """Writes the body of one function."""

    def __init__(self, draw: Any, callees: list[str], **options: bool) -> None:
        self.draw = draw
        self.callees = callees
        self.tasks = options.get("tasks", False)
        self.shared = options.get("shared", False)
        self.knob = options.get("knob", False)
        self.lines: list[str] = []
        self.depth = 1
        self.left = 16
        self.names = 0
        self.in_task = False
        self.tries = 0

    def write(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def choose(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def value(self) -> str:
        options = ["v0", "v1", "v2", "plus(v1, v2)", "const", "copy(v3)"]
        if self.knob:
            options.append("knob()")
        found = self.choose(*options)
        return repr(self.draw(VALUES)) if found == "const" else found

    def variable(self) -> str:
        return self.choose("v1", "v2")

    def a_call(self) -> str:
        """An expression that makes a call."""
        usual = ["sample", "sample", "echo", "o1", "o1", "o1", "o2", *self.callees * 2]
        callee = self.choose(*usual * 2, *RISKY * (5 if self.tries else 1))
        argument = self.value()
        if callee == "echo" and not self.in_task:
            argument = self.choose("v3", argument)
        if callee == "o1":
            argument = self.choose(argument, "'self'")
        if callee == "spoil":
            argument = "v3"
        return f"await call({callee}, {argument})"

    def block(self, least: int = 1, most: int = 3) -> None:
        """Some statements, one level further in."""
        self.depth += 1
        before = len(self.lines)
        for _ in range(self.draw(st.integers(least, most))):
            if self.statement() in ("raise", "return"):
                break
        if len(self.lines) == before:
            self.write("pass")
        self.depth -= 1

    def statement(self) -> str:
        """Write any statement; gives its kind."""
        self.left -= 1
        simple = ["call"] * 8 + ["append", "change", "new"]
        if self.tasks:
            simple += ["pause", "pause"]
        if self.shared:
            simple += ["share", "share"]
        compound = ["try", "try", "try", "if", "for"]
        ends = ["raise", "return"] if self.depth > 1 else []
        if self.tasks and self.depth < 4:
            compound += ["gather", "spawn"] * 2
        kinds = simple if self.left < 0 or self.depth > 4 else [*simple, *compound, *ends]
        kind = self.choose(*kinds)
        getattr(self, f"write_{kind}")()
        return kind

    def write_call(self) -> None:
        self.write(f"{self.variable()} = {self.a_call()}")

    def write_append(self) -> None:
        self.write(f"v3.append(copy({self.value()}))")  # never a cycle

    def write_change(self) -> None:
        self.write(f"{self.variable()} = {self.value()}")

    def write_new(self) -> None:
        if self.shared:  # what tasks share changes only next to calls
            self.write("v3 = []")
        else:
            self.write(self.choose("o1 = Tally()", "v3 = o1.items", "v3 = []"))

    def write_raise(self) -> None:
        self.write(f"raise {self.choose('ValueError', 'Oops')}({self.value()})")

    def write_return(self) -> None:
        self.write(f"return {self.choose('done(v1, v2, v3)', 'v0')}")

    def write_if(self) -> None:
        self.write(f"if odd({self.value()}):")
        self.block()
        self.write("else:")
        self.block(0, 2)

    def write_for(self) -> None:
        self.write(f"for _ in range({self.draw(st.integers(1, 3))}):")
        self.block()

    def write_try(self) -> None:
        self.write("try:")
        self.tries += 1
        self.block()
        self.tries -= 1
        self.write("except ValueError as error:")
        then = self.choose("v1 = words([error])", "v2 = 1", "raise Oops(v1) from error")
        self.write(f"    {then}")
        if not then.startswith("raise"):
            self.block(0, 2)

    # Tasks. What they started has always ended when a function returns or raises.

    def write_pause(self) -> None:
        self.write("await pause()")

    def write_share(self) -> None:
        self.write(f"shared.append({self.a_call()})")

    def task(self) -> str:
        """Define a task; gives the expression that makes its coroutine."""
        self.names += 1
        name = f"task{self.names}"
        self.write(f"async def {name}(v0, v1, v2):")
        self.depth += 1
        self.write("v3 = []")
        if not self.shared:
            self.write("o1, o2 = Tally(), Agent()")
        before, self.in_task = self.in_task, True
        self.depth -= 1
        self.block()
        self.in_task = before
        self.depth += 1
        self.write("return done(v0, v1, v2, v3)")
        self.depth -= 1
        return f"{name}(v0, v1, {self.value()})"

    def write_gather(self) -> None:
        tasks = [self.task() for _ in range(self.draw(st.integers(1, 3)))]
        if len(tasks) == 1:
            tasks *= 2
        how = self.choose("words", "first_error", "all_errors")
        self.write(f"v1 = {how}(await gather({', '.join(tasks)}))")

    def write_spawn(self) -> None:
        self.names += 1
        mine = f"tasks{self.names}"
        self.write(f"{mine} = []")
        self.write("try:")
        self.depth += 1
        for _ in range(self.draw(st.integers(1, 2))):
            self.write(f"{mine}.append(spawn({self.task()}))")
            self.depth -= 1
            self.block(0, 2)
            self.depth += 1
        self.depth -= 1
        self.write("finally:")
        self.write(f"    outcomes = await settle(*{mine})")
        how = self.choose("words", "first_error", "all_errors")
        self.write(f"v2 = {how}(outcomes)")


@st.composite
def programs(
    draw: Any, *, tasks: bool = False, shared: bool = False, knob: bool = False
) -> Program:
    """Programs.

    Args:
        tasks: some of their functions start tasks.
        shared: these share a list and objects.
        knob: they depend on something that nobody records.
    """
    options = {"tasks": tasks, "shared": shared, "knob": knob}
    count = draw(st.integers(0, len(FUNCTIONS)))
    lines: list[str] = []
    for index, name in enumerate(["main", *FUNCTIONS[:count], "Agent"]):
        # No function calls itself, whichever way around.
        is_agent = name == "Agent"
        writer = Writer(draw, FUNCTIONS[index:count] if not is_agent else [], **options)
        if is_agent:
            writer.left = 4
            writer.lines += ["async def Agent_body(self, v0):"]
            writer.write("v1, v2, v3, shared = 0, 'x', self.memory, []")
            writer.write("o1 = o2 = self.tally")
        else:
            writer.lines += [f"async def {name}_body(v0):"]
            writer.write("v1, v2, v3, shared = 0, 'x', [], []")
            writer.write("o1, o2 = Tally(), Agent()")
        for _ in range(draw(st.integers(1, 8 if name == "main" else 4))):
            writer.statement()
        writer.write("return done(v0, v1, v2, v3, shared, o1, o2)")
        lines += [*writer.lines, ""]
    return Program("\n".join(lines), draw(VALUES))
