# SPDX-License-Identifier: Apache-2.0
"""Digests of code: what they see, what they ignore, what they cost."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
import subprocess
import sys
import textwrap
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from enact.calls.code import code_digest, parts, sources, syntax, uses

Load = Callable[..., Any]
SRC = Path(sources.__file__).parents[3]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Imports sources, each from a folder of its own."""
    numbers = itertools.count()
    names: set[str] = set()

    def load_module(source: str, name: str = "shop") -> Any:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        path = folder / f"{name}.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        names.add(name)
        spec.loader.exec_module(module)
        return module

    yield load_module
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def digest(load: Load) -> Callable[[str], str]:
    """Digest of ``f`` in a source."""
    return lambda source: code_digest(load(source).f)


# --- what a digest is -----------------------------------------------------------


def test_a_digest_is_128_bits_in_hex() -> None:
    digest = code_digest(test_a_digest_is_128_bits_in_hex)
    assert len(digest) == 32
    assert set(digest) <= set("0123456789abcdef")


def test_the_module_does_not_load_the_parser_on_import() -> None:
    # The packages around it import what they like: stand in for them.
    program = (
        "import sys, types\n"
        f"for name, path in ('enact', {str(SRC / 'enact')!r}),"
        f" ('enact.calls', {str(SRC / 'enact/calls')!r}):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "    sys.modules[name].__path__ = [path]\n"
        "before = set(sys.modules)\n"
        "from enact.calls.code import code_digest\n"
        "print({'ast', 'inspect', 'linecache', 'dis'} & (set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()", done.stderr


GOLDEN = '''
from __future__ import annotations

import asyncio
import dataclasses
import functools

PROMPT = "Be brief: é😀"
LIMITS = (3, -1.5, None, b"x", 2**70)


@dataclasses.dataclass
class Order:
    items: list[str]
    total: float = 0.0

    def price(self) -> float:
        return helper(self.total)


def helper(x):
    return x if x > LIMITS[0] else f_strings(x)


def f_strings(x, width=3):
    a = f"{x!r:>{width}} a" "b" f"{x=}{{}} {'q'}" f"" "é😀" f"{PROMPT}"
    return a, f"{x:}", f"plain", rf"\\d{x}", f"{x:%Y-{width}}", f"{x = }"


def nested(x):
    """Docstring."""
    count = 1

    def inner(step=x, *args, key=PROMPT, **kwargs):
        nonlocal count
        count += step
        return [i for i in range(count) if (last := i)], {**kwargs, "k": args}

    class Local(Order):
        def price(self):
            return super().price() + count

    return inner, Local


def matching(x):
    match x:
        case {"a": [1, *tail], **rest}:
            return tail, rest
        case Order(total=1.5 | -2 | 3j) as order if order:
            return order
        case None | "s" | b"x":
            pass
        case _:
            return LIMITS


first = lambda x, /, *, y=PROMPT: x + y; second = lambda x, /, *, y=PROMPT: x - y


async def asynchronous(x):
    async with asyncio.timeout(1), x as y:
        return [await z async for z in y if (w := z)]


def annotated(x: dict[str, Order] | None = None, *xs: int) -> "Order":
    big: int = 10**30
    try:
        del big
    except* ValueError as group:
        raise KeyError(group) from None
    return Order([])


def walrus(xs):
    while (n := len(xs)) > 1_000 and not (m := n % 0x10):
        xs = xs[1:-1:2]
    return n, m, lambda: (yield from xs)


@functools.lru_cache(maxsize=None)
def cached(x):
    return walrus(x)
'''

DIGESTS: dict[str, str] = {
    "f_strings": "1204abf91327520c3936d4364516094c",
    "nested": "fdf9c0079a002b75b72f3d549592d892",
    "matching": "0e4ed46af5b4e371b2d2ee542427aa6b",
    "first": "c2ca9d47ef4ede8c65a780ba4e1ff499",
    "second": "e8790ce97dbcf8eada794ce83c9d4dad",
    "asynchronous": "bf814189e23ce880b6ac330232aa5b4d",
    "annotated": "33bb470d3901e555e5b2bcd92d84c3a3",
    "walrus": "7feda30fcc725c0808d01428e88cada4",
    "cached": "356bcb7a89e125fb1b1ebdeaafd21fcf",
    "Order": "7b2ae4622cc2ab9bd0c5c3276bbffa66",
    "helper": "22e2cd9835fd2c88f2b618120f7074bc",
}


def test_digests_are_the_same_on_every_version_of_python(load: Load) -> None:
    module = load(GOLDEN, "golden")
    assert {name: code_digest(getattr(module, name)) for name in DIGESTS} == DIGESTS


# --- what it ignores ------------------------------------------------------------


PLAIN = """
def helper(x):
    return [x, "a b"]

def f(x, y=1):
    if x:
        return helper(x)
    return f"{x} and {y}"
"""


def test_comments_docstrings_and_layout_do_not_count(digest: Any) -> None:
    other = '''
    """A module."""
    import os


    def helper(
        x,
    ):
        "Helps."
        return [
            x,  # the thing
            'a'
            ' b',
        ]


    # Above.
    def f(x, y = 1):
        """Does f."""
        if (x): return (helper(x))
        pass
        return (f"{x} "
                "and"
                f" {y}")
    '''
    assert digest(PLAIN) == digest(other)


def test_an_unused_part_of_the_module_does_not_count(digest: Any) -> None:
    assert digest(PLAIN) == digest(PLAIN + "\nOTHER = 3\ndef g(): pass\n")


def test_the_decorator_that_registers_does_not_count(digest: Any) -> None:
    enact = (
        "class enact:\n    @staticmethod\n    def register(fn=None, **options):\n"
        "        return fn or (lambda fn: fn)\n"
    )
    plain = digest(enact + "def f():\n    return 1\n")
    assert digest(enact + "@enact.register\ndef f():\n    return 1\n") == plain
    assert digest(enact + "@enact.register(name='x')\ndef f(): return 1\n") == plain


def test_the_name_of_the_module_does_not_count(load: Load) -> None:
    assert code_digest(load(PLAIN, "a").f) == code_digest(load(PLAIN, "b").f)


def test_where_the_module_is_does_not_count(digest: Any) -> None:
    source = "import os\nHERE = os.path.dirname(__file__)\ndef f(): return HERE"
    assert digest(source) == digest(source)


# --- what it sees ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x + 1", "return x + 2"),
        ("return x + 1", "return x - 1"),
        ("return 1", "return 1.0"),
        ("return 1", "return True"),
        ("return 'a'", "return b'a'"),
        ("return f'{x}'", "return f'{x!r}'"),
        ("return f'{x}a'", "return f'{x}b'"),
        ("return '{x}'", "return f'{x}'"),
        ("return [x]", "return (x,)"),
        ("return {'a': 1, **x}", "return {**x, 'a': 1}"),
        ("return x.a", "return x.b"),
        ("if x:\n        return 1", "while x:\n        return 1"),
    ],
)
def test_a_change_of_the_source_is_seen(digest: Any, old: str, new: str) -> None:
    assert digest(f"def f(x):\n    {old}\n") != digest(f"def f(x):\n    {new}\n")


