# SPDX-License-Identifier: Apache-2.0
"""Programs: code as values, loaded where allowed, and out of what ran."""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import enact
from enact import Program
from tests.modules import Load, loading, run_apart

DOUBLE = Program("def solve(n):\n    return 2 * n\n")
RAN: list[str] = []


@pytest.fixture(autouse=True)
def store() -> Iterator[enact.Store]:
    RAN.clear()
    with enact.InMemoryStore() as store:
        yield store


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    with loading(tmp_path) as load:
        yield load


def telling(word: str) -> Program:
    """A program that can be seen to have run."""
    return Program(f"import {__name__} as t\nt.RAN.append({word!r})\ndef solve(): pass")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


# --- values -----------------------------------------------------------------------


def test_a_program_is_a_value(store: enact.Store) -> None:
    same = Program("def solve(n):\n    return 2 * n\n", entry="solve")
    ref = store.commit({"tool": DOUBLE})
    assert ref.checkout() == {"tool": same}
    assert len({DOUBLE, same, Program("x = 1"), Program(DOUBLE.source, "x")}) == 3
    assert repr(DOUBLE) == f"<program solve, 2 lines, {DOUBLE.code[:12]}>"
    assert DOUBLE.code == store.commit(DOUBLE).digest
    with pytest.raises(AttributeError):
        DOUBLE.source = ""  # type: ignore[misc]  # it is frozen


def test_the_digest_of_a_program_is_pinned() -> None:
    assert (
        DOUBLE.code
        == "d8f3c917b6aa037ba7ab5eee3d56c294babbd9d4ced3d9fbeb0989ae325b3aa1"
    )


def test_a_program_cannot_be_called() -> None:
    assert not callable(DOUBLE)


@pytest.mark.parametrize(("source", "entry"), [(b"x", "solve"), ("x = 1", 3)])
def test_a_program_is_made_of_text(source: Any, entry: Any) -> None:
    with pytest.raises(TypeError):
        Program(source, entry)


def test_an_entry_is_a_name() -> None:
    with pytest.raises(enact.NoSuchEntry):
        Program("x = 1", "os.system")


# --- permission -------------------------------------------------------------------


@pytest.mark.parametrize(
    "allow", [False, None, 0, (), set(), {DOUBLE.code}, lambda program: False]
)
def test_a_program_that_nobody_allowed_does_not_run(allow: Any) -> None:
    with pytest.raises(enact.ProgramNotAllowed, match=r"allow"):
        telling("no").load(allow=allow)
    with pytest.raises(enact.ProgramNotAllowed):
        telling("no").load()
    assert not RAN


def test_it_can_be_allowed_by_word_by_digest_or_by_a_function() -> None:
    asked: list[Program] = []

    def look_at(program: Program) -> bool:
        asked.append(program)
        return "def solve" in program.source

    telling("a").load(allow=True)
    telling("b").load(allow={telling("b").code})
    telling("c").load(allow=look_at)
    assert RAN == ["a", "b", "c"]
    assert asked == [telling("c")]


def test_one_text_is_no_set_of_digests() -> None:
    with pytest.raises(TypeError, match="set of digests"):
        telling("no").load(allow=telling("no").code)
    assert not RAN


def test_each_load_needs_permission() -> None:
    solve = DOUBLE.load(allow=True)
    with pytest.raises(enact.ProgramNotAllowed):
        DOUBLE.load()
    assert DOUBLE.load(allow={DOUBLE.code}) is solve
    assert Program(DOUBLE.source).load(allow=True) is solve


def test_nothing_but_load_runs_a_program(store: enact.Store) -> None:
    program = telling("no")
    store.tag("skill", program)
    assert store["skill"] == enact.deepcopy(program) == program
    inv = enact.invoke(enact.register(repr, name="programs/repr"), (program,))
    inv.replay()
    enact.pformat(inv), enact.invocation_summary(inv), enact.source(inv)
    assert not RAN


# --- what loading does ------------------------------------------------------------


def test_a_program_has_a_namespace_of_its_own() -> None:
    program = Program("def solve():\n    return sorted(globals()), __name__")
    names, module = program.load(allow=True)()
    assert "pytest" not in names
    assert module == f"enact_program_{program.code}"
    with pytest.raises(NameError):
        Program("def solve(): return Program").load(allow=True)()


def test_a_syntax_error_says_the_line() -> None:
    with pytest.raises(enact.ProgramSyntaxError, match="line 2") as caught:
        Program("x = 1\ndef solve(:\n").load(allow=True)
    assert caught.value.lineno == 2
    assert caught.value.text == "def solve(:\n"
    assert isinstance(caught.value, SyntaxError)


@pytest.mark.parametrize(
    "source", ["x = '\0'", "x = '\ud800'", "(" * 1000 + ")" * 1000]
)
def test_what_cannot_be_compiled_is_a_syntax_error_too(source: str) -> None:
    with pytest.raises(enact.ProgramSyntaxError):
        Program(source).load(allow=True)


