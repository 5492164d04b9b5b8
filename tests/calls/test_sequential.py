# SPDX-License-Identifier: Apache-2.0
"""Recording, rewinding, editing and replaying of sequential programs."""

from __future__ import annotations

import dataclasses

import pytest

import enact

RAN: list[object] = []
# What programs depend on without a record of it.
SEEN: list[object] = []


@pytest.fixture(autouse=True)
def fresh():
    RAN.clear()


@pytest.fixture
def store():
    with enact.InMemoryStore() as store:
        yield store


@enact.register
def leaf(x, **options):
    RAN.append(x)
    return f"{x}:{len(RAN)}"


@enact.register
def pair(a, b):
    return [leaf(a), leaf(b)]


@enact.register
def tree(x):
    first = pair(x, x)
    second = pair(first[0], "y")
    return first + second


def test_a_registered_function_just_runs_outside_an_invocation():
    assert leaf("a") == "a:1"


def test_an_invocation_needs_a_store():
    with pytest.raises(enact.contexts.NoActiveContext, match="with enact"):
        enact.invoke(leaf, (1,))


def test_calls_become_children(store):
    inv = enact.invoke(tree, ("a",))
    assert inv.status == "completed" and inv.successful()
    assert inv.output == ["a:1", "a:2", "a:1:3", "y:4"] == inv.get_output()
    assert [child.input.args for child in inv.children] == [["a", "a"], ["a:1", "y"]]
    assert inv[1, 0].output == "a:1:3" == inv.at("1/0").output
    assert inv[-1].path == (1,)
    assert inv.request().invokable() is tree
    assert inv.response().is_complete()
    assert [view.path for view in inv.find(leaf)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len(list(inv.walk())) == 7


def test_keyword_arguments_are_sorted_only_where_order_says_nothing(store):
    @enact.register(name="test/plain_kwargs")
    def plain(*, b, aa):
        return 0

    one = enact.invoke(plain, (), {"b": 1, "aa": 2})
    two = enact.invoke(plain, (), {"aa": 2, "b": 1})
    assert one.request == two.request
    one = enact.invoke(leaf, (1,), {"b": 1, "aa": 2})
    two = enact.invoke(leaf, (1,), {"aa": 2, "b": 1})
    assert one.request != two.request
    assert list(one.input.kwargs) == ["b", "aa"]


def test_replay_of_a_complete_invocation_runs_nothing(store):
    inv = enact.invoke(tree, ("a",))
    assert inv.replay() == inv
    assert len(RAN) == 4


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_rewind_runs_only_what_was_cut(store, count):
    inv = enact.invoke(tree, ("a",))
    rewound = inv.rewind(count)
    assert rewound.status == "incomplete" and len(rewound.children) == max(0, 2 - count)
    again = rewound.replay()
    assert len(RAN) == 4 + 2 * min(count, 2)
    assert again.output[: 4 - 2 * count] == inv.output[: max(0, 4 - 2 * count)]
    assert inv.status == "completed"


def test_rewind_to_a_nested_call(store):
    inv = enact.invoke(tree, ("a",))
    again = inv.rewind(to=inv[1, 1]).replay()
    assert RAN[4:] == ["y"]
    assert again.output == ["a:1", "a:2", "a:1:3", "y:5"]
    assert again[0] == inv[0] and again[1, 0] == inv[1, 0]


def test_edit_reruns_what_depends_on_it(store):
    inv = enact.invoke(tree, ("a",))
    again = inv.edit(inv[0, 0], output="new").replay()
    assert RAN[4:] == ["new"]  # pair("new", "y") -> leaf("new"); leaf("y") is reused
    assert again.output == ["new", "a:2", "new:5", "y:4"]
    assert again.verdicts()["0/0"] == "edited"


def test_edit_can_raise(store):
    @enact.register(name="test/careful")
    def careful():
        try:
            return leaf(1)
        except KeyError as error:
            return f"no {error}"

    inv = enact.invoke(careful)
    again = inv.edit(inv[0], raises=KeyError("x")).replay()
    assert again.output == "no 'x'"
    assert RAN == [1]


def test_a_changed_program_is_an_error_that_tells_what_changed(store):
    SEEN[:] = ["a"]

    @enact.register(name="test/unstable")
    def unstable():
        return [leaf(0), leaf(SEEN[-1]), leaf(2)]

    inv = enact.invoke(unstable)
    SEEN.append("b")
    with pytest.raises(enact.ReplayError) as caught:
        inv.rewind(1).replay()
    assert caught.value.path == "1"
    for part in ("'a'", "'b'", "strict=False", "test_sequential:leaf"):
        assert part in str(caught.value)
    assert inv.rewind(1).replay(strict=False).output == ["0:1", "b:4", "2:5"]


def test_a_call_left_out_is_an_error(store):
    SEEN[:] = [0, 1]

    @enact.register(name="test/shrinking")
    def shrinking():
        return [leaf(x) for x in SEEN]

    inv = enact.invoke(shrinking)
    SEEN.pop()
    with pytest.raises(enact.ReplayError, match="was not made"):
        inv.rewind(0).replay()


def test_equal_calls_need_a_path(store):
    @enact.register(name="test/constant")
    def constant():
        return 1

    @enact.register(name="test/twice")
    def twice():
        return constant() + constant()

    inv = enact.invoke(twice)
    value = enact.commit(inv[0]).checkout()
    with pytest.raises(enact.AmbiguousCall, match="0, 1"):
        inv.rewind(to=value)
    with pytest.raises(enact.NoSuchCall):
        inv.at("7")
    with pytest.raises(enact.NoSuchCall):
        inv.at("x/y")


# --- exceptions -------------------------------------------------------------------


class Custom(Exception):
    def __init__(self, code, reason):
        super().__init__(code, reason)
        self.reason = reason


@enact.register
def flaky(x):
    RAN.append(x)
    if len(RAN) < 3:
        raise Custom(7, f"too early for {x}")
    return "fine"


@enact.register
def persistent(x):
    errors = []
    while True:
        try:
            return [errors, flaky(x)]
        except Custom as error:
            errors.append([error.reason, error.args[0]])


@enact.register
def fragile(x):
    leaf("before")
    return flaky(x)


def test_handled_exceptions_are_data(store):
    inv = enact.invoke(persistent, ("a",))
    assert inv.output == [[["too early for a", 7]] * 2, "fine"]
    again = inv.rewind(1).replay()
    assert again.output == inv.output and len(RAN) == 4
    assert [view.status for view in again.children] == ["failed", "failed", "completed"]
    assert isinstance(inv[0].error, Custom)
    assert inv[0].get_raised().type_name == "Custom"
    with pytest.raises(enact.NativeException, match="too early"):
        raise inv[0].get_raised()


def test_what_ended_an_invocation_is_raised_on_and_retried(store):
    with pytest.raises(Custom):
        enact.invoke(fragile, ("a",))
    RAN.clear()
    inv = enact.invoke(fragile, ("a",), wrap_exceptions=True)
    assert inv.status == "failed" and not inv.get_raised_here()
    assert inv[1].get_raised_here()
    assert "too early" in str(inv.get_raised())
    again = inv.replay()
    assert again.output == "fine"
    assert RAN == ["before", "a", "a"]


def test_retry_follows_causes_and_groups(store):
    @enact.register(name="test/caused")
    def caused():
        errors = []
        for n in range(2):
            try:
                flaky(n)
            except Custom as error:
                errors.append(error)
        leaf("kept")
        if errors:
            raise ExceptionGroup("all", errors)
        return "none"

    inv = enact.invoke(caused, (), wrap_exceptions=True)
    assert inv.response().details["retry"] == [0, 1]
    RAN[:] = [0, 0, 0]
    assert inv.replay().output == "none"
    # What followed the first of them was the answer to its failure.
    assert RAN == [0, 0, 0, 0, 1, "kept"]


def test_after_a_retried_call_the_program_may_go_another_way(store):
    fails = True

    @enact.register(name="test/fails_late")
    def fails_late():
        value = leaf("early")
        if fails:
            raise ValueError(value)
        return value

    @enact.register(name="test/handles")
    def handles():
        try:
            value = fails_late()
        except ValueError as error:
            raise RuntimeError(leaf("handled")) from error
        return value, leaf("fine")

    inv = enact.invoke(handles, wrap_exceptions=True)
    assert inv.response().details["retry"] == [0]
    fails = False
    assert inv.replay().output == ("early:1", "fine:3")


def test_an_edited_failure_is_not_retried(store):
    inv = enact.invoke(fragile, ("a",), wrap_exceptions=True)
    edited = inv.edit(inv[0], raises=ValueError("edited"))
    RAN.clear()
    for _ in range(2):
        edited = edited.replay(wrap_exceptions=True)
        assert isinstance(edited.error, ValueError)
        assert edited.response().details is None and RAN == []


def test_an_edited_failure_stays_when_a_call_before_it_is_retried(store):
    @enact.register(name="test/two_failures")
    def two_failures():
        errors = []
        for n in range(2):
            try:
                flaky(n)
            except (Custom, ValueError) as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("both", errors)
        return "fine"

    inv = enact.invoke(two_failures, wrap_exceptions=True)
    edited = inv.edit(inv[1], raises=ValueError("edited"))
    RAN.clear()
    again = edited.replay(wrap_exceptions=True)
    assert RAN == [0] and again.response().details["retry"] == [0]
    RAN[:] = [0, 0, 0]
    last = again.replay(wrap_exceptions=True)
    assert RAN[3:] == [0] and last.response().details is None
    assert [str(error) for error in last.error.exceptions] == ["edited"]


def test_a_rewound_failure_no_longer_raises(store):
    inv = enact.invoke(fragile, ("a",), wrap_exceptions=True)
    assert inv.rewind(0).get_raised() is None


def test_exceptions_can_be_overridden_where_they_were_raised(store):
    inv = enact.invoke(fragile, ("a",), wrap_exceptions=True)
    seen = []

    def override(ref):
        seen.append(ref.checkout())
        return enact.commit("given")

    again = inv.replay(override)
    assert again.output == "given" and len(seen) == 1
    assert RAN == ["before", "a"]
    assert again.verdicts() == {"1": "edited"}


def test_exception_resources_are_carried(store):
    @enact.register
    class Empty(enact.ExceptionResource):
        pass

    @enact.register(name="test/empty")
    def empty():
        raise Empty("nothing")

    inv = enact.invoke(empty)
    assert isinstance(inv.get_raised(), Empty) and inv.get_raised().args == ("nothing",)


def test_interrupts_are_no_outcome(store):
    @enact.register(name="test/interrupted")
    def interrupted(x):
        leaf(x)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enact.invoke(interrupted, (1,))
    run = store.runs()[0]
    assert run.status == "interrupted"
    assert run.invocation.status == "incomplete"
    assert run.invocation[0].status == "completed"


# --- state, mutation, aliases -----------------------------------------------------


@enact.register
@dataclasses.dataclass
class Counter(enact.Invokable[int, int]):
    total: int = 0
    log: list[int] = dataclasses.field(default_factory=list)

    def call(self, n: int) -> int:
        RAN.append(n)
        self.total += n
        self.log.append(n)
        return self.total


def test_state_is_recorded_and_restored_in_place(store):
    @enact.register(name="test/counting")
    def counting():
        counter = Counter()
        log = counter.log
        out = [counter(2), counter(3)]
        RAN.append(log is counter.log and list(log))
        return [out, counter.total, log]

    inv = enact.invoke(counting)
    assert inv.output == [[2, 5], 5, [2, 3]]
    assert inv[1].request().invokable() == Counter(2, [2])
    assert inv[1].response().invokable() == Counter(5, [2, 3])
    assert inv.rewind(0).replay() == inv
    assert RAN == [2, 3, [2, 3], [2, 3]]


def test_types_of_invokables_are_checked(store):
    with pytest.raises(TypeError, match="expects int, got str"):
        enact.invoke(Counter(), ("x",))

    @enact.register
    @dataclasses.dataclass
    class Wrong(enact.Invokable[int, int]):
        def call(self, n: int) -> int:
            return "x"

    with pytest.raises(TypeError, match="must give int"):
        enact.invoke(Wrong(), (1,))


def test_a_changed_argument_is_an_error_naming_the_path(store):
    @enact.register(name="test/changes")
    def changes(a, items, *, more=None):
        items.append(1)

    with pytest.raises(enact.InputChanged, match=r"\$\.args\[1\]"):
        enact.invoke(changes, (1, []))


def test_outputs_that_are_arguments_stay_so(store):
    @enact.register(name="test/same")
    def same(items):
        RAN.append(1)
        return items

    @enact.register(name="test/aliases")
    def aliases():
        items = [1]
        return same(items) is items

    inv = enact.invoke(aliases)
    assert inv.output is True
    assert inv.rewind(0).replay().output is True and RAN == [1]


class Plain:
    pass


def test_what_cannot_be_stored_is_handed_on_with_a_warning(store):
    thing = Plain()

    @enact.register(name="test/takes_plain")
    def takes(thing):
        RAN.append(thing)
        return leaf("in")

    @enact.register(name="test/gives_plain")
    def gives():
        return takes(thing)

    with pytest.warns(UserWarning, match=r"\$\.args\[0\].*Plain|Plain.*\$\.args\[0\]"):
        inv = enact.invoke(gives)
    assert [thing, "in"] == RAN
    again = inv.rewind(0).replay()
    assert [thing, "in", thing] == RAN and again.output == inv.output
    with pytest.raises(enact.UnstorableValue):
        enact.invoke(takes, (thing,))
    assert len(RAN) == 3


def test_methods(store):
    @enact.register
    @dataclasses.dataclass
    class Agent:
        name: str
        said: list[str] = dataclasses.field(default_factory=list)

        @enact.register
        def speak(self, word):
            RAN.append(word)
            self.said.append(word)
            return f"{self.name}: {word}"

        @classmethod
        @enact.register
        def make(cls, name):
            RAN.append(name)
            return cls(name)

        @staticmethod
        @enact.register
        def static(x):
            RAN.append(x)
            return x

        @enact.register
        def run(self):
            made = Agent.make("Bo")
            return [self.speak("hi"), made.speak("ho"), self.static(3), self.said]

    inv = enact.invoke(Agent("Al").run)
    assert inv.output == ["Al: hi", "Bo: ho", 3, ["hi"]]
    assert inv[1].request().invokable().__self__.said == []
    assert inv.rewind(0).replay() == inv and len(RAN) == 4


def test_invoking_within_an_invocation_is_a_call(store):
    @enact.register(name="test/outer")
    def outer():
        inner = enact.invoke(tree, ("a",))
        again = inner.rewind(1).replay()
        return [inner.output, again.output, leaf("own")]

    inv = enact.invoke(outer)
    assert len(inv.children) == 3
    count = len(RAN)
    again = inv.rewind(1).replay()
    assert RAN[count:] == ["own"]
    assert again.output[:2] == inv.output[:2]


def test_nothing_is_kept_without_commit(store):
    inv = enact.invoke(tree, ("a",), commit=False)
    assert inv.output[0] == "a:1" and store.runs() == []
    assert not store.has(inv.ref)


def test_unregistered_functions_run_but_are_not_replayed(store):
    def plain():
        return leaf(1)

    inv = enact.invoke(plain)
    assert inv.output == "1:1" and len(inv.children) == 1
    with pytest.raises(enact.NotReplayable, match=r"enact\.register"):
        inv.rewind(0).replay()


def test_invocations_work_after_their_store_is_left():
    with enact.InMemoryStore():
        inv = enact.invoke(tree, ("a",))
    assert inv.output[0] == "a:1" and inv[0, 0].output == "a:1"
    with enact.InMemoryStore():
        assert inv.rewind(1).replay().output[:2] == inv.output[:2]
