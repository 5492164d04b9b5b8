# SPDX-License-Identifier: Apache-2.0
"""Sources: what is kept of the code that ran, and how versions differ."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import enact
from enact.calls import listing
from tests.modules import Load, loading, run_apart

SHOP = """
    import dataclasses
    import enact

    PROMPT = "A line about {}:"  # what the model reads
    SIZES = [1, 2]
    SIZES.append(3)

    @dataclasses.dataclass
    class Line:
        text: str

    def clean(text):
        return text.strip()

    def cleaner(text):
        return clean(clean(text))

    @enact.register
    def complete(prompt):
        return prompt.upper()

    @enact.register
    def poem(topic):
        # a comment
        return cleaner(Line(complete(PROMPT.format(topic))).text) + clean(str(SIZES))
"""


@pytest.fixture(autouse=True)
def store() -> Iterator[enact.Store]:
    with enact.InMemoryStore() as store:
        yield store


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    with loading(tmp_path) as load:
        yield load


def sources(store: enact.Store) -> dict[str, str]:
    return store.backend.entries("source")


def everything(store: enact.Store) -> str:
    """All that a store in memory has, as text."""
    backend: Any = store.backend
    return repr((backend._blocks, backend._entries))


# --- what is kept -----------------------------------------------------------------


def test_the_source_is_that_of_the_version_that_ran(load: Load) -> None:
    first = enact.invoke(load(SHOP).poem, ("sea",))
    second = enact.invoke(load(SHOP.replace("upper", "lower")).poem, ("sea",))
    assert "prompt.upper()" in enact.source(first[0]).text
    assert "prompt.lower()" in enact.source(second[0]).text
    assert enact.source(first) == enact.source(second)  # it calls another, by name


def test_a_source_has_what_the_function_uses_each_once(load: Load) -> None:
    inv = enact.invoke(load(SHOP).poem, ("sea",))
    source = enact.source(inv)
    assert source.name == "shop:poem"
    assert source.code == inv.response.checkout().code
    assert source.text.startswith("@enact.register\ndef poem(topic):\n    # a comment")
    assert source.parts == {
        "shop:clean": "def clean(text):\n    return text.strip()",
        "shop:cleaner": "def cleaner(text):\n    return clean(clean(text))",
        "shop:Line": "@dataclasses.dataclass\nclass Line:\n    text: str",
        "shop:PROMPT": 'PROMPT = "A line about {}:"',
        "shop:SIZES": "SIZES = [1, 2]\nSIZES.append(3)",
    }
    assert all(text in str(source) for text in (source.text, *source.parts.values()))


def test_names_are_followed_into_other_modules_of_the_project(load: Load) -> None:
    load("STYLE = 'plain'\ndef join(a, b): return a + b", "prompts")
    shop = load("""
        import enact, prompts
        from prompts import STYLE as LOOK

        @enact.register
        def f(x):
            return prompts.join(x, LOOK)
    """)
    assert enact.source(shop.f).parts == {
        "prompts:STYLE": "STYLE = 'plain'",
        "prompts:join": "def join(a, b): return a + b",
    }


def test_what_is_part_of_another_text_is_no_part_of_its_own(load: Load) -> None:
    shop = load("""
        import enact
        class Till:
            def add(self, n): return self.twice(n)
            def twice(self, n): return 2 * n

        half = lambda n: n / 2

        def make():
            def inner(n): return n
            return inner
        made = make()

        @enact.register
        def f(n): return half(made(Till().add(n)))

        enact.register(Till.add, name="sources/add")
    """)
    parts = enact.source(shop.f).parts
    assert set(parts) == {"shop:make", "shop:made", "shop:half", "shop:Till"}
    assert parts["shop:half"] == "half = lambda n: n / 2"
    of_a_method = enact.source(enact.registered("sources/add"))
    assert list(of_a_method.parts) == ["shop:Till.twice"]


def test_closures_of_one_name_each_have_their_version_in_one_run(load: Load) -> None:
    shop = load("""
        import enact
        def make(n):
            @enact.register
            def add(x): return x + n
            return add

        @enact.register
        def adds(): return [make(n)(1) for n in range(3)]
    """)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they share a name
        inv = enact.invoke(shop.adds)
    assert inv.output == [1, 2, 3]
    assert len({enact.source(view).code for view in inv.children}) == 3


def test_equal_code_has_the_name_of_the_function_that_was_called(load: Load) -> None:
    text = "import enact\n@enact.register\ndef f(n): return n"
    one = enact.invoke(load(text, "one").f, (1,))
    two = enact.invoke(load(text, "two").f, (1,))
    assert enact.source(one).code == enact.source(two).code
    assert (enact.source(one).name, enact.source(two).name) == ("one:f", "two:f")


def test_a_constant_that_was_computed_is_kept_by_value(load: Load) -> None:
    shop = load("""
        import enact
        WORDS = tuple("a b".split())

        @enact.register
        def f(): return WORDS
    """)
    assert enact.source(shop.f).parts == {"shop:WORDS": "WORDS = ('a', 'b')"}


def test_a_source_is_written_once_for_all_runs(
    store: enact.Store, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    poem = load(SHOP).poem
    enact.invoke(poem, ("sea",))
    kept = sources(store)
    assert sorted(json.loads(text)["name"] for text in kept.values()) == [
        "shop:complete",
        "shop:poem",
    ]
    read: list[object] = []
    monkeypatch.setattr(listing, "source_of", read.append)
    enact.invoke(poem, ("hill",))
    store.sources.clear()  # type: ignore[union-attr]  # as in another process
    enact.invoke(poem, ("wood",))
    assert sources(store) == kept
    assert not read


def test_the_entries_of_a_run_are_written_together_when_it_ends(
    store: enact.Store, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = store.backend.write_entries

    def note(kind: str, entries: Mapping[str, str]) -> None:
        written.append(len(entries))
        write(kind, entries)

    monkeypatch.setattr(store.backend, "write_entries", note)
    enact.invoke(load(SHOP).poem, ("sea",))
    assert written == [2]
    monkeypatch.setattr(listing, "WAIT", -1.0)  # as in a run that goes on for long
    enact.invoke(
        load(SHOP.replace("A line", "B").replace("upper", "lower")).poem, ("",)
    )
    assert written == [2, 2]
    text = SHOP + "\n    @enact.register\n    def more(x): return poem(x)\n"
    text = text.replace("A line", "C").replace("upper", "title")
    enact.invoke(load(text).more, ("",))
    assert written == [2, 2, 2, 1]


def test_entries_that_could_not_be_written_are_written_by_the_next_run(
    store: enact.Store, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(kind: str, entries: object) -> None:
        raise enact.StoreUnavailable("full")

    poem = load(SHOP).poem
    with monkeypatch.context() as patch:
        patch.setattr(store.backend, "write_entries", fail)
        with pytest.raises(enact.StoreUnavailable):
            enact.invoke(poem, ("sea",))
    assert not sources(store)
    enact.invoke(poem, ("sea",))
    assert len(sources(store)) == 2


def test_a_program_can_read_its_own_source_while_it_runs(load: Load) -> None:
    shop = load("""
        import enact
        @enact.register
        def f(n): return n

        @enact.register
        def g(n):
            return enact.source(enact.invoke(f, (n,))).text
    """)
    assert enact.invoke(shop.g, (1,)).output.endswith("def f(n): return n")


def test_an_entry_whose_block_was_lost_is_written_again(
    store: enact.Store, load: Load
) -> None:
    poem = load(SHOP).poem
    code = enact.source(poem).code
    lost = json.dumps(
        {"name": "shop:poem", "ref": enact.Ref(b"\1q\x12 " + b"0" * 32).id}
    )
    assert store.backend.swap("source", code, None, lost)
    assert enact.source(enact.invoke(poem, ("sea",))).text
    assert sources(store)[code] != lost


def test_a_run_that_leaves_the_store_alone_reads_no_sources(
    store: enact.Store, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(listing, "source_of", read.append)
    enact.invoke(load(SHOP).poem, ("sea",), commit=False)
    assert not read
    assert not sources(store)


def test_another_process_reads_sources_without_the_program(
    tmp_path: Path, load: Load
) -> None:
    with enact.SQLiteStore(tmp_path / "runs.db") as kept:
        kept.tag("poem", enact.invoke(load(SHOP).poem, ("sea",)))
        kept.close()
    printed = run_apart(
        """
        import sys, enact
        with enact.SQLiteStore(sys.argv[1]) as store:
            print(enact.source(store["poem"])), print(enact.source(store["poem"][0]))
        store.close()
        """,
        tmp_path / "runs.db",
    )
    assert "def poem" in printed
    assert "def clean" in printed
    assert "def complete" in printed


def test_a_function_without_source_says_so() -> None:
    space: dict[str, Any] = {"__name__": "typed"}
    exec("def f(x): return x", space)
    inv = enact.invoke(enact.register(space["f"], name="typed/f"), (1,))
    assert enact.source(inv).text == ""
    assert "the source of typed:f" in str(enact.source(inv))
    largest = enact.register(max, name="builtin/max")
    assert "builtin" in str(enact.source(enact.invoke(largest, (1, 2))))


def test_what_cannot_be_read_does_not_stop_the_recording(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fn: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(listing, "list_sources", fail)
    inv = enact.invoke(load(SHOP).poem, ("sea",))
    assert inv.status == "completed"
    assert "RuntimeError: odd" in str(enact.source(inv))


def test_the_source_of_an_invokable_is_that_of_its_call(load: Load) -> None:
    shop = load("""
        import dataclasses, enact

        @enact.register
        @dataclasses.dataclass
        class Greet(enact.Invokable[str, str]):
            word: str = "Hello"

            def call(self, name: str) -> str:
                return f"{self.word} {name}"
    """)
    inv = enact.invoke(shop.Greet(), ("Ada",))
    assert enact.source(inv).text.startswith("def call(self, name: str)")
    assert enact.source(inv) == enact.source(shop.Greet) == enact.source(shop.Greet())


def test_a_source_that_is_not_there_is_an_error_that_names_it(
    tmp_path: Path, load: Load
) -> None:
    inv = enact.invoke(load(SHOP).poem, ("sea",))
    load(SHOP.replace("cleaner(", "clean("))
    with enact.InMemoryStore() as elsewhere:
        ref = elsewhere.commit(inv)
    with elsewhere, pytest.raises(enact.SourceNotStored, match="shop:poem"):
        enact.source(ref.checkout())


def test_sources_are_the_same_on_every_version_of_python(load: Load) -> None:
    source = enact.source(load(SHOP).poem)
    assert source.code == "a3e608ee2ad08de10ee7ecd7c62b3e01"
    assert (
        enact.resource_digest(source)
        == "cc5f071f5f2a9305cbaa4a1455d5ee86bac64024871a469116dffe784deb3edd"
    )


# --- secrets ----------------------------------------------------------------------

KEY = "correct horse battery staple"

SECRETS = {
    "a constant": f'SECRET = enact.Secret("{KEY}")\ndef f(): return SECRET and 1',
    "made of a constant": (
        f'RAW = "{KEY}"\nS = enact.Secret(RAW)\ndef f(): return S and 1'
    ),
    "made of one elsewhere": (
        f'RAW = "{KEY}"\ndef g(): return enact.Secret(RAW)\ndef f(): return len(RAW)'
    ),
    "in a list": f'ALL = [enact.Secret("{KEY}")]\ndef f(): return len(ALL)',
    "in the body": f'def f(): return len([enact.Secret[str]("{KEY}")])',
    "a default": f'def f(key=enact.Secret("{KEY}")): return 1',
    "in an f-string": f"def f(): return f\"{{enact.Secret('{KEY}')}}\"",
    "nested": f'def f(): return 1 or enact.Secret(enact.Secret("{KEY}"))',
    "captured": (
        f"def make(key):\n    def f(): return key and 1\n    return f\n"
        f'f = make(enact.Secret("{KEY}"))'
    ),
    "by name": f'API_KEY = "{KEY}"\ndef f(): return len(API_KEY)',
    "of the environment": (
        'import os\nPLACE = os.environ["SHOP"]\ndef f(): return PLACE'
    ),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_not_in_sources(
    kind: str, store: enact.Store, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{KEY} {kind}"  # else it is known from the case before
    monkeypatch.setenv("SHOP", key)
    shop = load(f"import enact\n{SECRETS[kind].replace(KEY, key)}\n")
    fn = enact.register(shop.f, name="secrets/f")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inv = enact.invoke(fn)
    source = enact.source(inv)
    assert "def f" in source.text or "in an f-string" in kind
    assert key not in str(source) + repr(source)
    backend: Any = store.backend
    blocks = [data for data in backend._blocks.values() if b"enact/Source" in data]
    assert blocks
    assert not [data for data in blocks if key.encode() in data]


# --- differences ------------------------------------------------------------------


def test_a_difference_shows_what_changed_and_nothing_else(load: Load) -> None:
    first = enact.invoke(load(SHOP).poem, ("sea",))
    changed = SHOP.replace("upper", "lower").replace("A line", "Two lines")
    second = enact.invoke(load(changed).poem, ("sea",))
    assert enact.code_diff(first, second) == textwrap.dedent("""\
        --- shop:PROMPT (before)
        +++ shop:PROMPT (after)
        @@ -1 +1 @@
        -PROMPT = "A line about {}:"
        +PROMPT = "Two lines about {}:"
        --- shop:complete (before)
        +++ shop:complete (after)
        @@ -1,3 +1,3 @@
         @enact.register
         def complete(prompt):
        -    return prompt.upper()
        +    return prompt.lower()""")
    assert enact.code_diff(first, first) == ""
    assert enact.code_diff(second, second) == ""


def test_a_helper_that_several_functions_use_is_shown_once(load: Load) -> None:
    text = """
        import enact
        def helper(x): return x

        @enact.register
        def one(x): return helper(x)

        @enact.register
        def two(x): return helper(x) + one(x)
    """
    first = enact.invoke(load(text).two, (1,))
    second = enact.invoke(load(text.replace("return x", "return -x")).two, (1,))
    assert enact.code_diff(first, second).count("-x") == 1


def test_without_another_invocation_the_code_of_now_is_compared(load: Load) -> None:
    inv = enact.invoke(load(SHOP).poem, ("sea",))
    assert enact.code_diff(inv) == ""
    load(SHOP.replace("strip", "rstrip"))
    difference = enact.code_diff(inv)
    assert "+    return text.rstrip()" in difference
    assert "shop:clean (now)" in difference
    assert "complete" not in difference


def test_functions_that_only_one_execution_used_are_shown_whole(load: Load) -> None:
    shop = load(SHOP)
    difference = enact.code_diff(
        enact.invoke(shop.complete, ("a",)), enact.invoke(shop.poem, ("a",))
    )
    assert "--- shop:poem (not used)" in difference
    assert "shop:complete" not in difference


def test_versions_that_differ_in_what_they_captured_are_said_to(load: Load) -> None:
    shop = load("""
        import enact
        def make(n):
            def add(x): return x + n
            return enact.register(add)
    """)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the two share a name
        invs = [enact.invoke(shop.make(n), (1,)) for n in (1, 2)]
    assert "captured" in enact.code_diff(*invs)


def test_a_difference_needs_the_sources(load: Load) -> None:
    inv = enact.invoke(load(SHOP).poem, ("sea",))
    load(SHOP.replace("strip", "rstrip"))
    with enact.InMemoryStore() as elsewhere:
        copy = elsewhere.commit(inv).checkout()
    with elsewhere, pytest.raises(enact.SourceNotStored):
        enact.code_diff(copy)