def test_a_missing_entry_is_an_error_that_lists_what_is_there() -> None:
    program = Program("solve = 3\ndef other(): pass")
    with pytest.raises(enact.NoSuchEntry, match="other"):
        program.load(allow=True)
    assert program.module not in sys.modules


def test_a_program_that_fails_while_it_loads_can_be_loaded_again() -> None:
    program = Program(f"import {__name__} as t\nt.RAN[0]\ndef solve(): return 1")
    with pytest.raises(IndexError):
        program.load(allow=True)
    assert program.module not in sys.modules
    RAN.append("now")
    assert program.load(allow=True)() == 1


def test_its_source_is_there_for_tracebacks_and_inspect() -> None:
    solve = Program("def solve(n):\n    return 1 / n  # here\n").load(allow=True)
    for _ in range(2):
        try:
            solve(0)
        except ZeroDivisionError:
            assert "return 1 / n  # here" in traceback.format_exc()
        assert "# here" in inspect.getsource(inspect.unwrap(solve))
        linecache.clearcache()


def test_calls_of_a_program_are_recorded_and_replayed() -> None:
    inner = Program("def solve(n):\n    return n + 1\n").load(allow=True)
    source = (
        "import enact\n"
        f"inner = enact.registered('{inner.__enact_target__.name}')\n"
        "def solve(n): return inner(n) + inner(n + 1)\n"
    )
    program = Program(source)
    inv = enact.invoke(program.load(allow=True), (1,))
    assert (inv.output, len(inv.children)) == (5, 2)
    assert inv.name == f"{program.module}:solve"
    assert inv.replay() == inv
    assert inv.replay().verdicts() == {}
    assert inv.edit(inv[0], output=10).replay().output == 13


def test_another_process_loads_the_program_out_of_the_record(tmp_path: Path) -> None:
    with enact.SQLiteStore(tmp_path / "runs.db") as kept:
        kept.tag("run", enact.invoke(DOUBLE.load(allow=True), (21,)))
        kept.close()
    printed = run_apart(
        """
        import sys, enact
        with enact.SQLiteStore(sys.argv[1]) as store:
            inv = store["run"]
            try:
                inv.replay()
            except enact.UnregisteredType as error:
                print("program().load" in str(error), len(store.affected()))
            program = inv.program()
            program.load(allow={sys.argv[2]})
            print(inv.replay() == inv, inv.rewind().replay() == inv)
        store.close()
        """,
        tmp_path / "runs.db",
        DOUBLE.code,
    )
    assert printed == "True 0\nTrue True\n"


def test_an_async_program_is_recorded() -> None:
    import asyncio

    solve = Program("async def solve(n):\n    return n + 1\n").load(allow=True)
    inv = asyncio.run(enact.invoke_async(solve, (1,)))
    assert inv.output == 2


def test_what_a_module_does_while_it_loads_is_in_no_record() -> None:
    inner = DOUBLE.load(allow=True)
    source = (
        "import enact\n"
        f"X = enact.registered('{inner.__enact_target__.name}')(4)\n"
        "def solve(n): return n + X\n"
    )

    @enact.register(name="programs/write and run")
    def outer(n: int) -> Any:
        return Program(source).load(allow=True)(n)

    inv = enact.invoke(outer, (1,))
    assert inv.output == 9
    assert [view.path for view in inv.walk()] == [(), (0,)]
    assert inv.replay() == inv


def test_a_class_can_be_the_entry() -> None:
    program = Program(
        "import dataclasses, enact\n"
        "@dataclasses.dataclass\n"
        "class Add(enact.Invokable[int, int]):\n"
        "    n: int\n"
        "    def call(self, x: int) -> int:\n"
        "        return x + self.n\n",
        entry="Add",
    )
    inv = enact.invoke(program.load(allow=True)(2), (3,))
    assert inv.output == 5
    assert inv.replay() == inv


def test_an_entry_that_registers_itself_under_another_name_gets_ours() -> None:
    program = Program(
        "import enact\n@enact.register(name='x/y')\ndef solve(): return 1"
    )
    inv = enact.invoke(program.load(allow=True))
    assert inv.name == f"{program.module}:solve"
    assert inv.output == 1
    assert not inv.children


# --- out of what ran --------------------------------------------------------------

SHOP = """
    from __future__ import annotations

    import dataclasses
    import functools
    import math as maths
    import os.path
    from collections import Counter as Count, namedtuple

    import enact
    import prompts
    from prompts import STYLE as LOOK, clean as tidy

    LIMIT = 3
    TABLE = {"a": LIMIT}
    TABLE["b"] = LIMIT + 1
    Point = namedtuple("Point", "x y")

    @enact.register(name="programs/Order")
    @dataclasses.dataclass
    class Order:
        n: int = LIMIT

        def total(self) -> int:
            return helper(self.n)

    def traced(fn):
        @functools.wraps(fn)
        def wrapper(*args):
            return fn(*args)
        return wrapper

    @functools.cache
    def helper(n: int) -> int:
        return 1 if even(n) else 0

    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)

    @enact.register(name="programs/complete")
    def complete(prompt): return prompt.upper()

    @enact.register
    @traced
    def poem(topic: str, most: int = LIMIT) -> str:
        order = Order(maths.floor(Point(2.5, 1).x))
        words = tidy(complete(prompts.SYSTEM + topic) + LOOK)
        parts = words, order.total(), TABLE, Count("aa"), os.path.join("a", "b"), most
        return repr(parts)
"""
PROMPTS = """
    import re as regex
    SYSTEM = '''a
      poem '''
    STYLE = "-".join("xy")
    def clean(text): return regex.sub(" +", " ", text)
"""