@pytest.mark.parametrize(
    "source",
    [
        "LIMIT = 3\ndef f(): return LIMIT",
        "LIMIT = int('3')\ndef f(): return LIMIT",
        "LIMITS = (1, ('a', 3))\ndef f(): return LIMITS",
        "def f(x=3): pass",
        "def f(*, x=3): pass",
        "def make(n):\n    def f(): return n\n    return f\nf = make(3)",
        "def make(n):\n    def f(): return n\n    return f\nf = make({'a': [3]})",
        "f = (lambda k: lambda: k)(3)",
        "def helper(): return 3\ndef f(): return helper()",
        "def far(): return 3\ndef near(): return far()\ndef f(): return near()",
        "def helper(x=3): pass\ndef f(): return helper()",
        "def make(n): return lambda: n\nhelper = make(3)\ndef f(): return helper()",
        "class A:\n    x = 3\ndef f(): return A()",
        "class A:\n    def go(self): return 3\nclass B(A): pass\ndef f(): return B()",
        "def helper(): return 3\nclass A:\n    go = helper\ndef f(): return A()",
        "TABLE = {'a': 3}\ndef f(): return TABLE",
        "TABLE = {}\nTABLE['a'] = 3\ndef f(): return TABLE",
        "TABLE = {}\nTABLE.update(a=3)\ndef f(): return TABLE",
        "N = 3\nTABLE = [N]\ndef f(): return TABLE",
        "class A:\n    def __init__(self, n): pass\nTHE = A(3)\ndef f(): return THE.x",
        "import functools\nh = functools.partial(print, 3)\ndef f(): h()",
        "import functools\n@functools.cache\ndef h(): return 3\ndef f(): h()",
        "import contextlib as c\n@c.contextmanager\ndef h(): yield 3\ndef f(): h()",
        "import functools\nf = functools.partial(print, 3)",
        "import functools\nf = functools.partial(print, end=3)",
        "class A:\n    def __call__(self): return 3\nf = A()",
        "class A:\n    def go(self): return 3\nf = A().go",
        "class A:\n    def go(self): return 3\n    def f(self): self.go()\nf = A().f",
        "class A:\n    n = 3\n    def f(self): return self.n\nf = A().f",
        (
            "class A:\n    @property\n    def n(self): return 3\n"
            "    def f(self): return self.n\nf = A().f"
        ),
        (
            "class A:\n    def go(self): return 3\nclass B(A):\n"
            "    def go(self): return super().go()\nf = B().go"
        ),
        "import re\ndef make(p):\n    return lambda: p\nf = make(re.compile('3'))",
        "def deco(n):\n    return lambda fn: fn\n@deco(3)\ndef f(): pass",
        "def deco(fn):\n    3\n    return fn if 3 else 0\n@deco\ndef f(): pass",
        "class Order:\n    n: int = 3\ndef f(x: Order): pass",
        "def helper(): return 3\nHELPERS = (helper,)\ndef f(): HELPERS[0]()",
        "import enum\nclass E(enum.Enum):\n    A = 3\nX = E.A\ndef f(): return E",
        "def helper(): return 3\ndef f(): return [helper() for helper in [helper]]",
    ],
)
def test_a_change_of_what_it_uses_is_seen(digest: Any, source: str) -> None:
    assert digest(source) == digest(source)
    assert digest(source) != digest(source.replace("3", "4"))


