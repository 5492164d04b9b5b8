# SPDX-License-Identifier: Apache-2.0
"""What looks like a credential, and what stands in its place: ``[redacted:rule]``.

All rules are here. They apply where data leaves a store to be looked at, and to the
texts of exceptions before they are written. Values that a program passes around are
stored as they are, since a replay needs them.

Names that ``$ENACT_SAFE_KEYS`` lists, with commas between them, tell no credential: the
rules for names leave what is under them alone. The rules for shapes know no exception.

Every rule takes time in proportion to the text: a run of the characters that a
credential is made of is only tried where it begins, and is never given back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from enact.values.live import MARK, without_live


class Pattern:
    """A regular expression that is compiled when it is first used.

    Most programs meet few of them, and compiling all takes milliseconds of the import.
    """

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:  # called for what is not set yet
        compiled = re.compile(self._text, self._flags)
        for method in ("fullmatch", "match", "search", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


# --- shapes -----------------------------------------------------------------------

# Not within a longer word, so that each run of characters is looked at once.
_START = r"(?<![A-Za-z0-9_-])"

# Words joined by hyphens are no keys: keys have capitals and digits, or many digits.
_RANDOM = (
    r"(?=[A-Za-z_-]{0,80}+[0-9])"
    r"(?:(?=[a-z0-9_-]{0,80}+[A-Z])|(?=(?:[A-Za-z_-]{0,80}+[0-9]){3}))"
)

_PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[A-Za-z0-9+/=:,]|-(?!-)|\s|\\[nr])*+"
    r"(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)

_SLACK = r"xox[abeoprs]-(?=[a-z-]{0,80}+[0-9])[A-Za-z0-9_-]{10,}+"
_JWT = r"eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+"
_URL_PASSWORD = r"(?<=://)[^\s/:@'\"\\]{0,200}+:([^\s/@'\"]{1,200}+)@"

_BEARER = (
    r"[ \t]{1,8}+"
    r"((?=[A-Za-z._~+/=-]{0,80}+[0-9])[A-Za-z0-9._~+/=-]{8,}+"
    r"|[A-Za-z0-9._~+/=-]{32,}+)"
)

#: Name of the rule, a text without which it need not look, and what it takes out; of a
#: pattern with a group, the group.
SHAPES: tuple[tuple[str, str, Pattern], ...] = tuple(
    (name, hint, Pattern(pattern))
    for name, hint, pattern in (
        ("private-key", "PRIVATE KEY", _PRIVATE_KEY),
        ("anthropic-key", "sk-ant-", _START + r"sk-ant-[A-Za-z0-9_-]{12,}+"),
        ("openai-key", "sk-", _START + r"sk-" + _RANDOM + r"[A-Za-z0-9_-]{16,}+"),
        ("stripe-key", "k_", _START + r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}+"),
        ("github-token", "gh", _START + r"gh[opsru]_[A-Za-z0-9]{20,}+"),
        ("github-token", "github_pat_", _START + r"github_pat_[A-Za-z0-9_]{20,}+"),
        ("gitlab-token", "glpat-", _START + r"glpat-[A-Za-z0-9_-]{16,}+"),
        ("slack-token", "xox", _START + _SLACK),
        ("aws-key", "IA", _START + r"A(?:KI|SI)A[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("google-key", "AIza", _START + r"AIza[A-Za-z0-9_-]{30,}+"),
        ("google-token", "ya29.", _START + r"ya29\.[A-Za-z0-9_-]{20,}+"),
        ("huggingface-token", "hf_", _START + r"hf_" + _RANDOM + r"[A-Za-z0-9]{20,}+"),
        ("npm-token", "npm_", _START + r"npm_" + _RANDOM + r"[A-Za-z0-9]{30,}+"),
        ("jwt", "eyJ", _START + _JWT),
        ("bearer-token", "earer", _START + r"[Bb]earer" + _BEARER),
        ("bearer-token", "EARER", _START + r"BEARER" + _BEARER),
        ("url-password", "://", _URL_PASSWORD),
    )
)

# --- names ------------------------------------------------------------------------

# A value under such a name is a credential, whatever it looks like.
_ALWAYS = (
    "password|passwd|pwd|passphrase|authorization|proxy[_-]authorization"
    "|(?:x[_-])?api[_-]?key|apikey|client[_-]?secret|secret[_-]?(?:access[_-]?)?key"
    "|(?:access|private|auth|signing|encryption)[_-]?key"
    "|(?:access|refresh|auth|api|bearer|session|id|csrf|security)[_-]?token"
    "|x[_-]amz[_-](?:signature|security[_-]token)"
)

# These have other meanings as well, so the value must look random.
_OFTEN = "token|secret|credentials?|cookie|set[_-]cookie|session[_-]?id"

_SAFE = frozenset(
    name.strip().lower() for name in os.environ.get("ENACT_SAFE_KEYS", "").split(",")
) - {""}

_ALWAYS_NAME = Pattern(f"(?:.*[_.-])?({_ALWAYS})", re.IGNORECASE | re.ASCII)
_OFTEN_NAME = Pattern(f"(?:.*[_.-])?({_OFTEN})", re.IGNORECASE | re.ASCII)

# ``name: value`` and ``name=value``, as in messages, reprs, JSON, addresses, headers
# and command lines.
_NAMED = Pattern(
    rf"(?<![A-Za-z0-9])({_ALWAYS}|{_OFTEN})(?![A-Za-z0-9_-])"
    r"""(\\?["']?+[ \t]{0,4}+(?:=>?|:)[ \t]{0,4}+)"""
    r"""(b?\\?"(?:[^"\\\n]|\\.)*+"?|b?\\?'(?:[^'\\\n]|\\.)*+'?"""
    r"""|(?:(?:basic|bearer|digest|token)[ \t]++)?[^\s"'&,;<>(){}\[\]\\]++)""",
    re.IGNORECASE | re.ASCII,
)
_IN_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
# Longer than any credential.
_MARGIN = 1 << 16

_OPENING = Pattern(r"""b?\\?["']""")
_NOTHING = frozenset(("", "none", "null", "true", "false", "undefined", "***"))
_RANDOM_TEXT = Pattern(r"(?=[^0-9]*+[0-9])(?=[^A-Za-z]*+[A-Za-z])\S{12,}+")
_PLACEHOLDER = Pattern(r"\[redacted:[a-z-]{1,40}\]|\*+|\.{3,}|[xX]{3,}|<[^<>]{0,40}>")


def mark(rule: str) -> str:
    """Return what stands in place of what a rule takes out.

    Args:
        rule: its name.

    Returns:
        The mark.

    Example:
        >>> mark("jwt")
        '[redacted:jwt]'
    """
    return f"[redacted:{rule}]"


def name_rule(name: object, value: object) -> str | None:
    """Return the rule by which a value under a name is a credential.

    Args:
        name: a key, or the name of a field or argument.
        value: what it is of.

    Returns:
        The name of the rule, or None.

    Example:
        >>> name_rule("openai_api_key", "abc"), name_rule("max_tokens", "256")
        ('api-key', None)
    """
    if type(name) is not str or len(name) > 80:
        return None
    rule, always = _rule_of(name)
    if rule is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str) or value.lower() in _NOTHING:
        return None
    if _PLACEHOLDER.fullmatch(value):
        return None
    return rule if always or _RANDOM_TEXT.match(value) else None


