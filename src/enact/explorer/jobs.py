# SPDX-License-Identifier: Apache-2.0
"""What the page lets run: in threads, while pages are answered."""

from __future__ import annotations

import threading
from collections.abc import Callable

from enact.calls import Invocation
from enact.errors import EnactError
from enact.explorer.source import Source
from enact.query import Store
from enact.render import visible
from enact.values import redact

_KEPT = 200


class Job:
    """Something that was started from the page.

    Attributes:
        label: what it is, in words.
        run: of which it is, as soon as that is known.
        error: why it came to nothing; None if it did not.
        done: whether it has ended.
    """

    def __init__(self, label: str, find_run: Callable[[Store], str | None]) -> None:
        self.label = label
        self.error: str | None = None
        self.done = False
        self.run: str | None = None
        self._find_run = find_run

    def look(self, store: Store) -> str | None:
        """The run, once it has begun."""
        if self.run is None:
            self.run = self._find_run(store)
        return self.run


class Jobs:
    """Starts jobs, and remembers the last ones.

    Args:
        source: of the store that they write.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._next = 1

    def start(self, job: Job, action: Callable[[Store], Invocation]) -> int:
        """Let something run; gives its number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._jobs[number] = job
            self._jobs.pop(number - _KEPT, None)
        threading.Thread(
            target=self._work, args=(job, action), name=f"enact-page-{number}",
            daemon=True,
        ).start()  # fmt: skip
        return number

    def find(self, number: int) -> Job | None:
        """A job by its number."""
        return self._jobs.get(number)

    def error_of(self, run: str) -> str | None:
        """Why the last job of a run came to nothing."""
        mine = [job for job in list(self._jobs.values()) if job.run == run]
        return mine[-1].error if mine else None

    def _work(self, job: Job, action: Callable[[Store], Invocation]) -> None:
        try:
            with self._source.opened() as store, store:
                found = action(store).__dict__.get("_run")
                job.run = job.run or (None if found is None else str(found))
        except EnactError as error:
            job.error = _told(str(error) or type(error).__name__)
        except BaseException as error:  # whatever the user's program does
            job.error = _told(f"the program ended with {type(error).__name__}: {error}")
        finally:
            job.done = True


def _told(text: str) -> str:
    return visible(redact(text))
