# SPDX-License-Identifier: Apache-2.0
"""What several executions want is done by the one that was asked for first."""

from __future__ import annotations

import threading

import pytest

from enact.search.claims import Claims, Turn


def test_the_first_that_was_asked_for_makes_the_claim_whoever_comes_first() -> None:
    claims = Claims()
    turns: list[Turn] = []
    for _ in range(4):
        turns.append(Turn(turns[-1] if turns else None))
    mine: list[int] = []
    got: list[str] = []

    def want(place: int) -> None:
        turns[place].wait()
        claim, is_mine = claims.take("score")
        turns[place].end()
        if is_mine:
            mine.append(place)
            claim.settle(lambda: "made")
        got.append(claim.result())

    threads = [threading.Thread(target=want, args=(place,)) for place in (3, 2, 1)]
    for thread in threads:
        thread.start()
    want(0)
    for thread in threads:
        thread.join(10)
    assert (mine, got) == ([0], ["made"] * 4)


def test_what_one_fails_at_the_others_fail_at() -> None:
    claims = Claims()
    claim, _ = claims.take("score")

    def fail() -> None:
        raise KeyError("rubric")

    with pytest.raises(KeyError):
        claim.settle(fail)
    again, is_mine = claims.take("score")
    assert not is_mine
    with pytest.raises(KeyError, match="rubric"):
        again.result()