def test_what_ran_is_a_program_of_its_own(load: Load) -> None:
    load(PROMPTS, "prompts")
    shop = load(SHOP)
    inv = enact.invoke(shop.poem, ("sea",))
    program = inv.program()
    assert program.entry == "poem"
    del sys.modules["shop"], sys.modules["prompts"]
    again = enact.invoke(program.load(allow=True), ("sea",))
    assert again.output == inv.output
    assert [view.name for view in again.children] == ["programs/complete"]
    assert again.program() == program
    assert "programs/Order" not in program.source


def test_the_program_has_the_code_of_the_function(load: Load) -> None:
    shop = load("""
        import enact, math
        LIMIT = 3
        def helper(n): return math.floor(n) + LIMIT

        @enact.register
        def f(n=LIMIT): return helper(n)
    """)
    inv = enact.invoke(shop.f)
    program = inv.program()
    assert program.source == (
        "import math\n\nLIMIT = 3\n\n"
        "def helper(n): return math.floor(n) + LIMIT\n\n"
        "def f(n=LIMIT): return helper(n)\n"
    )
    again = enact.invoke(program.load(allow=True))
    assert enact.source(again).code == enact.source(inv).code


def test_an_old_version_runs_beside_the_new_one(load: Load) -> None:
    text = "import enact\n@enact.register\ndef f(n): return n + 1"
    old = enact.invoke(load(text).f, (1,))
    new = enact.invoke(load(text.replace("+ 1", "+ 2")).f, (1,))
    assert old.program().load(allow=True)(1) == old.output == 2
    assert new.program().load(allow=True)(1) == new.output == 3


def test_a_call_below_has_a_program_as_well(load: Load) -> None:
    load(PROMPTS, "prompts")
    inv = enact.invoke(load(SHOP).poem, ("sea",))
    program = inv[0].program()
    assert program.entry == "complete"
    assert program.source.endswith("def complete(prompt): return prompt.upper()\n")


def test_a_lambda_is_a_program_by_its_name(load: Load) -> None:
    shop = load("import enact\nadd = enact.register(lambda n: n + 1, name='shop/add')")
    program = enact.invoke(shop.add, (1,)).program()
    assert (program.source, program.entry) == ("add = lambda n: n + 1\n", "add")


def test_nested_definitions_and_strings_stay_what_they_are(load: Load) -> None:
    shop = load('''
        import enact
        def make():
            @enact.register
            def f():
                return """one
            two"""
            return f
        f = make()
    ''')
    inv = enact.invoke(shop.f)
    assert inv.program().load(allow=True)() == inv.output == "one\n    two"


ALONE = {
    "captured": (
        "def make(n):\n    def f(): return n\n    return f\nf = make([1])",
        "captured as 'n'",
    ),
    "a default of its own": (
        "def make(n):\n    def f(x=n): return x\n    return f\nf = make([1])",
        "default",
    ),
    "a secret": ("KEY = enact.Secret('abcdefgh')\ndef f(): return KEY and 1", "'KEY'"),
    "a secret inside": ("def f(): return enact.Secret('abcdefgh') and 1", "secret"),
    "a method": (
        "class A:\n    def f(self=None): return 1\nf = A.f",
        "the class of the method 'A.f'",
    ),
    "a file": ("def f(): return __file__ and 1", "__file__"),
    "no source": (
        "exec('def f(): return 1', globals())",
        "the source of shop:f",
    ),
    "a helper without source": (
        "exec('def g(): return 1', globals())\ndef f(): return g()",
        "the source of shop:g",
    ),
    "two meanings": (
        "import one\nfrom two import both\ndef f(): return one.g() + both()",
        "one meaning of the name 'X'",
    ),
}


@pytest.mark.parametrize("kind", ALONE)
def test_what_cannot_run_on_its_own_says_what_is_missing(kind: str, load: Load) -> None:
    text, missing = ALONE[kind]
    load("X = 1\ndef g(): return X", "one")
    load("X = 2\ndef both(): return X", "two")
    shop = load(f"import enact\n{text}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inv = enact.invoke(enact.register(shop.f, name="programs/alone"))
    with pytest.raises(enact.NotSelfContained) as caught:
        inv.program()
    assert missing in str(caught.value)
    assert any(missing in what for what in caught.value.missing)


def test_registered_functions_are_found_by_name() -> None:
    with pytest.raises(enact.UnregisteredType):
        enact.registered("programs/nothing")
