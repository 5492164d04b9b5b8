# SPDX-License-Identifier: Apache-2.0
"""Rows in files that other tools read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from enact.errors import SearchError
from enact.values import import_extra


def write_jsonl(rows: Iterable[dict[str, Any]], path: str | os.PathLike[str]) -> int:
    """Write rows as JSON lines, which ``datasets.load_dataset("json", ...)`` reads.

    Args:
        rows: as made here.
        path: of the file; one that is there is replaced.

    Returns:
        How many.
    """
    count = 0
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_parquet(rows: Iterable[dict[str, Any]], path: str | os.PathLike[str]) -> int:
    """Write rows as a Parquet file: ``datasets.load_dataset("parquet", ...)``.

    Args:
        rows: as made here, or the ``records()`` of a comparison; the values of a column
            are of one type.
        path: of the file; one that is there is replaced.

    Returns:
        How many.

    Raises:
        MissingExtra: pyarrow is not installed.
        SearchError: the values of a column are of several types.
    """
    parquet = import_extra("pyarrow.parquet", "parquet")
    arrow = import_extra("pyarrow", "parquet")
    try:
        table = arrow.Table.from_pylist(list(rows))
    except arrow.ArrowException as error:
        raise SearchError(
            f"these rows are no table, since a column has values of several types "
            f"({error}). Next: `write_jsonl` takes them as they are"
        ) from None
    parquet.write_table(table, path)
    return int(table.num_rows)
