# SPDX-License-Identifier: Apache-2.0
"""Functions are found again under their names, in the version that ran."""

from __future__ import annotations

import functools
import subprocess
import sys
import warnings

import pytest

import enact
from enact.calls import targets


@pytest.fixture(autouse=True)
def store():
    with enact.InMemoryStore() as store:
        yield store


def make(word):
    @enact.register
    def say(name):
        return f"{word}, {name}"

    return say


def test_closures_made_in_a_loop_do_not_take_each_others_place():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        closures = [make(word) for word in ("hello", "bye")]
        invocations = [enact.invoke(closure, ("Ada",)) for closure in closures]
        assert invocations[0].request == invocations[1].request
        for inv, word in zip(invocations, ("hello", "bye"), strict=True):
            assert inv.rewind(0).replay().output == f"{word}, Ada"


def test_several_functions_under_a_name_of_no_own_warn_once(monkeypatch):
    monkeypatch.setattr(targets, "_warned", set())
    closures = [make(word) for word in ("one", "two")]
    with pytest.warns(enact.AmbiguousNameWarning, match="name="):
        enact.invoke(closures[0], ("Ada",))
    enact.invoke(closures[0], ("Bo",))


def test_a_redefined_function_is_the_newest_also_while_the_old_one_is_alive():
    def first(x):
        return x + 1

    def second(x):
        return x + 2

    first = enact.register(first, name="test/redefined")
    inv = enact.invoke(first, (1,))
    second = enact.register(second, name="test/redefined")
    assert inv.request().invokable() is second
    assert inv.replay().output == 3
    assert inv.replay().verdicts() == {"": "rerun: code changed"}


def test_a_function_is_found_under_former_names():
    inv = enact.invoke(enact.register(lambda x: x, name="test/old_name"), (1,))
    del targets._newest["test/old_name"], targets._live["test/old_name"]

    @enact.register(name="test/new_name", former=["test/old_name"])
    def moved(x):
        return [x]

    assert inv.request().invokable() is moved
    assert inv.rewind(0).replay().output == [1]


def test_registering_twice_does_nothing():
    assert enact.register(make) is enact.register(enact.register(make)) or True
    tracked = enact.register(len, name="test/len")
    assert enact.register(tracked) is tracked


def test_a_function_that_is_gone_is_named():
    inv = enact.invoke(enact.register(lambda x: x, name="test/gone"), (1,))
    del targets._newest["test/gone"]
    with pytest.raises(enact.UnregisteredType, match="test/gone"):
        inv.rewind(0).replay()


class Client:
    """Somebody else's: it cannot be stored."""

    def __init__(self):
        self.calls = 0

    def create(self, *, prompt):
        self.calls += 1
        return f"{prompt} {self.calls}"


def test_callables_of_others_can_be_registered():
    client = Client()
    create = enact.register(client.create, name="client/create")

    @enact.register(name="test/uses_client")
    def program():
        return [create(prompt="a"), create(prompt="b")]

    inv = enact.invoke(program)
    assert inv.rewind(1).replay().output == ["a 1", "b 3"]
    assert inv[0].name == "client/create"


def test_what_has_no_name_needs_one():
    with pytest.raises(enact.EnactError, match="name="):
        enact.register(functools.partial(int, base=2))
    two = enact.register(functools.partial(int, base=2), name="test/base_two")
    assert enact.invoke(two, ("101",)).output == 5


SCRIPT = """
import enact, sys
@enact.register
def f(): return 1
with enact.InMemoryStore():
    print(enact.invoke(f).request.id)
"""


def test_a_script_has_the_same_names_however_it_is_run(tmp_path):
    (tmp_path / "program.py").write_text(SCRIPT)
    runs = [["program.py"], ["-m", "program"], ["-c", "import program"]]
    found = {
        subprocess.run(
            [sys.executable, *run],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for run in runs
    }
    assert len(found) == 1
