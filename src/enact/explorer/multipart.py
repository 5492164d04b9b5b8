# SPDX-License-Identifier: Apache-2.0
"""What forms with files send (``multipart/form-data``, RFC 7578)."""

from __future__ import annotations

import re
from typing import Any

from fastapi import HTTPException

_NAME = re.compile(rb';\s*name="([^"\r\n]*)"')
_FILE = re.compile(rb";\s*filename=")
_MOST_PARTS = 2_000


class FormData(dict[str, str]):
    """What a form sent, by the names of its inputs.

    Attributes:
        files: what is in the files that were chosen.
    """

    def __init__(self, *args: Any, files: dict[str, bytes] | None = None) -> None:
        super().__init__(*args)
        self.files = files or {}


def read_parts(body: bytes, boundary: str) -> FormData:
    """Read the inputs of a form, and its files.

    Args:
        body: what was sent.
        boundary: that is between the parts.

    Raises:
        HTTPException: it is not what browsers send.

    Example:
        >>> body = b'--x\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n1'
        >>> read_parts(body + b"\\r\\n--x--\\r\\n", "x")
        {'a': '1'}
    """
    line = b"\r\n--" + boundary.encode("latin-1", "replace")
    parts = (b"\r\n" + body).split(line, _MOST_PARTS)
    if parts[0].strip() or parts[-1].strip() != b"--" or len(parts) < 2:
        raise HTTPException(400, "this is not what a form of ours sends")
    form = FormData()
    for part in parts[1:-1]:
        head, between, data = part.partition(b"\r\n\r\n")
        disposition = next(
            (one for one in head.split(b"\r\n")
             if one.lower().startswith(b"content-disposition:")), b"",
        )  # fmt: skip
        name = _NAME.search(disposition)
        if not between or name is None:
            raise HTTPException(400, "this is not what a form of ours sends")
        key = name[1].decode("utf-8", "replace")
        if not _FILE.search(disposition):
            form[key] = data.decode("utf-8", "replace")
        elif data:
            form.files[key] = data
    return form
