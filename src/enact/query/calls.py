# SPDX-License-Identifier: Apache-2.0
"""Calls that a store was asked for: to go through, or as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from enact.query.records import Call
from enact.values import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterable

    from enact.query.store import Store
    from enact.stores import CallRow

_COLUMNS = [
    "run", "number", "parent", "name", "status", "started", "duration", "verdict",
    "code", "invocation",
]  # fmt: skip


class Calls(Iterator[Call]):
    """Executed calls, read one by one.

    Example:
        >>> import enact
        >>> @enact.register
        ... def double(n: int) -> int:
        ...     return 2 * n
        >>> with enact.InMemoryStore() as store:
        ...     inv = enact.invoke(double, (4,))
        ...     [call.name.rpartition(":")[2] for call in store.calls()]
        ['double']
    """

    def __init__(self, store: Store, rows: Iterable[CallRow]) -> None:
        self._calls = (Call(store, row) for row in rows)

    def __next__(self) -> Call:
        return next(self._calls)

    def to_pandas(self) -> Any:
        """What is left of them as a pandas data frame, one row for each call.

        Returns:
            A data frame with the attributes of ``Call``; ``started`` is a time in UTC,
            ``duration`` in seconds, ``invocation`` an identifier. What calls told
            (``enact.annotate``) is in columns such as ``usage.usd``.

        Raises:
            MissingExtra: pandas is not installed.
        """
        pandas = import_extra("pandas", "pandas")
        records: list[dict[str, Any]] = []
        columns = dict.fromkeys(_COLUMNS)
        for call in self:
            record = {name: getattr(call, name) for name in _COLUMNS[:-1]}
            cid = call.invocation
            record["invocation"] = None if cid is None else cid.ref.id
            for name, value in call.usage.items():
                record[f"usage.{name}"] = value
                columns[f"usage.{name}"] = None
            records.append(record)
        frame = pandas.DataFrame(records, columns=list(columns))
        frame["started"] = pandas.to_datetime(frame["started"], unit="s", utc=True)
        frame["parent"] = frame["parent"].astype("Int64")
        return frame
