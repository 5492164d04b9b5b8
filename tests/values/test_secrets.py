# SPDX-License-Identifier: Apache-2.0
"""Values that are never written, and the key by which they are known again."""

from __future__ import annotations

import copy
import dataclasses
import gc
import json
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import enact
from enact import values
from enact.values import live
from tests.values.blocks import Blocks, encode, roundtrip

TEXT = "correct horse battery staple"


@enact.register
@dataclasses.dataclass
class Account(enact.Resource):
    user: str
    password: enact.Secret[str]
    hosts: list[Any] = dataclasses.field(default_factory=list)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a key."""
    monkeypatch.delenv("ENACT_SECRET_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "enact" / "secret.key"


def test_a_secret_shows_itself_only_when_asked_to() -> None:
    secret = enact.Secret(TEXT)
    assert secret.reveal() == TEXT
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>50}", f"{[secret]}"]
    assert not any("horse" in text for text in shown)
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_by_value_and_exact_type() -> None:
    assert enact.Secret(TEXT) == enact.Secret(TEXT)
    assert hash(enact.Secret(TEXT)) == hash(enact.Secret(TEXT))
    assert enact.Secret(TEXT) != enact.Secret(TEXT + "!")
    assert enact.Secret(1) != enact.Secret(True)
    assert enact.Secret(TEXT) != TEXT
    assert enact.Secret(object) == enact.Secret(object)


def test_what_cannot_be_stored_can_be_secret_but_not_compared_by_a_store() -> None:
    lock: Any = {TEXT: object()}
    assert enact.Secret(lock) == enact.Secret(lock)
    assert enact.Secret(lock) != enact.Secret({})
    with pytest.raises(enact.UnstorableValue) as caught:
        encode({"client": enact.Secret(lock)})
    assert caught.value.path == "$.client"
    assert "horse" not in str(caught.value)


def test_a_stored_secret_is_a_fingerprint() -> None:
    data = encode(["a", enact.Secret(TEXT)])
    assert TEXT.encode() not in data
    assert data == encode(["a", enact.Secret(TEXT)])
    assert data != encode(["a", enact.Secret(TEXT + "!")])
    assert encode(enact.Secret("1")) != encode(enact.Secret(1))


def test_a_fingerprint_depends_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    which, fingerprint = values.print_of(enact.Secret(TEXT))
    monkeypatch.setenv("ENACT_SECRET_KEY", "another key for tests")
    assert values.print_of(enact.Secret(TEXT))[0] != which
    assert values.print_of(enact.Secret(TEXT))[1] != fingerprint


def test_a_loaded_secret_says_how_to_get_it_back() -> None:
    loaded = roundtrip({"key": enact.Secret(TEXT)})["key"]
    with pytest.raises(enact.SecretNotStored, match=r"never stored.*Make it again"):
        loaded.reveal()
    assert loaded == enact.Secret(TEXT)
    assert enact.Secret(TEXT) == loaded
    assert hash(loaded) == hash(enact.Secret(TEXT))
    assert loaded != enact.Secret("other")
    assert encode(loaded) == encode(enact.Secret(TEXT))


def test_a_secret_of_another_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(enact.Secret(TEXT))
    monkeypatch.setenv("ENACT_SECRET_KEY", "another key for tests")
    loaded: Any = values.decode(data)
    assert "another key" in repr(loaded)
    with pytest.raises(enact.SecretNotStored, match="ENACT_SECRET_KEY"):
        loaded.reveal()
    assert loaded != enact.Secret(TEXT)
    assert encode(loaded) == data


def test_secrets_stand_anywhere_in_a_value() -> None:
    secret = enact.Secret(TEXT)
    value = [{"a": (secret, 1)}, Account("ada", secret, [secret]), {"b": {secret}}]
    blocks = Blocks()
    loaded = blocks.checkout(blocks.commit(value))
    assert loaded == value
    assert all(TEXT.encode() not in data for data in blocks.held.values())
    values.decode_foreign(encode(value))


def test_a_decoder_can_be_given_the_secrets() -> None:
    secret = enact.Secret(TEXT)
    data = encode([secret])
    found: Any = values.decode(data, secrets=values.among([secret]))
    assert found[0] is secret
    found = values.decode(data, secrets=values.find_live)
    assert found[0].reveal() == TEXT


def test_copies_keep_their_secrets() -> None:
    account = Account("ada", enact.Secret(TEXT))
    for copied in (copy.copy(account), copy.deepcopy(account), enact.deepcopy(account)):
        assert copied.password.reveal() == TEXT


def test_a_secret_cannot_be_written_by_other_means() -> None:
    with pytest.raises(TypeError, match="never written"):
        pickle.dumps(enact.Secret(TEXT))
    with pytest.raises(TypeError):
        json.dumps(enact.Secret(TEXT))


def test_an_object_restored_in_place_keeps_its_secret() -> None:
    account = Account("ada", enact.Secret(TEXT), [1])
    after: Any = values.decode(encode(Account("ada", enact.Secret(TEXT), [1, 2])))
    values.assign_in_place(account, after)
    assert account.hosts == [1, 2]
    assert account.password.reveal() == TEXT


def test_the_type_of_secrets_is_a_value() -> None:
    assert roundtrip(enact.Secret) is enact.Secret
    assert roundtrip(enact.Secret[str]) == enact.Secret[str]


@pytest.mark.parametrize("size", [7, 9])
def test_a_fingerprint_of_the_wrong_length_is_refused(size: int) -> None:
    form: Any = {"$": "enact/Secret", "key": b"x" * size, "fingerprint": b"x" * 32}
    with pytest.raises(enact.MalformedBlock):
        values.decode(values.encode_form(form))


# --- the key ----------------------------------------------------------------------


def test_the_key_is_made_once_and_only_its_user_may_read_it(home: Path) -> None:
    assert not home.exists()
    first = encode(enact.Secret(TEXT))
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert [path.name for path in home.parent.iterdir()] == ["secret.key"]
    assert encode(enact.Secret(TEXT)) == first


def test_looking_at_secrets_makes_no_key(home: Path) -> None:
    secret = enact.Secret(TEXT)
    assert secret == enact.Secret(TEXT)
    print(repr(values.decode(bytes.fromhex(_STORED))), secret)
    assert not home.exists()


_STORED = values.encode_form(
    {"$": "enact/Secret", "key": b"k" * 8, "fingerprint": b"f" * 32}
).hex()

_PRINT_FINGERPRINT = (
    "import enact; print(enact.resource_digest(enact.Secret('correct horse')))"
)


def test_processes_that_start_together_have_one_key(home: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PRINT_FINGERPRINT],
            stdout=subprocess.PIPE,
            env=dict(os.environ),
        )
        for _ in range(6)
    ]
    printed = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0] * 6
    assert len(printed) == 1


def test_a_key_is_made_where_files_cannot_be_linked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    first = encode(enact.Secret(TEXT))
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert encode(enact.Secret(TEXT)) == first


def test_a_key_that_cannot_be_made_is_a_clear_error(home: Path) -> None:
    home.parent.write_text("a file where the directory should be")
    with pytest.raises(enact.SecretKeyUnavailable, match=r"secret\.key") as caught:
        encode({"a": enact.Secret(TEXT)})
    assert caught.value.path == "$.a"
    assert "ENACT_SECRET_KEY" in str(caught.value)


def test_a_key_file_with_something_else_in_it_is_a_clear_error(home: Path) -> None:
    home.parent.mkdir()
    home.write_text("no key")
    with pytest.raises(enact.SecretKeyUnavailable, match="is no key"):
        encode(enact.Secret(TEXT))


def test_a_key_that_could_be_guessed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENACT_SECRET_KEY", "short")
    with pytest.raises(enact.SecretKeyUnavailable, match="guessed"):
        encode(enact.Secret(TEXT))


# --- live secrets -----------------------------------------------------------------


def test_secrets_are_forgotten_with_their_last_holder() -> None:
    secret = enact.Secret("only for a moment")
    assert "only for a moment" in live.live_texts()
    del secret
    gc.collect()
    assert "only for a moment" not in live.live_texts()


@pytest.mark.parametrize(
    "told",
    [
        "Bearer %s",
        "https://ada:%s@example.org",
        "%s",
    ],
)
def test_the_text_of_a_live_secret_is_taken_out(told: str) -> None:
    secret = enact.Secret("s3cr3t/wörd")
    assert "wörd" not in values.redact(told % secret.reveal())
    assert "s3cr3t" not in values.redact(told % repr(secret.reveal()))
    assert "s3cr3t" not in values.redact(json.dumps(told % secret.reveal()))
    assert "s3cr3t" not in values.redact("q=s3cr3t%2Fw%C3%B6rd")


def test_the_parts_of_a_live_secret_are_taken_out() -> None:
    secret = enact.Secret(
        {"user": "ada", "keys": ["first key", b"second key", 12345678]}
    )
    text = f"ada lost {secret.reveal()}"
    for part in ("first key", "second key", "12345678"):
        assert part not in values.redact(text)
    assert values.redact(text).startswith("ada lost")


def test_short_secrets_do_not_take_words_apart() -> None:
    secret = enact.Secret("the")
    assert values.redact("the other") == "the other"
    assert secret.reveal() == "the"


def test_exceptions_lose_the_secrets_that_are_alive() -> None:
    secret = enact.Secret(TEXT)
    error = ValueError(f"no: {TEXT}", [b"x" + TEXT.encode()], {TEXT: (TEXT, 1)})
    error.add_note(f"see {TEXT}")
    error.url = f"https://{TEXT}@x"  # type: ignore[attr-defined]
    blocks = Blocks()
    loaded = blocks.checkout(blocks.commit(ExceptionGroup("two", [error, KeyError(1)])))
    assert not any(TEXT.encode() in data for data in blocks.held.values())
    first = loaded.exceptions[0]
    assert first.args[0] == "no: [redacted:secret]"
    assert first.__notes__ == ["see [redacted:secret]"]
    assert values.holds_secret(error)
    assert secret.reveal() == TEXT


def test_exceptions_without_secrets_are_stored_as_they_are() -> None:
    secret = enact.Secret(TEXT)
    error = ValueError("no", {"b": 1, "a": (1, {2, 3})}, b"\x01x")
    assert roundtrip(error).args == error.args
    assert not values.holds_secret(error)
    assert secret.reveal() == TEXT


def test_what_stands_for_an_unstorable_part_shows_no_secret() -> None:
    secret = enact.Secret(TEXT * 40)

    class Client:
        def __repr__(self) -> str:
            return f"Client({secret.reveal()})"

    for value in (Client(), [Client()], {"a": Client()}, secret.reveal()):
        assert "horse" not in values.Opaque.of(value).repr


def test_what_stands_for_an_unstorable_part_shows_nothing_named_as_a_credential() -> (
    None
):
    shown = values.Opaque.of({"password": "hunter2", "lock": object()}).repr
    assert "'password': '[redacted:password]'" in shown


def test_paths_show_no_secret() -> None:
    secret = enact.Secret(TEXT)
    with pytest.raises(enact.UnstorableValue) as caught:
        encode({secret.reveal(): object()})
    assert "horse" not in str(caught.value)
