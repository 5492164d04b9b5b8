# SPDX-License-Identifier: Apache-2.0
"""The key of fingerprints: one per user, in no store."""

from __future__ import annotations

import hmac
import os
import secrets
import time
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from enact.errors import SecretKeyUnavailable

#: Says which key made a fingerprint, without telling the key.
KEY_ID_SIZE = 8

VARIABLE = "ENACT_SECRET_KEY"
_SHORTEST = 16
_FILE_SIZE = 65  # 32 bytes in hexadecimal, and a line feed

# By path. Another thread may read the same file meanwhile: it reads the same key.
_keys: dict[str, bytes] = {}


def key_file() -> Path:
    """Return where the user's key is, or will be.

    Returns:
        ``enact/secret.key`` in the user's directory for configuration.

    Raises:
        SecretKeyUnavailable: nobody knows the home of this user.
    """
    base = os.environ.get("XDG_CONFIG_HOME")
    if not base or not os.path.isabs(base):  # relative ones are to be ignored
        try:
            base = str(Path.home() / ".config")
        except RuntimeError:
            raise SecretKeyUnavailable(
                f"this user has no home directory for a key of secrets: set {VARIABLE}"
            ) from None
    return Path(base, "enact", "secret.key")


def secret_key() -> bytes:
    """Return the key of fingerprints; the first time it is made.

    Returns:
        What ``ENACT_SECRET_KEY`` says, else the content of the user's key file.

    Raises:
        SecretKeyUnavailable: it can neither be read nor made.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return _from_text(given)
    path = key_file()
    name = str(path)
    key = _keys.get(name)
    if key is None:
        try:
            key = _keys[name] = _read(path) or _make(path)
        except OSError as error:
            raise SecretKeyUnavailable(
                f"the key of secrets at {path} can be neither read nor made: "
                f"{error.strerror or error}; see to its permissions, or set {VARIABLE}"
            ) from error
    return key


def known_key_id() -> bytes | None:
    """Return the identifier of the key of today, without making a key.

    Returns:
        The identifier, or None if there is no key yet.
    """
    try:
        if not os.environ.get(VARIABLE) and str(key_file()) not in _keys:
            key = _read(key_file())
            return None if key is None else key_id(key)
        return key_id(secret_key())
    except (SecretKeyUnavailable, OSError):
        return None


@lru_cache(maxsize=16)
def key_id(key: bytes) -> bytes:
    """Return the identifier of a key, from which the key cannot be told.

    Args:
        key: the key.

    Returns:
        A few bytes.
    """
    return hmac.digest(key, b"enact/SecretKey", "sha256")[:KEY_ID_SIZE]


@lru_cache(maxsize=16)
def _from_text(text: str) -> bytes:
    if len(text) < _SHORTEST:
        raise SecretKeyUnavailable(
            f"{VARIABLE} is shorter than {_SHORTEST} characters, so that it could be "
            "guessed; make one with "
            '`python -c "import secrets; print(secrets.token_hex(32))"`'
        )
    return sha256(b"enact/SecretKey\0" + os.fsencode(text)).digest()


def _read(path: Path) -> bytes | None:
    """Return the key in a file; None if there is no file."""
    for attempt in range(50):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        if len(text) == _FILE_SIZE:
            break
        if attempt < 49:
            time.sleep(0.01)  # where files cannot be linked, one may be half written
    try:
        key = bytes.fromhex(text.decode())
        if len(key) == 32:
            return key
    except ValueError:
        pass
    raise SecretKeyUnavailable(
        f"{path} is no key of secrets: bring back the right file, or remove it and "
        "have a new one made; secrets in older records are then not known again"
    )


def _make(path: Path) -> bytes:
    """Make the key file, or read the one that another process made just before."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = secrets.token_hex(32).encode() + b"\n"
    mine = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _write(mine, text)
    try:
        os.link(mine, path)  # all of it at once, and only if there is none
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        with suppress(FileExistsError):
            _write(path, text)
    finally:
        mine.unlink(missing_ok=True)
    key = _read(path)
    if key is None:
        raise SecretKeyUnavailable(f"the key of secrets at {path} went away")
    return key


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
