# SPDX-License-Identifier: Apache-2.0
"""What looks like a credential, and what only almost does."""

from __future__ import annotations

import uuid

import pytest

import enact.values.redaction as redaction
from enact.values.redaction import SHAPES, name_rule, redact, shape_rule, shown

# In two parts each, so that no scanner takes this file for a leak.
SHAPED = {
    "openai-key": "sk-" + "proj-aB3dE5gH7jK9mN1pQ3sT5vX7",
    "anthropic-key": "sk-ant-" + "api03-aB3dE5gH7jK9mN1pQ3sT5vX7",
    "stripe-key": "sk_live" + "_4eC39HqLyjWDarjtT1zdp7dc",
    "github-token": "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
    "gitlab-token": "glpat" + "-aB3dE5gH7jK9mN1pQ3sT",
    "slack-token": "xoxb" + "-2416483942-aB3dE5gH7jK9mN1p",
    "aws-key": "AKIA" + "IOSFODNN7EXAMPLE",
    "google-key": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "google-token": "ya29." + "a0AfH6SMBx7kqPz9dLm3nOpQr",
    "huggingface-token": "hf" + "_aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3j",
    "npm-token": "npm" + "_aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0",
    "private-key": "-----BEGIN RSA PRIVATE " + "KEY-----\nProc-Type: 4,ENCRYPTED\n\n"
    "MIIEpAIBAAKCAQEA\n04up8hoqzS1+\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("rule", SHAPED)
def test_credentials_are_known_by_their_shape(rule: str) -> None:
    credential = SHAPED[rule]
    for text in (f"key {credential} was refused", repr(credential), f"({credential})"):
        redacted = redact(text)
        assert f"[redacted:{rule}]" in redacted
        assert redacted == redact(redacted)
        body = credential.partition("KEY")[2] or credential
        assert body[8:18] not in redacted
    assert shape_rule(credential) == rule
    assert redact(f"key {credential} was refused").endswith("was refused")


def test_every_shape_has_an_example() -> None:
    others = {"bearer-token", "url-password"}
    assert {rule for rule, _, _ in SHAPES} == SHAPED.keys() | others


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (
            "postgres://ada:hunter2@db:5432/x",
            "postgres://ada:[redacted:url-password]@db:5432/x",
        ),
        ("redis://:hunter2@db", "redis://:[redacted:url-password]@db"),
        ("BEARER abcdef123456", "BEARER [redacted:bearer-token]"),
        ("Bearer abcdef123456", "Bearer [redacted:bearer-token]"),
        ("{'password': 'hunter2'}", "{'password': '[redacted:password]'}"),
        ('{"api_key":"hunter2","n":1}', '{"api_key":"[redacted:api-key]","n":1}'),
        ("Login(pwd='hunter2', n=1)", "Login(pwd='[redacted:pwd]', n=1)"),
        ("user=ada password=hunter2 x", "user=ada password=[redacted:password] x"),
        ("?a=1&access_token=xyz&b=2", "?a=1&access_token=[redacted:access-token]&b=2"),
        ("x-api-key: aB3dE5gH", "x-api-key: [redacted:api-key]"),
        (
            "Authorization: Basic YWRhOmxvdmU=",
            "Authorization: [redacted:authorization]",
        ),
        (
            "{'OPENAI_API_KEY': 'a\\'b', 'n': 1}",
            "{'OPENAI_API_KEY': '[redacted:api-key]', 'n': 1}",
        ),
        (
            "{'token': 'aB3dE5gH7jK9mN1p'}",
            "{'token': '[redacted:token]'}",
        ),
        ("cookie: session=aB3dE5gH7jK9mN1p", "cookie: [redacted:cookie]"),
        ("password=''", "password=''"),
        ("token: 'a, password=hunter2'", "token: 'a, password=[redacted:password]'"),
    ],
)
def test_credentials_are_known_by_their_name(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog.",
        "max_tokens=256, token_count: 12, tokens: ['a', 'b']",
        "{'token': 'hello', 'logprob': -0.1}",
        "Unexpected token: '}' at line 3",
        "SyntaxError: unexpected token: foo",
        "The secret: it was the gardener, all along",
        "password: must be longer",
        "Enter your password:",
        "password=None, api_key=None",
        "authorization: required",
        "Bearer authentication is required",
        "a bearer of good news",
        "The task-force-met-in-the-sk-hotel-yesterday",
        "class='sk-fading-circle sk-three-bounce-container-large'",
        "sk-learn and scikit-learn",
        "d41d8cd98f00b204e9800998ecf8427e",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        str(uuid.UUID(int=2**127 + 12345)),
        "bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "https://example.org:8080/a@b?x=1",
        "git@github.com:ada/engine.git",
        "ssh://git@example.org/x.git",
        "AKIA is how their keys begin; AIza too, and ghp_ and eyJ",
        "2024-01-02T03:04:05.678Z 127.0.0.1:5432",
        "cookie: chocolate",
        "hf_hub_download_with_progress_bar",
        "npm_config_registry_mirror_for_everybody",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "monkey: banana, donkey=hotel, passwords: 3",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("password", "x", "password"),
        ("db_password", "x", "password"),
        ("Proxy-Authorization", "x", "authorization"),
        ("accessToken", "x", "accesstoken"),
        ("client_secret", "x", "client-secret"),
        ("secret", "aB3dE5gH7jK9", "secret"),
        ("secret", "the gardener", None),
        ("token", "word", None),
        ("max_tokens", "256", None),
        ("password", 5, None),
        ("password", "", None),
        ("password_hint", "my dog", None),
        ("password", "[redacted:password]", None),
        (5, "x", None),
    ],
)
def test_names_tell_credentials(name: object, value: object, rule: str | None) -> None:
    assert name_rule(name, value) == rule


def test_messages_show_values_without_credentials() -> None:
    assert shown({"password": "hunter2"}) == "{'password': '[redacted:password]'}"
    assert len(shown("x" * 1000)) == 100


HOSTILE = [
    "sk-", "eyJ", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ",
    "Bearer ", "Bearer a", "://", "://a:", "password=", "password='", "token: ",
    "password='\\", "a_", "a-", "api_key", "xoxb-", "hf_a", "\\", '"', " ", "A", "1",
    "authorization: basic ", "ghp_", "://:", "://a:b",
]  # fmt: skip


# Where time grows with the square of the text, this takes many minutes.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_redaction_takes_time_in_proportion_to_the_text(piece: str) -> None:
    text = piece * (400_000 // len(piece)) + "!"
    redact(text)
    name_rule(text[:80], text)
    name_rule("token", text)


def test_names_that_are_said_to_be_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their values stay, but for what is shaped like a credential."""
    secret = "aB3dE5gH7jK9mN1pQ3sT"
    assert name_rule("my_auth_token", secret) == "auth-token"
    monkeypatch.setattr(redaction, "_SAFE", frozenset(("my_auth_token",)))
    redaction._rule_of.cache_clear()
    try:
        assert name_rule("My_Auth_Token", secret) is None
        text = f"{{'my_auth_token': '{secret}', 'password': 'hunter2'}}"
        assert redact(text) == text.replace("hunter2", "[redacted:password]")
        assert "hunter2" not in redact("my_auth_token=x password=hunter2")
        assert secret not in redact(f"other_auth_token={secret}")
        assert SHAPED["jwt"] not in redact(f"my_auth_token={SHAPED['jwt']}")
    finally:
        redaction._rule_of.cache_clear()