def test_a_constant_read_from_a_file_is_seen(load: Load, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    source = (
        "from pathlib import Path\n"
        f"PROMPT = Path({str(prompt)!r}).read_text()\n"
        "def f(): return PROMPT"
    )
    prompt.write_text("one")
    one = load(source).f
    prompt.write_text("two")
    assert code_digest(one) != code_digest(load(source).f)


@pytest.mark.parametrize(
    "use",
    [
        "import prompts\ndef f(): return prompts.SYSTEM",
        "import prompts as p\ndef f(): return p.render()",
        "from prompts import SYSTEM as S\ndef f(): return S",
        "from prompts import render\ndef f(): return render()",
        "from prompts import TABLE\ndef f(): return TABLE",
        "from prompts import *\ndef f(): return TABLE",
        "def make():\n    import prompts as p\n    return lambda: p.SYSTEM\nf = make()",
    ],
)
def test_what_it_uses_of_other_modules_is_seen(
    load: Load, digest: Any, use: str
) -> None:
    prompts = "SYSTEM = 'x'\nTABLE = ['x']\ndef render(): return 'x'\n"
    load(prompts, "prompts")
    old = digest(use)
    load(prompts, "prompts")
    assert digest(use) == old
    load(prompts.replace("'x'", "'y'"), "prompts")
    assert digest(use) != old


def test_a_redefined_helper_is_seen_though_all_was_remembered(load: Load) -> None:
    module = load("def helper(): return 1\ndef f(): return helper()\nLIMIT = 1\n")
    old = code_digest(module.f)
    first = module.helper
    module.helper = load("def helper(): return 2", "other").helper
    assert code_digest(module.f) != old
    module.helper = first
    assert code_digest(module.f) == old


def test_a_rebound_constant_is_seen_though_all_was_remembered(load: Load) -> None:
    module = load("LIMIT = 1\ndef g(): return LIMIT\ndef f(): return g()\n")
    old = code_digest(module.f)
    module.LIMIT = 2
    assert code_digest(module.f) != old


def test_state_that_functions_assign_to_counts_by_its_source(load: Load) -> None:
    module = load(
        """
        count = 0
        def step():
            global count
            count += 1
        def f(): return count
        """
    )
    old = code_digest(module.f)
    module.step()
    assert code_digest(module.f) == old


def test_values_of_different_types_have_different_digests() -> None:
    def make(value: object) -> Callable[[], object]:
        return lambda: value

    values = [1, 1.0, True, "1", b"1", None, (1,), [1], {1}, {1: 1}, -0.0, 0.0, 1j]
    assert len({code_digest(make(value)) for value in values}) == len(values)


def test_other_captured_objects_count_by_their_type(load: Load) -> None:
    module = load(
        """
        class Client:
            pass
        def make(client):
            return lambda: client
        one, two, three = make(Client()), make(Client()), make(object())
        """
    )
    assert code_digest(module.one) == code_digest(module.two)
    assert code_digest(module.one) != code_digest(module.three)


def test_captured_functions_count_by_their_own_code(load: Load) -> None:
    module = load(
        """
        def make(fn):
            return lambda: fn()
        a, b, c = make(lambda: 1), make(lambda: 1), make(lambda: 2)
        """
    )
    assert code_digest(module.a) == code_digest(module.b)
    assert code_digest(module.a) != code_digest(module.c)


def test_sets_do_not_depend_on_their_order() -> None:
    def make(value: object) -> Callable[[], object]:
        return lambda: value

    one = {str(i) for i in range(100)}
    two = {str(i) for i in reversed(range(100))}
    assert code_digest(make(one)) == code_digest(make(two))


# --- registered functions, and the world outside --------------------------------


REGISTERED = """
import functools
class Target:
    def __init__(self, fn): self.fn, self.name = fn, "shop:" + fn.__name__
def register(fn):
    @functools.wraps(fn)
    def wrapper(*args): return fn(*args)
    wrapper.__enact_target__ = Target(fn)
    return wrapper
@register
def inner(): return 1
@register
def f(): return inner()
def make(g):
    return lambda: g()
h = make(inner)
"""


def test_a_registered_function_counts_by_its_own_source(load: Load) -> None:
    module = load(REGISTERED)
    plain = load(REGISTERED).f.__wrapped__
    assert code_digest(module.f) == code_digest(plain)
    assert code_digest(module.f) != code_digest(module.inner)


def test_registered_callees_count_by_name_only(load: Load) -> None:
    old, same = load(REGISTERED), load(REGISTERED.replace("return 1", "return 2"))
    renamed = load(REGISTERED.replace("inner", "outer"))
    assert code_digest(old.f) == code_digest(same.f)
    assert code_digest(old.h) == code_digest(same.h)
    assert code_digest(old.h) != code_digest(renamed.h)
    assert code_digest(old.inner) != code_digest(same.inner)


def test_installed_packages_count_by_name_only(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(fold: str, body: str) -> str:
        library = types.ModuleType("somelib")
        file = f"/x/{fold}/somelib/__init__.py"
        exec(compile(f"def go(): return {body}", file, "exec"), library.__dict__)
        library.__file__ = file
        monkeypatch.setitem(sys.modules, "somelib", library)
        return code_digest(load("from somelib import go\ndef f(): return go()").f)

    assert digest("a/site-packages", "1") == digest("b/dist-packages", "2")
    assert digest("a/src", "1") != digest("a/src", "2")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports one module out of packages that are in a folder of the given name."""
    numbers = itertools.count()

    def install_packages(folder: str, sources: dict[str, str], name: str) -> Any:
        root = tmp_path / f"installed-{next(numbers)}" / folder
        for file, source in sources.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        for known in {file.partition("/")[0].partition(".")[0] for file in sources}:
            for module in [m for m in sys.modules if m.partition(".")[0] == known]:
                monkeypatch.delitem(sys.modules, module)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(root))
            return importlib.import_module(name)

    yield install_packages
    for module in [m for m in sys.modules if m.partition(".")[0] in ("app", "lib")]:
        del sys.modules[module]


APP = {
    "lib.py": """
        import functools
        LIMIT = 1
        def helper(): return LIMIT
        def retry(fn):
            @functools.wraps(fn)
            def again(*args): return LIMIT and fn(*args)
            return again
    """,
    "app/__init__.py": "",
    "app/prompts.py": "SYSTEM = 'x'\ndef render(): return 'x'\n",
    "app/main.py": """
        import contextlib
        import functools
        import lib
        from app import prompts
        from .prompts import render
        class Order:
            size = 2
            def go(self): return Order, prompts.SYSTEM
            def __call__(self): return self.size
        def make(module, fn, size):
            return lambda: (module.SYSTEM, fn(), size)
        def far(): return prompts.SYSTEM, 2
        def f(): return Order().go(), far(), render(), lib.helper()
        captured = make(prompts, render, 2)
        partial = functools.partial(far, 2)
        cached = functools.cache(far)
        method, instance = Order().go, Order()
        retried = lib.retry(far)
        managed = contextlib.contextmanager(far)
    """,
}
ROOTS = (
    "f",
    "captured",
    "partial",
    "cached",
    "method",
    "instance",
    "Order",
    "retried",
    "managed",
)


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_an_installed_program_has_the_digests_of_its_source_tree(
    install: Load, folder: str
) -> None:
    lib = {"lib.py": APP["lib.py"]}
    app = {name: source for name, source in APP.items() if name not in lib}
    install("site-packages", lib, "lib")
    module = install("src", app, "app.main")
    digests = {root: code_digest(getattr(module, root)) for root in ROOTS}
    module = install(folder, app, "app.main")
    assert {root: code_digest(getattr(module, root)) for root in ROOTS} == digests


@pytest.mark.parametrize("root", ROOTS)
def test_an_installed_program_counts_by_its_source(install: Load, root: str) -> None:
    def digest(sources: dict[str, str]) -> str:
        return code_digest(getattr(install("site-packages", sources, "app.main"), root))

    main, prompts, lib = "app/main.py", "app/prompts.py", "lib.py"
    assert digest(APP) == digest(APP | {lib: APP[lib].replace("1", "3")})
    assert digest(APP) != digest(APP | {main: APP[main].replace("2", "3")})
    if root != "instance":
        assert digest(APP) != digest(
            APP | {prompts: APP[prompts].replace("'x'", "'y'")}
        )


def test_one_function_is_part_of_several_programs(install: Load) -> None:
    # `far` is of the program `app`, and not of `lib`, that was given it.
    module = install("site-packages", APP, "app.main")
    lib = sys.modules["lib"]
    lib.far = module.far  # type: ignore[attr-defined]
    exec(compile("def use(): return far()", str(lib.__file__), "exec"), lib.__dict__)
    old = code_digest(lib.use), code_digest(module.f)  # type: ignore[attr-defined]
    module.far.__code__ = (lambda: 3).__code__
    assert code_digest(lib.use) == old[0]  # type: ignore[attr-defined]
    assert code_digest(module.f) != old[1]


def test_the_standard_library_counts_by_name_only(digest: Any) -> None:
    one = digest("from json import dumps as go\ndef f(): return go(1)")
    two = digest("from json import loads as go\ndef f(): return go(1)")
    assert one != two


def test_builtins_have_digests() -> None:
    assert code_digest(len) == code_digest(len)
    digests = {code_digest(fn) for fn in (len, abs, str.upper, int, print)}
    assert len(digests) == 5
    assert code_digest("a".upper) == code_digest("b".upper)


def test_bound_methods_are_their_function(load: Load) -> None:
    module = load("class A:\n    def f(self): return 1\n")
    assert code_digest(module.A().f) == code_digest(module.A.f)


def test_a_callable_object_that_answers_to_every_name_has_a_digest() -> None:
    class Answers:
        def __getattr__(self, name: str) -> object:
            return self

        def __call__(self) -> object:
            return None

    assert code_digest(Answers()) == code_digest(Answers())


def test_methods_of_a_class_that_is_not_used_elsewhere_stay_apart(load: Load) -> None:
    source = "class A:\n    def f(self): return 1\n    def g(self): return {}\n"
    one, two = load(source.format(1)).A, load(source.format(2)).A
    assert code_digest(one.f) == code_digest(two.f)
    assert code_digest(one) != code_digest(two)


def test_objects_that_lie_about_their_class_have_a_digest() -> None:
    from unittest import mock

    liar = mock.Mock(spec=lambda: None)
    assert code_digest(lambda: liar) == code_digest(lambda: liar)


# --- lambdas, recursion, no source ----------------------------------------------


def test_lambdas_on_one_line_are_told_apart() -> None:
    # fmt: off
    fns: list[Any] = [lambda: 1, lambda: 2, lambda: "a", lambda x: x + 1, lambda x: x - 1, lambda: (1, 2), lambda: lambda: 3, lambda x: x if x else 0]  # noqa: E501
    # fmt: on
    fns.append(fns[6]())
    assert len({code_digest(fn) for fn in fns}) == len(fns)
    assert all(parts.part_of(fn).found for fn in fns)


def test_the_place_of_a_lambda_does_not_count() -> None:
    one, two = (lambda x: x + 1, lambda x: x - 1)
    three = lambda x: x + 1  # noqa: E731
    assert code_digest(one) == code_digest(three) != code_digest(two)


def test_lambdas_are_told_apart_where_there_are_no_positions(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from enact.calls.code import code_digest as d\n"
        "a, b, c = lambda x: x + 1, lambda x: x - 1, lambda y: y\n"
        "print(len({d(a), d(b), d(c)}))"
    )

    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", str(program)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SRC)},
    )
    assert done.stdout == "3\n", done.stderr


def test_recursion_ends() -> None:
    assert code_digest(_even) != code_digest(_odd)


def _even(n: int) -> bool:
    return n == 0 or _odd(n - 1)


def _odd(n: int) -> bool:
    return n != 0 and _even(n - 1)


def test_recursion_through_captured_values_ends() -> None:
    def make(end: int) -> Callable[[int], int]:
        def down(n: int) -> int:
            return up(n - 1) if n else end

        def up(n: int) -> int:
            return down(n)

        return down

    values: list[object] = []
    values.append(values)
    assert code_digest(make(1)) == code_digest(make(1)) != code_digest(make(2))
    assert code_digest(lambda: values) == code_digest(lambda: values)


def test_any_number_of_closures_around_closures_have_a_digest() -> None:
    def wrap(one: object, two: object) -> Callable[[], object]:
        return lambda: (one, two)

    def stack(fn: object) -> Callable[[], object]:
        for _ in range(1000):
            fn = wrap(fn, fn)
        return fn  # type: ignore[return-value]

    assert code_digest(stack(1)) == code_digest(stack(1)) != code_digest(stack(2))


def test_classes_and_functions_that_use_each_other_end(digest: Any) -> None:
    source = "class A:\n    def go(self): return f(), A\ndef f(): return A().go()\n"
    assert digest(source) == digest(source)


def _executed(source: str, **names: object) -> Any:
    space: dict[str, Any] = dict(names)
    exec(source, space)
    return space["f"]


def test_functions_without_source_have_digests() -> None:
    digests = [
        code_digest(_executed(source))
        for source in (
            "def f(x): return x + 1",
            "def f(x): return x - 1",
            "def f(y): return y + 1",
            "def f(x): return x + 2",
            "def f(x): return x + len(x)",
            "LIMIT = 1\ndef f(x): return x + LIMIT",
            "LIMIT = 2\ndef f(x): return x + LIMIT",
            "def f(x, y=1): return x + 1",
            "def g(): return 1\ndef f(x): return g()",
            "def g(): return 2\ndef f(x): return g()",
        )
    ]
    assert len(set(digests)) == len(digests)
    again = code_digest(_executed("\n\ndef f(x): return x + 1"))
    assert again == digests[0]


def test_a_source_that_does_not_fit_is_not_believed(load: Load) -> None:
    module = load("def f(x):\n    return x\n")
    Path(str(module.__file__)).write_text("def f(y):\n    return 1\n")
    assert not parts.part_of(module.f).found


def test_a_source_that_was_edited_after_its_import_is_not_believed(load: Load) -> None:
    module = load("def f(x):\n    return x\nclass A:\n    def go(self): return x\n")
    path = Path(str(module.__file__))
    path.write_text(path.read_text().replace("return x", "return 1"))
    assert not parts.part_of(module.f).found
    assert not parts.part_of(module.A).found


def test_sources_of_notebook_cells_are_found() -> None:
    import linecache

    source = "def f(x):\n    return x + 1  # {}\n"
    digests = set()
    for cell in range(2):
        text, file = source.format(cell), f"<cell {cell}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, file, "exec"), space)
        assert parts.part_of(space["f"]).found
        digests.add(code_digest(space["f"]))
        del linecache.cache[file]
    assert len(digests) == 1


def test_wrappers_of_the_standard_library_lead_to_what_they_wrap() -> None:
    @functools.lru_cache
    def one() -> int:
        return 1

    @functools.lru_cache
    def two() -> int:
        return 2

    assert code_digest(one) != code_digest(two)


# --- cost -----------------------------------------------------------------------


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were parsed."""
    files: list[str] = []
    parse = sources._parse

    def count(source: str, file: str, young: bool) -> Any:
        files.append(Path(file).name)
        return parse(source, file, young)

    monkeypatch.setattr(sources, "_parse", count)
    return files


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Trees that were walked."""
    nodes: list[object] = []
    digest = syntax.syntax_digest

    def count(node: Any) -> str:
        nodes.append(node)
        return digest(node)

    monkeypatch.setattr(syntax, "syntax_digest", count)
    return nodes


def test_closures_made_in_a_loop_are_read_once(
    load: Load, parses: list[str], walks: list[object]
) -> None:
    module = load(
        """
        def helper(x): return x
        def make(n):
            return lambda x: (helper(x), n)
        """
    )
    digests = {code_digest(module.make(n)) for n in range(10_000)}
    assert len(digests) == 10_000
    assert parses == ["shop.py"]
    assert len(walks) == 2


def test_a_module_is_parsed_once_for_all_its_functions(
    load: Load, parses: list[str]
) -> None:
    module = load("\n".join(f"def f{i}(): return f{i // 2}" for i in range(500)))
    assert len({code_digest(getattr(module, f"f{i}")) for i in range(500)}) == 500
    assert parses == ["shop.py"]


def test_what_is_remembered_goes_with_the_code() -> None:
    import gc

    gc.collect()
    before = len(parts._parts), len(uses._known)
    for n in range(50):
        code_digest(_executed(f"def g(): return f\ndef f(x): return f, g, {n}"))
    gc.collect()
    assert len(parts._parts) <= before[0] + 2
    assert len(uses._known) <= before[1] + 2


def test_threads_get_the_same_digests(load: Load) -> None:
    module = load("\n".join(f"def f{i}(): return f{i // 2}" for i in range(100)))
    found: list[list[str]] = []

    def work() -> None:
        found.append([code_digest(getattr(module, f"f{i}")) for i in range(100)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(digests == found[0] for digests in found)
