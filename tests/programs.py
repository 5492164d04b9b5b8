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

import contextlib
import copy
import dataclasses
import functools
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from tests.reference_streams import Last


class Oops(Exception):
    """An exception of the programs' own."""


# --- the world --------------------------------------------------------------------


# How many functions and tasks may begin in one run of a program. Between two of those
# no program does much: loops are short and not nested, and values stay small.
LIMIT = 300


class World:
    """What is around a running program.

    Attributes:
        log: the leaf calls that ran, in order.
        bodies: names of the functions that ran, in order.
        begun: how many functions and tasks have begun in this run.
        epoch: changes the samples that are drawn.
        knob: something that programs depend on and nobody records.
    """

    def __init__(
        self, source: str, names: dict[str, Any], *, ordered: bool = True
    ) -> None:
        self.log: list[tuple[str, str]] = []
        self.bodies: list[str] = []
        self.begun = 0
        self.ordered = ordered
        self.epoch = 0
        self.knob = 0
        self.names: dict[str, Any] = {
            **HELPERS,
            "knob": lambda: self.knob,
            "draw": self.draw,
            "begin": self.begin,
            **names,
        }
        self.load(source)

    def load(self, source: str) -> None:
        """Make a program the one that runs."""
        exec(compile(LEAVES + source, "<program>", "exec"), self.names)

    def body(self, name: str) -> Callable[..., Any]:
        """The coroutine function that runs when ``name`` is called."""
        self.begin()
        self.bodies.append(name)
        return self.names[f"{name}_body"]

    def begin(self) -> None:
        """A function or a task begins."""
        self.begun += 1
        if self.begun > LIMIT:
            TooLong.happened = True
            raise TooLong

    def draw(self, name: str, *request: Any) -> int:
        """A sample, for a leaf call that runs."""
        self.log.append((name, repr(plain(request))))
        if self.ordered:
            return len(self.log) + 50 * self.epoch
        return crc((name, plain(request), self.epoch)) % 50


class TooLong(BaseException):
    """The program runs for too long to be an example."""

    happened = False  # whatever became of the exception


def crc(value: object) -> int:
    """A number that depends on a value, the same in every process."""
    return zlib.crc32(repr(value).encode())


def plain(value: Any) -> Any:
    """A value in builtin types: objects by the name of their class and their fields."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
        return type(value).__name__, fields
    if isinstance(value, BaseException):
        name = type(value).__name__
        ours = name == "InputChanged"  # each has messages of its own
        return name, () if ours else tuple(map(plain, value.args))
    return value


def plus(one: Any, other: Any) -> Any:
    """Some value that depends on both."""
    if type(one) is int and type(other) is int:
        return (one + other) % 100
    return f"{plain(one)}{plain(other)}"[:12]


def odd(value: Any) -> bool:
    """A condition that depends on any value."""
    return value % 2 == 1 if type(value) is int else crc(plain(value)) % 2 == 1


def short(value: Any, length: int = 80) -> Any:
    """A copy of a value; of one that is long, a number, so that values stay small."""
    if len(repr(plain(value))) > length:
        return crc(plain(value)) % 1000
    return copy.deepcopy(value)


def done(*values: Any) -> Any:
    """What functions return: all that they know."""
    return short(list(values), 160)


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
    "Last": Last,
    "closing": contextlib.aclosing,
    "copy": copy.deepcopy,
    "done": done,
    "first_error": first_error,
    "odd": odd,
    "partial": functools.partial,
    "plus": plus,
    "short": short,
    "words": words,
}

# `pause` is nothing in programs without tasks. `Tally` changes its state, also when it
# fails; `Agent` is a program with state, some of it in another invokable object.
LEAVES = """
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
    return self if "self" in repr(x) else [n, x]

def marked(number):
    return lambda target, x: call(target, [number, x])