@lru_cache(maxsize=4096)
def _rule_of(name: str) -> tuple[str | None, bool]:
    """The rule for a name, and whether it holds for any value."""
    if name.lower() in _SAFE:
        return None, False
    always = _ALWAYS_NAME.fullmatch(name)
    found = always or _OFTEN_NAME.fullmatch(name)
    rule = None if found is None else found[1].lower().replace("_", "-")
    return rule, always is not None


def shape_rule(text: str) -> str | None:
    """Return the first rule by which a text holds something shaped like a credential.

    Args:
        text: any.

    Returns:
        The name of the rule, or None.

    Example:
        >>> shape_rule("postgres://ada:lovelace@db/books")
        'url-password'
    """
    for rule, hint, pattern in SHAPES:
        if hint in text and pattern.search(text):
            return rule
    return None


def redact(text: str) -> str:
    """Return a text without what is, or looks like, a credential.

    Args:
        text: any.

    Returns:
        The text, with marks such as ``[redacted:jwt]``.

    Example:
        >>> redact("login failed: password='hunter2' for postgres://ada:pw@db/books")
        "login failed: password='[redacted:password]' for postgres://ada:[redacted:url-password]@db/books"
    """
    text = without_live(text)
    for rule, hint, pattern in SHAPES:
        if hint in text:
            text = pattern.sub(_replacing(rule), text)
    if ":" in text or "=" in text:
        text = _NAMED.sub(_without_value, text)
    return text


