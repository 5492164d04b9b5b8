# SPDX-License-Identifier: Apache-2.0
"""What notebooks show: inert HTML of a limited size."""

from __future__ import annotations

import html.parser
import pathlib
import subprocess
import sys
import types

import pytest

import enact
from enact.render import Bar, is_watched

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></details><img src=x onerror=alert(1)>",
    "\" onclick='alert(1)' \x1b[31m \u202e",
    "&lt;b&gt;",
]


class Reader(html.parser.HTMLParser):
    """Notes tags, and sees that they are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert set(names) <= {"style", "open"}, names
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


@enact.register(name="notebook/say")
def say(text, *, output=None):
    if text == "fail":
        raise ValueError("<b>no</b>")
    return text


@enact.register(name="notebook/says")
def says(texts):
    return [say(text) for text in texts]


def shown(value):
    reader = Reader(value._repr_html_())
    assert set(reader.tags) <= {"div", "details", "summary", "code", "span", "pre"}
    return reader.text


def test_an_invocation_shows_its_calls():
    with enact.InMemoryStore() as store:
        inv = enact.invoke(says, (["sea", "salt" * 40],))
        text = shown(inv)
        assert "say('sea') = 'sea'" in text
        assert "salt" * 40 in text, "a long value is there as a whole"
        assert inv.ref.id in shown(inv.ref) and "say('sea')" in shown(inv.ref)
        run = store.runs()[0]
        assert run.id in shown(run) and "completed" in shown(run)


def test_what_a_store_holds_does_nothing_to_a_notebook():
    with enact.InMemoryStore() as store:
        inv = enact.invoke(says, (HOSTILE,))
        store.tag(HOSTILE[0], inv)
        for value in (inv, inv.ref, store.runs()[0], enact.commit(HOSTILE)):
            text = shown(value)
            assert HOSTILE[0] in text and "\x1b" not in text and "\u202e" not in text


def test_failures_and_questions_are_shown():
    @enact.register(name="notebook/asks")
    def asks():
        return enact.request_input(str, context="<i>?</i>")

    with enact.InMemoryStore():
        failed = enact.invoke(says, (["a", "fail"],), wrap_exceptions=True)
        text = shown(failed)
        assert "raised ValueError: <b>no</b>" in text and "test_notebook" in text
        assert "waits for an answer (str)" in shown(enact.invoke(asks))


def test_arguments_may_have_any_name():
    with enact.InMemoryStore():
        inv = enact.invoke(say, ("x" * 90,), {"output": "y" * 90})
        assert "x" * 90 in shown(inv) and "y" * 90 in shown(inv)


def test_credentials_are_not_shown():
    key = "sk-ant-" + "a1B2" * 8
    with enact.InMemoryStore():
        inv = enact.invoke(say, (key,))
        assert key not in shown(inv) and "[redacted" in shown(inv)


def test_what_is_large_is_cut_and_counted():
    with enact.InMemoryStore():
        many = enact.invoke(says, ([f"{n} " + "x" * 5000 for n in range(1000)],))
        page = many._repr_html_()
        assert len(page) < 300_000
        assert "950 more calls" in shown(many)
        assert "more characters" in shown(many)
        assert len(enact.commit("x" * 10**6)._repr_html_()) < 10_000


def test_what_is_missing_is_said():
    ref = enact.Ref.from_id(enact.InMemoryStore().commit("gone").id)
    with enact.InMemoryStore():
        assert "has no block" in shown(ref)


def test_a_search_shows_its_table():
    @enact.register(name="notebook/draw")
    def draw():
        return enact.random().randint(1, 6)

    result = enact.search.run(draw, score=float, strategy="best_of(n=4)")
    assert "best" in shown(result) and "stopped" in shown(result)


def test_nothing_is_shown_by_itself_and_nothing_is_imported_for_it(
    tmp_path: pathlib.Path,
):
    code = "import sys, enact; print([m for m in sys.modules if 'IPython' in m])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_text_stands_beside_the_html():
    with enact.InMemoryStore() as store:
        inv = enact.invoke(say, ("sea",))
        for shown_value in (inv, inv.ref, store.runs()[0]):
            found = shown_value._repr_mimebundle_()
            assert found["text/plain"] == repr(shown_value)
            assert found["text/html"] == shown_value._repr_html_()


def test_ipython_shows_html_and_text():
    shells = pytest.importorskip(
        "IPython.core.interactiveshell", reason="needs IPython"
    )
    shell = shells.InteractiveShell.instance()
    try:
        with enact.InMemoryStore():
            inv = enact.invoke(say, ("<b>sea",))
            data, _ = shell.display_formatter.format(inv)
        assert set(data) >= {"text/plain", "text/html"}
        assert "&lt;b&gt;sea" in data["text/html"]
    finally:
        shells.InteractiveShell.clear_instance()


def test_progress_in_a_notebook(monkeypatch):
    """A kernel of IPython: what is shown there is updated, and goes."""
    told = []

    class Handle:
        def update(self, html):
            told.append(html)

    display = types.SimpleNamespace(
        HTML=str, display=lambda html, display_id: told.append(html) or Handle()
    )
    shell = types.SimpleNamespace(kernel=object())
    fake = types.SimpleNamespace(get_ipython=lambda: shell, display=display)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert is_watched()
    bar = Bar("search", 10)
    bar.show("<3 of 10>", 3)
    bar.close()
    assert told[0] == "" == told[2]
    assert '<progress value="3" max="10">' in told[1] and "&lt;3 of 10&gt;" in told[1]
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert not is_watched()