"""

LEAF_NAMES = ["sample", "echo", "fail", "flaky"]
FUNCTIONS = ["f1", "f2", "f3"]
STREAMS = ["s1", "s2"]
CLASSES = ["Tally", "Agent"]


# --- writing programs -------------------------------------------------------------


class Program:
    """A program; ``main`` takes ``argument``."""

    def __init__(self, source: str, argument: Any) -> None:
        # Tasks have numbers, which they add to the inputs of their calls.
        parts = source.split("#")
        self.source = (
            "".join(f"{part}{n}" for n, part in enumerate(parts[:-1])) + parts[-1]
        )
        self.argument = argument

    def __repr__(self) -> str:
        return f"main({self.argument!r}) of\n{self.source}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


VALUES = [0, 1, 2, True, "a", "1", [], [1], None, 1.0]
Lines = list[str]


@dataclasses.dataclass(frozen=True)
class Where:
    """What the strategies for a piece of a program depend on.

    Attributes:
        callees: the functions that it may call: none above it.
        tasks: it may start tasks, which share a list and objects if ``shared``.
        knob: it may look at something that nobody records.
        distinct: no two tasks make equal calls.
        calm: what may fail is within a ``try`` that handles it; of ``main`` alone.
        depth: of the blocks around it.
        streams: the streams that it may read: none above it.
        leaves: it may leave streams without closing them. Else streams may make calls
            when they are closed.
        in_try, in_loop, in_task, in_agent, in_stream, in_reader: what is around it.
    """

    callees: tuple[str, ...] = ()
    tasks: bool = False
    shared: bool = False
    knob: bool = False
    distinct: bool = False
    calm: bool = False
    depth: int = 0
    in_try: bool = False
    in_loop: bool = False
    in_task: bool = False
    in_agent: bool = False
    streams: tuple[str, ...] = ()
    leaves: bool = False
    in_stream: bool = False
    in_reader: bool = False

    def inner(self, **changes: Any) -> Where:
        return dataclasses.replace(self, depth=self.depth + 1, **changes)


def indented(lines: Lines) -> Lines:
    """A block of lines, further in."""
    return [f"    {line}" for line in lines or ["pass"]]


def often(*weighted: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of several, each as often as its weight says."""
    choices = [strategy for weight, strategy in weighted for _ in range(weight)]
    return st.sampled_from(range(len(choices))).flatmap(choices.__getitem__)


# Whole lines are drawn from long lists, since each draw takes time.


@functools.cache
def values(where: Where) -> Lines:
    """Expressions without calls."""
    names = ["v0", "v1", "v2", "plus(v1, v2)", "copy(v3)"] * 2
    return [*names, *["knob()"] * 4 * where.knob, *map(repr, VALUES)]