def _without_value(match: re.Match[str]) -> str:
    name, between, value = match.groups()
    if _SAFE and _whole_name(match).lower() in _SAFE:
        return match[0]
    return f"{name}{between}" + (_hidden(name, between, value) or _inside(value))


def _whole_name(match: re.Match[str]) -> str:
    """The name of a value, of which a pattern may have seen the end alone."""
    begin = match.start(1)
    before = match.string[max(0, begin - 80) : begin]
    return before[len(before.rstrip(_IN_NAMES)) :] + match[1]


def _inside(value: str) -> str:
    """Look for names in a value that is no credential as a whole; once, no deeper."""
    inside: str = _NAMED.sub(
        lambda match: match[1] + match[2] + (_hidden(*match.groups()) or match[3]),
        value,
    )
    return inside


def _hidden(name: str, between: str, value: str) -> str | None:
    """What stands in place of a value under a name, None if it stays."""
    found = _OPENING.match(value)
    opening = found[0] if found else ""
    inner = value[len(opening) :]
    closing = opening.lstrip("b")
    inner = inner.removesuffix(closing) if closing else inner
    if not opening and "=" not in between and not _looks_random(inner):
        return None  # "password: must be longer" tells no password
    rule = None if "[redacted:" in inner else name_rule(name, inner)
    return rule and f"{opening}{mark(rule)}{closing}"


def redact_ends(text: str, keep: int) -> str:
    """Return a text without credentials, of which only the ends are to be shown.

    Args:
        text: any, however long.
        keep: how many characters at each end will be shown at most.

    Returns:
        The text; of a very long one, enough of both ends.
    """
    keep += _MARGIN
    if len(text) > 2 * keep:
        text = text[:keep] + text[-keep:]
    return redact(text)


def _replacing(rule: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        if not match.re.groups:
            return mark(rule)
        start, end = match.span(1)
        if MARK in match[1]:
            return match[0]
        begin = match.start()
        return match[0][: start - begin] + mark(rule) + match[0][end - begin :]

    return replace


def _looks_random(text: str) -> bool:
    """Tell whether a word after a colon is no word of a sentence."""
    scheme, _, rest = text.rpartition(" ")
    return bool(scheme) or any(not c.isalpha() for c in rest.rstrip(".!?"))


def shown(value: Any, limit: int = 100) -> str:
    """Return the ``repr`` of a value for a message: without credentials, and short.

    Args:
        value: anything.
        limit: in characters.

    Returns:
        The text.

    Example:
        >>> shown({"api_key": "abc", "n": 1})
        "{'api_key': '[redacted:api-key]', 'n': 1}"
    """
    try:
        text = redact_ends(repr(value), limit)
    except Exception as error:  # a broken __repr__ must not hide the message
        text = f"<{type(value).__qualname__}: repr() raised {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
