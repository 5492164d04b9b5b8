# SPDX-License-Identifier: Apache-2.0
"""Programs that use secrets, and what of them gets into a store."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import enact
from enact import PlainCredentialWarning
from enact.calls import environment

PLAIN = "correct horse battery staple"
OTHER = "Tr0ub4dor and 3 more"
RAN: list[str] = []


@pytest.fixture(autouse=True)
def store() -> Iterator[enact.Store]:
    RAN.clear()
    with enact.InMemoryStore() as store:
        yield store


@enact.register
@dataclasses.dataclass
class Client(enact.Invokable[str, str]):
    key: enact.Secret[str]
    seen: list[str] = dataclasses.field(default_factory=list)

    def call(self, prompt: str) -> str:
        RAN.append(prompt)
        self.seen.append(prompt)
        return f"{prompt}, by {len(self.key.reveal())}"

    @enact.register
    def renew(self, key: enact.Secret[str]) -> None:
        self.key = key

    @enact.register
    def draw(self) -> None:
        self.key = enact.Secret(OTHER)

    @enact.register
    def set_again(self, prompt: str) -> None:
        RAN.append(prompt)
        self.key = enact.Secret(self.key.reveal())
        self.seen.append(prompt)


@enact.register
def ask(key: enact.Secret[str], prompt: str, **options: Any) -> str:
    RAN.append(prompt)
    return f"{prompt}: {len(key.reveal())}"


@enact.register
def login(key: enact.Secret[str]) -> dict[str, Any]:
    RAN.append("login")
    return {"session": enact.Secret(key.reveal()[::-1]), "user": "ada"}


@enact.register
def pass_on(key: enact.Secret[str]) -> enact.Secret[str]:
    RAN.append("pass_on")
    return key


class Refused(Exception):
    """Tells more than it should."""


@enact.register
def refuse(key: enact.Secret[str]) -> None:
    RAN.append("refuse")
    raise Refused(f"wrong key {key.reveal()}")


@enact.register
def hand_on_refusal(key: enact.Secret[str]) -> None:
    refuse(key)


# --- replay -----------------------------------------------------------------------


@enact.register
def conversation(key: enact.Secret[str]) -> list[str]:
    return [ask(key, "one"), ask(key, "two", others=[{"k": key}]), ask(key, prompt="x")]


def test_a_call_with_a_secret_is_answered_from_the_record() -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(conversation, (key,))
    assert RAN == ["one", "two", "x"]
    again = inv.rewind(0).replay()
    assert again == inv
    assert RAN == ["one", "two", "x"]
    assert inv.input.args == [key]
    assert key.reveal() == PLAIN


def test_another_secret_is_another_request() -> None:
    inv = enact.invoke(conversation, (enact.Secret(PLAIN),))
    with pytest.raises(enact.ReplayError) as caught:
        enact.invoke(conversation, (enact.Secret(OTHER),), replay_from=inv)
    assert PLAIN not in str(caught.value)
    assert OTHER not in str(caught.value)


def test_a_rewound_program_goes_on_with_the_secret_that_is_alive() -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(conversation, (key,))
    RAN.clear()
    assert inv.rewind(1).replay() == inv
    assert RAN == ["x"]
    assert key.reveal() == PLAIN


def test_a_replay_without_its_secret_says_how_to_supply_it() -> None:
    text = "a secret of this test alone"  # others may still be alive
    inv = enact.invoke(conversation, (enact.Secret(text),)).rewind(1)
    gc.collect()
    with pytest.raises(enact.SecretNotStored, match="replay_from"):
        inv.replay()
    supplied = enact.invoke(conversation, (enact.Secret(text),), replay_from=inv)
    assert supplied.output[-1] == f"x: {len(text)}"


@enact.register
def session(key: enact.Secret[str]) -> str:
    found = login(key)["session"]
    return ask(found, found.reveal()[-7:][::-1])


def test_a_call_that_returns_a_secret_runs_again() -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(session, (key,))
    again = inv.rewind(0).replay()
    assert again == inv
    assert again.output == "correct: 28"
    assert RAN == ["login", "correct", "login"]
    assert again.verdicts()["0"] == "rerun: not stored"
    with pytest.raises(enact.SecretNotStored):
        inv[0].output["session"].reveal()
    assert key.reveal() == PLAIN


def test_a_program_that_returns_a_secret_runs_again() -> None:
    @enact.register(name="secrets/returns")
    def program(key: enact.Secret[str]) -> Any:
        return [ask(key, "a"), login(key)]

    key = enact.Secret(PLAIN)
    inv = enact.invoke(program, (key,))
    assert inv.replay() == inv
    assert RAN == ["a", "login", "login"]
    assert key.reveal() == PLAIN


def test_a_secret_that_is_returned_as_it_came_is_handed_on() -> None:
    @enact.register(name="secrets/passes on")
    def program(key: enact.Secret[str]) -> int:
        return len(pass_on(key).reveal())

    key = enact.Secret(PLAIN)
    inv = enact.invoke(program, (key,))
    assert inv.rewind(0).replay().output == 28
    assert RAN == ["pass_on"]
    assert key.reveal() == PLAIN


def test_an_object_keeps_its_secret_when_its_state_is_restored() -> None:
    @enact.register(name="secrets/client")
    def program(client: Client) -> Any:
        mine = dataclasses.replace(client, seen=[])
        first = mine("a")
        mine.set_again("b")
        return first, list(mine.seen), len(mine.key.reveal())

    key = enact.Secret(PLAIN)
    inv = enact.invoke(program, (Client(key),))
    assert RAN == ["a", "b"]
    again = inv.rewind(0).replay()
    assert again == inv
    assert RAN == ["a", "b"]
    assert again.output == ("a, by 28", ["a", "b"], 28)
    assert key.reveal() == PLAIN


def test_a_secret_that_an_object_was_given_is_restored() -> None:
    @enact.register(name="secrets/renew")
    def program(old: enact.Secret[str], new: enact.Secret[str]) -> int:
        client = Client(old)
        client.renew(new)
        return len(client.key.reveal())

    old, new = enact.Secret(PLAIN), enact.Secret(OTHER)
    inv = enact.invoke(program, (old, new))
    again = inv.rewind(0).replay()
    assert again.output == inv.output == len(OTHER)
    assert again.verdicts() == {}
    assert (old.reveal(), new.reveal()) == (PLAIN, OTHER)


def test_a_call_that_gives_its_object_a_new_secret_runs_again() -> None:
    @enact.register(name="secrets/draw")
    def program(old: enact.Secret[str]) -> int:
        client = Client(old)
        client.draw()
        return len(client.key.reveal())

    old = enact.Secret(PLAIN)
    inv = enact.invoke(program, (old,))
    again = inv.rewind(0).replay()
    assert again.output == inv.output == len(OTHER)
    assert again.verdicts() == {"0": "rerun: not stored"}
    assert old.reveal() == PLAIN


def test_an_invoked_object_gets_its_secret_back() -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(Client(key), ("a",))
    assert inv.rewind(0).replay().output == "a, by 28"
    assert inv.request().invokable() == Client(key)


def test_a_run_that_was_cut_off_goes_on_with_the_secret_that_is_alive(
    store: enact.Store,
) -> None:
    @enact.register(name="secrets/cut off")
    def program(key: enact.Secret[str]) -> list[str]:
        first = ask(key, "a")
        if len(RAN) == 1:
            raise KeyboardInterrupt
        return [first, ask(key, "b")]

    key = enact.Secret(PLAIN)
    with pytest.raises(KeyboardInterrupt):
        enact.invoke(program, (key,))
    RAN.append("again")
    assert enact.resume(store.runs()[0]).output == ["a: 28", "b: 28"]
    assert RAN == ["a", "again", "b"]
    assert key.reveal() == PLAIN


def test_what_is_told_about_a_call_has_no_credentials(store: enact.Store) -> None:
    key = enact.Secret(PLAIN)
    enact.invoke(annotated, (key,))
    (call,) = store.calls(invokable=annotated)
    assert call.usage == {
        "model": "x [redacted:secret]",
        "deep": {
            "[redacted:secret]": [
                "[redacted:secret]",
                {"password": "[redacted:password]"},
            ]
        },
        "n": 3,
    }
    assert key.reveal() == PLAIN


@enact.register
def handles_refusal(key: enact.Secret[str]) -> str:
    try:
        hand_on_refusal(key)
    except Refused as error:
        return f"{len(str(error))}"
    return "none"


def test_an_exception_that_told_a_secret_is_raised_anew() -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(handles_refusal, (key,))
    assert RAN == ["refuse"]
    again = inv.rewind(0).replay()
    assert again.output == inv.output == str(len(f"wrong key {PLAIN}"))
    assert again.verdicts()["0"] == "rerun: not stored"
    assert RAN == ["refuse", "refuse"]
    assert str(inv[0].error) == "wrong key [redacted:secret]"
    assert key.reveal() == PLAIN


def test_the_program_itself_sees_its_exception_unchanged() -> None:
    key = enact.Secret(PLAIN)
    with pytest.raises(Refused, match=PLAIN):
        enact.invoke(refuse, (key,))
    inv = enact.invoke(refuse, (key,), wrap_exceptions=True)
    assert inv.get_raised().str_representation == "wrong key [redacted:secret]"


@enact.register
def drop(url: str) -> None:
    RAN.append(url)
    raise ConnectionError(f"cannot reach {url}", {"api_key": "abc"})


def test_what_looks_like_a_credential_is_not_written_with_an_exception() -> None:
    @enact.register(name="secrets/drop")
    def program() -> int:
        try:
            drop("postgres://" + "ada:lovelace@db")
        except ConnectionError as error:
            return len(str(error))
        return 0

    with pytest.warns(PlainCredentialWarning, match=r"'url'.*url-password"):
        inv = enact.invoke(program)
    assert inv[0].error is not None
    assert inv[0].error.args == (
        "cannot reach postgres://ada:[redacted:url-password]@db",
        {"api_key": "[redacted:api-key]"},
    )
    assert inv.rewind(0).replay() == inv
    assert len(RAN) == 2


def test_exceptions_that_are_carried_are_written_without_credentials() -> None:
    @enact.register(name="secrets/complains")
    def program() -> None:
        raise Complaint("no", {"url": "redis://:" + "lovelace@db", "pwd": "hunter2"})

    about = enact.invoke(program).get_raised().about
    assert about == {
        "url": "redis://:[redacted:url-password]@db",
        "pwd": "[redacted:pwd]",
    }


def test_a_question_is_kept_as_it_was_asked() -> None:
    @enact.register(name="secrets/question")
    def program() -> str:
        return str(enact.request_input(str, context="password=hunter2 is it?"))

    paused = enact.invoke(program)
    question = paused.get_raised()
    assert question.context == "password=hunter2 is it?"
    assert question.continue_invocation(paused, "yes").output == "yes"


def test_an_outcome_with_a_secret_cannot_be_put_into_a_record() -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(session, (key,))
    with pytest.raises(enact.UnstorableValue, match="fingerprint"):
        inv.edit(inv[0], output={"session": key})
    failed = enact.invoke(refuse, (key,), wrap_exceptions=True)
    with pytest.raises(enact.UnstorableValue, match="fingerprint"):
        failed.replay(exception_override=lambda _: enact.commit(key))


def test_a_missing_key_stops_an_invocation_before_anything_ran(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENACT_SECRET_KEY", "short")
    with pytest.raises(enact.SecretKeyUnavailable):
        enact.invoke(ask, (enact.Secret(PLAIN), "a"))
    assert RAN == []


def test_a_missing_key_does_not_stop_a_program_that_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @enact.register(name="secrets/no key")
    def program() -> str:
        return ask(enact.Secret(PLAIN), "a")

    monkeypatch.setenv("ENACT_SECRET_KEY", "short")
    with pytest.warns(enact.UnstorableWarning, match="ENACT_SECRET_KEY"):
        inv = enact.invoke(program)
    assert inv.output == "a: 28"
    assert "horse" not in repr(inv[0].input)


# --- warnings ---------------------------------------------------------------------


def test_a_plain_credential_is_recorded_and_warned_of_once() -> None:
    @enact.register(name="secrets/plain")
    def plain(headers: dict[str, str], *, password: str) -> str:
        return "done"

    @enact.register(name="secrets/calls plain")
    def program() -> None:
        plain({"authorization": "abc"}, password="hunter2")
        plain({"authorization": "abc"}, password="hunter2")

    with pytest.warns(PlainCredentialWarning) as caught:
        inv = enact.invoke(program)
    assert len(caught) == 2
    assert "headers['authorization']" in str(caught[0].message)
    assert "'password'" in str(caught[1].message)
    assert inv[0].input.kwargs == {"password": "hunter2"}
    summary = enact.invocation_summary(inv)
    assert "hunter2" not in summary
    assert "abc" not in summary


def test_the_text_of_a_secret_in_an_ordinary_value_is_warned_of() -> None:
    @enact.register(name="secrets/tell")
    def tell(text: str) -> int:
        return len(text)

    @enact.register(name="secrets/told")
    def told() -> str:
        return key.reveal()

    key = enact.Secret(PLAIN)
    with pytest.warns(PlainCredentialWarning, match="the input has the text"):
        enact.invoke(tell, (f"key: {key.reveal()}",))
    with pytest.warns(PlainCredentialWarning, match="the output has the text"):
        enact.invoke(told)
    enact.invoke(told)  # once is enough


# --- messages and pictures --------------------------------------------------------


def test_errors_of_replay_show_no_credentials() -> None:
    @enact.register(name="secrets/note")
    def note(text: str) -> str:
        return text

    @enact.register(name="secrets/by chance")
    def program() -> str:
        RAN.append("hunter")
        return note(f"password=hunter{len(RAN)}")

    inv = enact.invoke(program)
    with pytest.raises(enact.ReplayError) as caught:
        inv.rewind(0).replay()
    assert "password=[redacted:password]" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_types_in_messages_show_no_credentials() -> None:
    with pytest.raises(enact.InvokableTypeError) as caught:
        Client(enact.Secret(PLAIN))({"password": "hunter2"})  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_pictures_of_values_show_no_credentials() -> None:
    key = enact.Secret(PLAIN)
    value = {
        "client": Client(key),
        "told": [f"the key is {PLAIN}", "x" * 20_000 + PLAIN + "x" * 20_000],
        "password": "hunter2",
        "url": "postgres://ada:" + "lovelace@db",
    }
    text = enact.pformat(value)
    for word in ("horse", "hunter2", "lovelace"):
        assert word not in text
    assert "[redacted:password]" in text
    assert key.reveal() == PLAIN


def test_no_half_of_a_credential_is_left_where_text_is_cut() -> None:
    key = enact.Secret(PLAIN)
    with pytest.warns(PlainCredentialWarning):
        inv = enact.invoke(takes, (f"{'x' * 25}{key.reveal()}{'x' * 100}",))
    assert "correct" not in enact.invocation_summary(inv)


# --- no leak, anywhere ------------------------------------------------------------


class Spy:
    """A backend that notes all that is given to another one."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.given: list[bytes] = []

    def note(self, blocks: Any, row: object = None) -> None:
        self.given += [data for _, data in blocks]
        self.given.append(repr(row).encode())

    def put(self, blocks: Any) -> None:
        self.note(blocks)
        self.backend.put(blocks)

    def record(self, blocks: Any, row: Any) -> None:
        self.note(blocks, row)
        self.backend.record(blocks, row)

    def begin_run(self, row: Any) -> None:
        self.note([], row)
        self.backend.begin_run(row)

    def end_run(self, row: Any) -> None:
        self.note([], row)
        self.backend.end_run(row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


class Leaky:
    """Cannot be stored, and tells all."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Leaky({self.text})"


@enact.register
@dataclasses.dataclass
class Complaint(enact.ExceptionResource):
    text: str
    about: dict[str, Any]


@enact.register
@dataclasses.dataclass
class Everything:
    key: enact.Secret[str]
    nested: list[Any]


@enact.register
def raising(key: enact.Secret[str], kind: str) -> None:
    text = key.reveal()
    if kind == "text":
        raise ValueError(text)
    if kind == "bytes":
        raise ValueError(b"x" + text.encode(), [text], {text: {text}}, (text,))
    if kind == "note":
        error = KeyError("no")
        error.add_note(f"with {text}")
        raise error
    if kind == "attribute":
        failed = OSError(5, "no", f"file-{text}")
        failed.headers = {"x": f"Bearer {text}"}  # type: ignore[attr-defined]
        raise failed
    if kind == "chain":
        try:
            raise KeyError(text)
        except KeyError as cause:
            raise ValueError(f"after {text}") from cause
    if kind == "context":
        try:
            raise KeyError(text)
        except KeyError:
            raise ValueError(f"during {text}")  # noqa: B904  # the context is the point
    if kind == "group":
        raise ExceptionGroup(
            text, [ValueError(text), ExceptionGroup(text, [OSError(text)])]
        )
    if kind == "resource":
        raise Complaint(f"no {text}", {"url": f"https://{text}@x"})
    if kind == "opaque":
        raise ValueError(Leaky(text), text)
    if kind == "class":

        class Local(Exception):
            def __str__(self) -> str:
                return text

        raise Local
    if kind == "base64":
        raise ValueError(base64.b64encode(text.encode()).decode())
    if kind == "assertion":
        assert {"key": text} == {}, {"key": text}
    if kind == "exec":
        exec(compile(f"def {'f'}(): raise ValueError({text!r})\nf()", text, "exec"))
    raise ValueError(repr([text]) + repr(key))


KINDS = [
    "text", "bytes", "note", "attribute", "chain", "context", "group", "resource",
    "opaque", "class", "base64", "assertion", "exec", "repr",
]  # fmt: skip


@enact.register
def takes(*args: Any, **kwargs: Any) -> str:
    return "taken"


@enact.register
def annotated(key: enact.Secret[str]) -> None:
    text = key.reveal()
    enact.annotate(model=f"x {text}", deep={text: [text, {"password": OTHER}]}, n=3)


@enact.register
async def takes_later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def program_with_secrets(key: enact.Secret[str]) -> list[str]:
    done: list[str] = []
    text = key.reveal()
    everything = Everything(key, [key, {"k": key}, (key, [key])])
    done.append(takes(key, [key], {"a": {"b": (key,)}}, everything, again=everything))
    takes(key=key, opaque=Leaky(text), more=[Leaky(text)])
    takes({Leaky: key})

    @enact.register(name="secrets/closure")
    def closure(n: int) -> int:
        return n + len(text) + len(key.reveal())

    closure(1)
    takes(functools.partial(closure, 1))
    takes(closure)
    for kind in KINDS:
        try:
            raising(key, kind)
        except Exception as error:
            done.append(type(error).__name__)
            takes(error)
            takes([error], {"e": error})
    client = Client(key)
    client("a")
    client.renew(key)
    annotated(key)
    login(key)
    pass_on(key)
    asyncio.run(takes_later([key]))
    raise Refused(f"at last: {text}") from ValueError(text)


def leaks(key: str, where: list[bytes]) -> list[bytes]:
    guises = [key.encode(), base64.b64encode(key.encode()), key.encode().hex().encode()]
    return [data for data in where for guise in guises if guise in data]


def test_no_byte_of_a_secret_gets_into_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", "--api-key", OTHER, f"--x={PLAIN}"])
    environment._constant.cache_clear()
    key = enact.Secret(PLAIN)
    store = enact.SQLiteStore(tmp_path / "runs.db")
    spy = Spy(store.backend)
    store.backend = spy  # type: ignore[assignment]
    program = enact.register(program_with_secrets, name="secrets/everything")
    files: list[bytes] = []

    def read_files() -> None:
        for path in tmp_path.iterdir():
            files.append(path.read_bytes())

    with store:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            inv = enact.invoke(program, (key,), wrap_exceptions=True)
            read_files()
            again = inv.replay(wrap_exceptions=True, strict=False)
            takes_marker(enact.invoke(takes, ("a mark that is easy to find",)))
        assert inv.status == again.status == "failed"
        read_files()
        summary = enact.invocation_summary(inv) + enact.pformat(inv.get_raised())
    spy.flush()
    read_files()
    spy.backend.close()
    read_files()
    assert len(inv.children) > 2 * len(KINDS)
    for secret in (PLAIN, OTHER):
        assert not leaks(secret, spy.given)
        assert not leaks(secret, files)
    assert not leaks(PLAIN, [str(warning.message).encode() for warning in told])
    assert not leaks(PLAIN, [summary.encode()])
    environment._constant.cache_clear()
    # The same search finds what is there.
    assert leaks("a mark that is easy to find", spy.given)
    assert leaks("a mark that is easy to find", files)
    assert len([data for data in files if data]) > 4


def takes_marker(inv: enact.Invocation) -> None:
    assert inv.output == "taken"


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_that_told_a_secret_can_be_looked_at(kind: str) -> None:
    key = enact.Secret(PLAIN)
    inv = enact.invoke(raising, (key, kind), wrap_exceptions=True)
    raised = inv.get_raised()
    told = [repr(raised), str(raised), enact.pformat(raised), str(inv.error)]
    assert not any(PLAIN in text for text in told)
    assert inv.status == "failed"
    assert key.reveal() == PLAIN


def test_secrets_cost_nothing_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from enact.calls import endings, inputs

    def never(*_: object) -> None:
        raise AssertionError("looked for secrets")

    for module in (inputs, endings):
        monkeypatch.setattr(module, "LIVE", {})  # others may live in other tests
    monkeypatch.setattr(inputs, "look_for_live", never)
    monkeypatch.setattr(endings, "look_for_live", never)
    enact.invoke(takes, ([1], "a"))


def test_a_killed_run_leaves_no_secret_behind(tmp_path: Path) -> None:
    """The tail of a process that did not close its store is read as it is."""
    code = f"""
import os, enact
@enact.register(name="secrets/fails")
def fails(key):
    raise ValueError("no " + key.reveal())
store = enact.SQLiteStore({str(tmp_path / "runs.db")!r})
with store:
    enact.invoke(fails, (enact.Secret({PLAIN!r}),), wrap_exceptions=True)
    os._exit(0)
"""
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert any(b"redacted:secret" in data for data in files)
    assert not leaks(PLAIN, files)