@functools.cache
def calls(where: Where) -> Lines:
    """Expressions that make one call."""
    usual = ["sample", "sample", "echo", "o1", "o1", "o2", *where.callees]
    callees = usual * (1 if where.in_try else 4) + ["fail", "flaky"]
    if where.calm:
        safe = ["sample", "sample", "echo"]
        callees = [*where.callees * 2, "flaky", *safe] if where.in_try else safe
    made = [f"await call({callee}, {v})" for callee in callees for v in values(where)]
    special = []
    if not where.calm or where.in_try:
        # What tasks share is looked at only next to calls, so not later by a variable.
        itself = "await call(o1, 'self')"
        special += [f"copy({itself})" if where.shared else itself]
    if not where.in_task:  # what it gives to a call must not be what others change
        special += ["await call(echo, v3)"]
    return made + special * (len(made) // 20)


def yields(where: Where) -> Lines:
    """Give an item, and take what is sent."""
    return [f"v2 = (yield short({value})) or v2" for value in values(where)]


@functools.cache
def statements(where: Where) -> st.SearchStrategy[Lines]:
    """One statement, which may have blocks of its own."""
    variables = ["v1", "v2"]
    fresh = ["v3 = []"]
    if not where.shared:  # what tasks share changes only next to calls
        fresh += ["o1 = Tally()", "v3 = o1.items"]
    kinds: list[tuple[int, Lines]] = [
        (12, [f"{name} = {made}" for name in variables for made in calls(where)]),
        (1, [f"{name} = {value}" for name in variables for value in values(where)]),
        (1, [f"v3.append(short({value}))" for value in values(where)]),
        (1, fresh),
        (3 * where.tasks, ["await pause()"]),
        (12 * where.in_stream, yields(where)),
        (4 * where.shared, [f"shared.append({made})" for made in calls(where)]),
    ]
    if where.in_reader:
        kinds += [(8, [f"{name} = {ask}" for name in variables for ask in asks(where)])]
    simple = [(w, st.sampled_from(lines).map(lambda x: [x])) for w, lines in kinds]
    compound = []
    if where.depth < 3:
        compound += [(15 if where.calm else 5, tries(where)), (2, conditions(where))]
        compound += [] if where.in_loop else [(2, loops(where))]
        if where.in_stream and not where.leaves:
            compound += [(4, cleanups(where))]
        if where.streams and not where.in_loop:
            compound += [(12, readers(where))]
    if where.depth < 2 and where.tasks:
        compound += [(5, gathers(where)), (5, spawns(where))]
    return often(*simple, *compound)


@functools.cache
def blocks(where: Where) -> st.SearchStrategy[Lines]:
    """Some statements; now and then the last one leaves the function."""
    kinds = ["raise ValueError(short({}))", "raise Oops(short({}))", "return done({})"]
    leave = [[kind.format(value)] for kind in kinds for value in values(where)]
    if where.in_stream:
        leave = [end for end in leave if end[0].startswith("raise")]
        leave += [[f"yield Last(short({value}))", "return"] for value in values(where)]
    ends = st.sampled_from([[]] * 5 * len(leave) + leave)
    if where.calm:
        ends = st.just([])
    body = st.lists(statements(where), max_size=3 if where.tasks else 4).map(flat)
    return st.tuples(body, ends).map(flat)


def flat(lists: Iterable[Lines]) -> Lines:
    """One after the other."""
    return [line for lines in lists for line in lines]


def conditions(where: Where) -> st.SearchStrategy[Lines]:
    block = blocks(where.inner())
    return st.builds(
        lambda value, yes, no: [
            f"if odd({value}):", *indented(yes), "else:", *indented(no)
        ],
        st.sampled_from(values(where)), block, block,
    )  # fmt: skip


def loops(where: Where) -> st.SearchStrategy[Lines]:
    return st.builds(
        lambda count, body: [f"for _ in range({count}):", *indented(body)],
        st.integers(1, 3), blocks(where.inner(in_loop=True)),
    )  # fmt: skip


def readers(where: Where) -> st.SearchStrategy[Lines]:
    """Read a stream, to its end or not, and do something with each item."""

    def reader(name: str, value: str, body: Lines, leaves: Lines, how: str) -> Lines:
        loop = ["async for v1 in items:", *indented([*body, *leaves])]
        made = f"stream({name}, {value})"
        if how == "beside another":
            body = ["v2 = await others.ask('send')", *body]
            inner = reader(name, value, body, leaves, "closed")
            return ["async with closing(stream(s1, v0)) as others:", *indented(inner)]
        if how == "closed":
            return [f"async with closing({made}) as items:", *indented(loop)]
        if how == "kept":
            return [f"kept.append({made})", "items = kept[-1]", *loop]
        end = ["finally:", "    items = drop(items)"]
        return [f"items = {made}", "try:", *indented(loop), *end]

    return st.builds(
        reader,
        st.sampled_from(where.streams), st.sampled_from(values(where)),
        blocks(where.inner(in_loop=True, in_reader=True)),
        st.sampled_from([[], [], ["if odd(v1):", "    break"], ["break"]]),
        st.sampled_from(
            ["closed", "closed", "beside another", *["dropped", "kept"] * where.leaves]
        ),
    )  # fmt: skip


@functools.cache
def asks(where: Where) -> Lines:
    """Expressions that ask a stream for the next item in other ways."""
    given = [f"ask('send', short({value}))" for value in values(where)]
    given += [f"ask('throw', ValueError(short({value})))" for value in values(where)]
    return [f"await items.{one}" for one in [*given, *["ask('close')"] * 5]]


def cleanups(where: Where) -> st.SearchStrategy[Lines]:
    """Make a call at the end, also when a stream is closed."""
    # What fails then must not be caught: no item may come after that.
    may_fail = where.streams and not where.in_try
    safe = [f"await call(sample, {value})" for value in values(where)]
    return st.builds(
        lambda body, made: ["try:", *indented(body), "finally:", f"    v1 = {made}"],
        blocks(where.inner()), st.sampled_from(calls(where) if may_fail else safe),
    )  # fmt: skip


def tries(where: Where) -> st.SearchStrategy[Lines]:
    handlers = ["v1 = words([error])", "pass"]
    if not where.calm:
        handlers += ["raise Oops(short(v1)) from error", "raise"]
    if where.in_reader:
        handlers += ["v1 = await items.ask('throw', error)"]
    caught = "(ValueError, Oops)" if where.calm else "ValueError"
    return st.builds(
        lambda body, first, handler: [
            "try:", *indented(body),
            f"except {caught} as error:",
            *indented([first] if first.startswith("raise") else [first, *handler]),
        ],
        blocks(where.inner(in_try=True)), st.sampled_from(handlers),
        blocks(where.inner(in_try=False) if where.calm else where.inner()),
    )  # fmt: skip


# Tasks: all that a function started has ended when it returns or raises.

OUTCOMES = st.sampled_from(["words", "first_error", "all_errors"])


def tasks(where: Where) -> st.SearchStrategy[tuple[Lines, str]]:
    """The definition of a task, and the expressions that it is given."""
    own = ["begin()", "v3 = []"]
    if where.distinct:
        own += ["call = marked(#)"]
    given = "v0, v1, {}"
    if where.distinct:  # threads must not see what becomes of it later
        given = "copy(v0), copy(v1), copy({})"
    other = "Tally()" if where.in_agent else "Agent()"  # else it would never end
    own += [f"o2 = {other}" if where.shared else f"o1, o2 = Tally(), {other}"]
    return st.builds(
        lambda body, value: (
            [
                "async def task(v0, v1, v2):",
                *indented([*own, *body, "return done(v0, v1, v2, v3)"]),
            ],
            given.format(value),
        ),
        blocks(where.inner(in_task=True, in_reader=False)),
        st.sampled_from(values(where)),
    )  # fmt: skip


def gathers(where: Where) -> st.SearchStrategy[Lines]:
    mine = f"bodies{where.depth}"

    def gather(defined: list[tuple[Lines, str]], how: str) -> Lines:
        # No coroutines yet: a changed program may never come to wait for them.
        made = [
            [*lines, f"{mine}.append(partial(task, {given}))"]
            for lines, given in defined
        ]
        return [f"{mine} = []", *flat(made), f"v1 = {how}(await gather(*{mine}))"]

    return st.builds(gather, st.lists(tasks(where), min_size=1, max_size=3), OUTCOMES)


def spawns(where: Where) -> st.SearchStrategy[Lines]:
    mine = f"tasks{where.depth}"

    def spawn(parts: list[tuple[tuple[Lines, str], Lines]], how: str) -> Lines:
        body = [
            [*lines, f"{mine}.append(spawn(task({given})))", *then]
            for (lines, given), then in parts
        ]
        return [
            f"{mine} = []",
            "try:", *indented(flat(body)),
            "finally:", f"    outcomes = await settle(*{mine})",
            f"v2 = {how}(outcomes)",
        ]  # fmt: skip

    part = st.tuples(tasks(where), blocks(where.inner()))
    return st.builds(spawn, st.lists(part, min_size=1, max_size=2), OUTCOMES)


def functions(name: str, where: Where) -> st.SearchStrategy[Lines]:
    """The body of a function."""
    header = [f"async def {name}_body(v0):"]
    own = ["v1, v2, v3, shared = 0, 'x', [], []", "o1, o2 = Tally(), Agent()"]
    own += ["kept = []"] * where.leaves
    if name == "Agent":
        header = ["async def Agent_body(self, v0):"]
        own = ["v1, v2, v3, shared = 0, 'x', self.memory, []", "o1 = o2 = self.tally"]
    end = "return done(v0, v1, v2, v3, shared, o1, o2)"
    if where.in_stream:
        end = "yield v0"
    size = (6 if where.tasks else 12) // (1 if name == "main" else 2)
    few = 3 if where.calm else 0
    body = st.lists(statements(where), min_size=few, max_size=size).map(flat)
    return body.map(lambda lines: [*header, *indented([*own, *lines, end]), ""])


def programs(streams: bool = False, **options: Any) -> st.SearchStrategy[Program]:
    """Programs, with streams or without; options as those of ``Where``."""
    parts = []
    if streams:
        plain_code = Where(depth=1, in_stream=True, leaves=options.get("leaves", False))
        parts.append(functions("s1", plain_code))
        parts.append(functions("s2", dataclasses.replace(plain_code, streams=("s1",))))
        options["streams"] = ("s1", "s2", "s2")
    for number, name in enumerate(["main", *FUNCTIONS]):
        callees = tuple(FUNCTIONS[number:])
        parts.append(functions(name, Where(callees=callees, **options)))
        options = {**options, "calm": False}
    parts.append(functions("Agent", Where(depth=1, in_agent=True, **options)))
    return st.builds(
        lambda lists, argument: Program("\n".join(flat(lists)), argument),
        st.tuples(*parts), st.sampled_from(VALUES),
    )  # fmt: skip


# --- changing programs ----------------------------------------------------------------

# Lines that can be changed without making a program that is none.
_SIMPLE = re.compile(
    r" +(v[12] = |v3\.append|shared\.append|await pause|(bodies|tasks)\d\.append|raise"
    r"|return)"
)
_CALL = re.compile(r"await call\((\w+), (?:[^()]|\([^()]*\))*\)")
_START = re.compile(r"( +)(bodies|tasks)(\d) = \[\]")

INSERTS = [
    "v1 = await call(sample, 7)",
    "v2 = await call(echo, v1)",
    "v1 = await call(o1, 2)",
    "v2 = await call(f3, 1)",
    "v2 = 'c'",
    "raise ValueError('new')",
    "await pause()",
]
TASK = """\
async def task(v0, v1, v2):
    begin()
    call = marked({0})
    v1 = await call(sample, v2)
    return done(v1)
{1}{2}.append({3})"""


@dataclasses.dataclass(frozen=True)
class CodeChange:
    """A change of the source of a program.

    Attributes:
        kind: what changes.
        where, what: numbers that choose among what there is.
    """

    kind: str
    where: int
    what: int

    def apply(self, source: str) -> tuple[str, set[str]]:
        """The changed source, and the names of functions that are others now."""
        if self.kind == "leaf":
            name = [*LEAF_NAMES, "Tally"][self.where % 5]
            start = LEAVES.index(f"async def {name}_body")
            body = LEAVES[start:].split("\n\n")[0]
            new = body.replace(f'"{name}", ', f'"{name}", {self.what}, ')
            new = new.replace("(x)\n", f"((x, {self.what}))\n")
            return f"{source}\n{new}\n", {name}
        lines = source.split("\n")
        fits = {"task": _START.match, "constant": _CALL.search}
        fit = fits.get(self.kind, _SIMPLE.match)
        places = [n for n, line in enumerate(lines) if fit(line)]
        if not places:
            return source, set()
        if self.where % 3 and places[0] < lines.index(""):  # most often in `main`
            places = [n for n in places if n < lines.index("")]
        place = places[self.where % len(places)]
        old = "\n".join(lines)
        getattr(self, f"_{self.kind}")(lines, place)
        new = "\n".join(lines)
        above = [re.match(r"async def (\w+)_body", line) for line in lines[: place + 1]]
        names = [found[1] for found in above if found]
        return new, {names[-1]} if new != old else set()

    def _remove(self, lines: Lines, place: int) -> None:
        indent = len(lines[place]) - len(lines[place].lstrip())
        lines[place] = " " * indent + "pass"

    def _insert(self, lines: Lines, place: int) -> None:
        indent = len(lines[place]) - len(lines[place].lstrip())
        above = next(m for m in map(_NAME.match, reversed(lines[:place])) if m)
        able = [one for one in INSERTS if "f3" not in one or above[1] in _ABOVE_F3]
        lines.insert(place, " " * indent + able[self.what % len(able)])

    def _move(self, lines: Lines, place: int) -> None:
        indent = len(lines[place]) - len(lines[place].lstrip())
        after = lines[place + 1]
        if _SIMPLE.match(after) and len(after) - len(after.lstrip()) == indent:
            lines[place : place + 2] = [after, lines[place]]

    def _constant(self, lines: Lines, place: int) -> None:
        new = VALUES[self.what % len(VALUES)]
        lines[place] = _CALL.sub(rf"await call(\1, {new!r})", lines[place])

    def _task(self, lines: Lines, place: int) -> None:
        found = _START.match(lines[place])
        assert found is not None
        task = "partial(task, v0, v1, 3)"
        if found[2] == "tasks":
            task = "spawn(task(v0, v1, 3))"
        new = TASK.format(900 + self.what, found[2], found[3], task).split("\n")
        lines[place + 1 : place + 1] = [found[1] + line for line in new]


_NAME = re.compile(r"async def (\w+)_body")
_ABOVE_F3 = ("main", "f1", "f2")


def code_changes(*more: str) -> st.SearchStrategy[list[CodeChange]]:
    """A few changes, of these kinds too."""
    kinds = ["remove", "insert", "insert", "move", "constant", "leaf", *more]
    one = st.builds(
        CodeChange, st.sampled_from(kinds), st.integers(0, 60), st.integers(0, 9)
    )
    return st.lists(one, min_size=1, max_size=3)


def changed(source: str, changes: Iterable[CodeChange]) -> tuple[str, set[str]]:
    """A source after some changes, and the names of functions that are others now."""
    names: set[str] = set()
    for change in changes:
        source, found = change.apply(source)
        names |= found
    return source, names
