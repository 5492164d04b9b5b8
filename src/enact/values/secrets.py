# SPDX-License-Identifier: Apache-2.0
"""Values that are never written.

Of a secret only a fingerprint is stored: its HMAC-SHA256, under a key that lies in no
store. So the same secret has the same bytes each time, and a replay compares by them,
while nobody who has the store can try out short secrets.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, final

from enact.errors import (
    EnactError,
    MalformedBlock,
    SecretKeyUnavailable,
    SecretNotStored,
    UnstorableValue,
)
from enact.values.encoder import Encoder
from enact.values.live import MARK, live_secrets, remember
from enact.values.registry import LOADERS, LOWERERS, NAMED_TYPES, TYPE_NAMES
from enact.values.secret_key import KEY_ID_SIZE, key_id, known_key_id, secret_key

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowering, Raising
    from enact.values.paths import Frame

T = TypeVar("T")

#: What is stored of a secret: which key made the fingerprint, and the fingerprint.
Print = tuple[bytes, bytes]

_NAME = "enact/Secret"
_DOMAIN = b"enact/Secret\0"
_MISSING: Any = object()


@final
class Secret(Generic[T]):
    """Holds a value that must never be written.

    A store keeps a keyed fingerprint of it, by which a replay knows it again. Loaded
    from a store, a secret has no value: the program makes it again.

    Args:
        value: any value that can be stored, most often text.

    Example:
        >>> key = Secret("correct horse battery staple")
        >>> key
        Secret([redacted:secret])
        >>> key.reveal()
        'correct horse battery staple'
        >>> key == Secret("correct horse battery staple")
        True
    """

    __slots__ = ("__weakref__", "_print", "_value", "guises")

    _value: T
    _print: Print | None
    guises: tuple[str, ...] | None

    def __init__(self, value: T) -> None:
        self._value = value
        self._print = None
        self.guises = None
        remember(self)

    def reveal(self) -> T:
        """Return the value.

        Returns:
            What the secret was made of.

        Raises:
            SecretNotStored: the secret was loaded from a store.
        """
        if self._value is _MISSING:
            raise SecretNotStored(
                "the value of this secret was never stored, only its fingerprint"
                f"{_other_key(self)}. Make it again before the replay, as in "
                "`KEY = enact.Secret(os.environ['MY_KEY'])`, or pass it: "
                "`enact.invoke(fn, (KEY,), replay_from=invocation)`"
            )
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MARK}{_other_key(self)})"

    def __str__(self) -> str:
        return MARK

    def __eq__(self, other: object) -> bool:
        if type(other) is not Secret:
            return NotImplemented
        if self is other:
            return True
        known = self._value is not _MISSING and other._value is not _MISSING
        try:
            if known:
                mine, theirs = _digest(self._value), _digest(other._value)
            else:
                mine, theirs = b"".join(print_of(self)), b"".join(print_of(other))
        except EnactError:
            same: Any = type(self._value) is type(other._value)
            return known and bool(same and self._value == other._value)
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(print_of(self))

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, memo: object) -> Secret[T]:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Secret is never written, so it cannot be pickled; let the other "
            "process make its own, from its environment for example"
        )


def _other_key(secret: Secret[Any]) -> str:
    """Words for a fingerprint that nothing made here can equal."""
    found = secret._print
    known = known_key_id() if found is not None else None
    if found is None or known is None or found[0] == known:
        return ""
    return ", made with another key (see ENACT_SECRET_KEY)"


def print_of(secret: Secret[Any]) -> Print:
    """Return what is stored of a secret.

    Args:
        secret: live or loaded.

    Returns:
        Which key made the fingerprint, and the fingerprint.

    Raises:
        SecretKeyUnavailable: there is no key to make it with.
        UnstorableValue: what the secret holds is no value that can be stored.
    """
    if secret._print is not None:
        return secret._print
    # The value may have changed since, so nothing is kept.
    key = secret_key()
    data = _encoded(secret._value)
    return key_id(key), hmac.digest(key, _DOMAIN + data, "sha256")


def _encoded(value: object) -> bytes:
    """The canonical bytes of a value; what is said of failures shows no part of it."""
    try:
        return Encoder(_drop).encode(value)
    except SecretKeyUnavailable:
        raise
    except EnactError:
        raise UnstorableValue(
            f"a Secret has a fingerprint if what it holds can be stored, and this "
            f"{type(value).__qualname__} cannot"
        ) from None


def _digest(value: object) -> bytes:
    return sha256(_encoded(value)).digest()


def _drop(cid: bytes, data: bytes) -> None:
    """Take a block that nobody needs."""


def loaded(stored: Print) -> Secret[Any]:
    """Return a secret of which only the fingerprint is known.

    Args:
        stored: as `print_of` gives it.

    Returns:
        A secret that cannot be revealed.
    """
    secret: Secret[Any] = object.__new__(Secret)
    secret._value = _MISSING
    secret._print = stored
    secret.guises = None
    return secret


def find_live(stored: Print) -> Secret[Any] | None:
    """Return the secret that is alive and has a fingerprint.

    Args:
        stored: as `print_of` gives it.

    Returns:
        The secret, or None.
    """
    return among(live_secrets())(stored)


def among(secrets: Iterable[object]) -> Callable[[Print], Secret[Any] | None]:
    """Return a function that finds one of some secrets by its fingerprint.

    Args:
        secrets: live or loaded; other things among them do not matter.

    Returns:
        The function, for `decode`.
    """
    known: dict[Print, Secret[Any]] | None = None

    def find(stored: Print) -> Secret[Any] | None:
        nonlocal known
        if known is None:
            known = {}
            for secret in secrets:
                if isinstance(secret, Secret):
                    try:
                        known[print_of(secret)] = secret
                    except EnactError:
                        continue  # it was never stored either
        return known.get(stored)

    return find


def holds_secret(value: object) -> bool:
    """Tell whether a part of a value would not be written.

    Args:
        value: any value that can be stored.

    Returns:
        Whether there is a secret in it, or an exception that tells one.

    Raises:
        UnstorableValue: a part cannot be stored.

    Example:
        >>> holds_secret([1, "two"])
        False
    """
    encoder = Encoder(_drop)
    encoder.encode(value)
    return encoder.withheld is not None


def require_written(value: object) -> None:
    """See that a value comes back whole when it is loaded.

    Args:
        value: an outcome that somebody puts into a record.

    Raises:
        UnstorableValue: there is a secret in it.
    """
    if holds_secret(value):
        raise UnstorableValue(
            "an outcome that is put into a record is handed out from there, and of a "
            "Secret in it nothing but a fingerprint would be: have the program make "
            "the secret by itself"
        )


def _lower(encoder: Lowering, value: Secret[Any], frame: Frame) -> Form:
    try:
        which, fingerprint = print_of(value)
    except SecretKeyUnavailable as error:
        try:
            return encoder.unstorable(value, frame, error.reason)
        except UnstorableValue as plain:
            raise SecretKeyUnavailable(error.reason, plain.path) from None
    except UnstorableValue as error:
        return encoder.unstorable(value, frame, error.reason)
    encoder.withhold(value)
    fields = {"key": which, "fingerprint": fingerprint}
    return encoder.envelope(_NAME, fields, frame)


def _load(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 3)
    stored = (
        decoder.part(bytes, form, "key", depth),
        decoder.part(bytes, form, "fingerprint", depth),
    )
    if len(stored[0]) != KEY_ID_SIZE or len(stored[1]) != sha256().digest_size:
        raise MalformedBlock("a fingerprint of another length")
    find = decoder.secrets
    return (None if find is None else find(stored)) or loaded(stored)


LOWERERS[Secret] = _lower
LOADERS[_NAME] = _load
NAMED_TYPES[_NAME] = Secret
TYPE_NAMES[Secret] = _NAME
