# SPDX-License-Identifier: Apache-2.0
"""Answering, forking and retrying: with the user's program, and not without it."""

from __future__ import annotations

import dataclasses
import html
import itertools
import re
import threading
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest

import enact
from enact.explorer.forms import field_for
from tests.explorer.conftest import COOKIE, HOST, TOKEN, Client
from tests.explorer.test_pages import text_of


class Size(Enum):
    SMALL = 1
    LARGE = 2


@enact.register(name="page/Note")
@dataclasses.dataclass
class Note:
    title: str
    size: Size
    stars: int = 3


@enact.register(name="page/draft")
def draft(topic: str) -> str:
    enact.annotate(usd=0.25)
    return f"A line about the {topic}."


@enact.register(name="page/poem")
def poem(topic: str) -> str:
    return f"{draft(topic)} {draft('sky')}".upper()


@enact.register(name="page/ask")
def ask(wanted: Any, about: Any = None) -> Any:
    return enact.request_input(wanted, for_value=about, context="Well?")


BROKEN = [True]


@enact.register(name="page/brittle")
def brittle() -> str:
    line = draft("sea")
    if BROKEN:
        raise ValueError("not today")
    return line


def wait_for_jobs() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("enact-page-"):
            thread.join(20)


@pytest.fixture
def acting(page_of: Any, tmp_path: Path) -> Any:
    """A store with what a program recorded, and its page with the program."""

    def make(*arguments: Any) -> tuple[Client, str]:
        with enact.SQLiteStore(tmp_path / "runs.db") as store:
            enact.invoke(*arguments)
            run = store.runs()[0].id
        store.close()
        return page_of(tmp_path / "runs.db", apps=["app"]), f"/run/{run}"

    return make


def newest(client: Client) -> str:
    wait_for_jobs()
    found = re.search(r'href="(/run/[0-9a-f]+)"', client.page("/"))
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("wanted", "form", "value"),
    [
        (str, {"value": "two\r\nlines"}, "two\nlines"),
        (int, {"value": "12"}, 12),
        (float, {"value": "1.5"}, 1.5),
        (bool, {"value": "yes"}, True),
        (Size, {"value": "LARGE"}, Size.LARGE),
        (Literal["a", "b"], {"value": "b"}, "b"),
        (list[str], {"value": "one\ntwo\n"}, ["one", "two"]),
        (list[int], {"value": "[1, 2]"}, [1, 2]),
        (dict[str, int], {"value": '{"a": 1}'}, {"a": 1}),
        (int | None, {"value": "null"}, None),
        (
            Note,
            {"value.title": "x", "value.size": "SMALL", "value.stars": "5"},
            Note("x", Size.SMALL, 5),
        ),
    ],
    ids=str,
)
def test_a_question_is_answered_by_a_form_of_its_type(
    acting: Any, tmp_path: Path, wanted: Any, form: dict[str, str], value: Any
) -> None:
    client, run = acting(ask, (wanted,))
    assert "1</span>" in client.page("/")  # the badge
    (link,) = re.findall(r'href="(/run/[^"]+/answer[^"]*)"', client.page("/questions"))
    path, _, query = html.unescape(link).partition("?")
    page = client.get(path, call=query.partition("=")[2]).text
    assert "Well?" in page
    for name in form:
        assert f'name="{name}"' in page
    answer = post(client, path, query, **form, do="answer", go_on="1")
    assert answer.status == 303, answer.text
    wait_for_jobs()
    assert client.get(answer.headers["location"]).headers["location"] == run
    assert 'class="badge"' not in client.page(run)
    with enact.open_store(tmp_path / "runs.db", read_only=True) as store:
        (found,) = store.runs()
        assert found.invocation is not None
        assert found.invocation.output == value
    store.close()


def test_wrong_answers_come_back_with_what_was_typed(acting: Any) -> None:
    client, run = acting(ask, (list[int],))
    answer = client.post(f"{run}/answer", call="0", value="[1, <b>]", do="answer")
    # The call is a part of the address, not of the form.
    assert answer.status == 404
    answer = post(client, f"{run}/answer", "call=0", value="[1, <b>]", do="answer")
    assert answer.status == 422
    assert "is no list[int]" in text_of(answer.text) and "[1, &lt;b&gt;]" in answer.text
    assert "1</span>" in client.page("/")


def post(client: Client, path: str, query: str, **form: str) -> Any:
    headers = {"host": HOST, "cookie": COOKIE, "origin": f"http://{HOST}",
               "content-type": "application/x-www-form-urlencoded"}  # fmt: skip
    return client.send("POST", path, headers, query, urlencode(form).encode())


def test_a_question_is_accepted_or_declined(acting: Any) -> None:
    client, run = acting(ask, (str, "as it was"))
    page = client.page(f"{run}/answer", call="0")
    assert "Accept as it is" in page and "as it was</textarea>" in page
    done = post(client, f"{run}/answer", "call=0", do="accept", go_on="1")
    assert done.status == 303
    wait_for_jobs()
    assert "= 'as it was'" in text_of(client.page(run))
    again = post(client, f"{run}/answer", "call=0", do="accept")
    assert again.status == 404 and "waits for no answer" in again.text


def test_a_question_is_declined_with_a_reason(acting: Any) -> None:
    client, run = acting(ask, (str,))
    post(client, f"{run}/answer", "call=0", do="decline", why="not now", go_on="1")
    wait_for_jobs()
    told = text_of(client.page(run))
    assert "Declined" in told and "not now" in told and "failed" in told


def test_a_fork_is_previewed_and_run(acting: Any) -> None:
    client, run = acting(poem, ("sea",))
    page = client.page(f"{run}/fork", call="0")
    assert "A line about the sea.</textarea>" in page
    shown = post(client, f"{run}/fork", "call=0", do="edit", value="Salt.").text
    assert "What would run" in shown and "Salt.</textarea>" in shown
    assert "No registered call" in shown
    (ref,) = re.findall(r'name="ref" value="(\w+)"', shown)
    assert client.page("/").count('<tr id="run-') == 1  # nothing has run
    answer = post(client, "/replay", "", ref=ref)
    assert answer.status == 303
    wait_for_jobs()
    new = newest(client)
    assert client.get(answer.headers["location"]).headers["location"] == new != run
    told = text_of(client.page(new))
    assert "SALT. A LINE ABOUT THE SKY." in told and "edited" in told
    assert "A LINE ABOUT THE SEA" in text_of(client.page(run))


def test_a_call_is_drawn_anew_or_made_to_raise(acting: Any) -> None:
    client, run = acting(poem, ("sea",))
    shown = post(client, f"{run}/fork", "call=1", do="anew").text
    assert "1 call, " in text_of(shown) and "usd 0.25" in shown
    shown = post(client, f"{run}/fork", "call=1", do="raise", raises="ValueError: no")
    assert "It would end with ValueError: no" in text_of(shown.text)
    wrong = post(client, f"{run}/fork", "call=1", do="raise", raises="Nonsense")
    assert wrong.status == 422 and "is no exception here" in wrong.text


def test_a_failed_run_is_tried_again(acting: Any) -> None:
    BROKEN[:] = [True]
    with pytest.raises(ValueError, match="not today"):
        acting(brittle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enact, "invoke", lambda *_: None)
        client, run = acting(None)
    assert ">Retry</button>" in client.page(run)
    post(client, f"{run}/retry", "")
    wait_for_jobs()
    assert "failed" in text_of(client.page(run))
    BROKEN.clear()
    post(client, f"{run}/retry", "")
    wait_for_jobs()
    told = text_of(client.page(run))
    assert "completed" in told and ">Retry</button>" not in client.page(run)


def test_a_program_that_is_not_there_is_told(page_of: Any, recorded: Path) -> None:
    client = page_of(recorded, apps=["app"])
    with enact.open_store(recorded, read_only=True) as store:
        run = store.runs(name="shop_app:broken")[0].id
    store.close()
    assert post(client, f"/run/{run}/retry", "").status == 303
    wait_for_jobs()
    assert "no function is registered here" in text_of(client.page(f"/run/{run}"))


def test_without_the_program_nothing_acts(looking: Client, recorded: Path) -> None:
    before = recorded.read_bytes()
    with enact.open_store(recorded, read_only=True) as store:
        run = store.runs()[0].id
    store.close()
    for path in ("answer", "fork", "retry"):
        assert looking.get(f"/run/{run}/{path}", call="0").status == 404
        assert post(looking, f"/run/{run}/{path}", "call=0").status in (404, 405)
    assert post(looking, "/replay", "", ref="x").status in (404, 405)
    for page in ("/", "/questions", f"/run/{run}"):
        assert 'method="post"' not in looking.page(page)
    assert recorded.read_bytes() == before


def test_what_acts_takes_requests_of_this_page_only(acting: Any) -> None:
    client, run = acting(ask, (str,))
    targets = [
        "/replay",
        "/questions/answer",
        f"{run}/retry",
        f"{run}/fork",
        f"{run}/answer",
    ]
    body = b"do=answer&value=x&ref=x"
    tried = 0
    for path, method, host, origin, token, kind in itertools.product(
        targets,
        ("POST", "PUT", "DELETE", "PATCH"),
        (HOST, "evil.example", "127.0.0.1:1", None),
        (f"http://{HOST}", None, "null", "http://evil.example", "http://127.0.0.1:1"),
        (COOKIE, "", COOKIE + "x"),
        ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"),
    ):
        headers = {"content-type": kind, "cookie": token}
        headers |= {"host": host} if host else {}
        headers |= {"origin": origin} if origin else {}
        right = (method, host, origin, token) == (
            "POST", HOST, f"http://{HOST}", COOKIE
        )  # fmt: skip
        if right and kind.startswith("application"):
            continue  # it would do what it says
        answer = client.send(method, path, headers, "call=0", body)
        assert answer.status == (
            415 if right else 405 if method != "POST" else 403
        ) or (host != HOST and answer.status == 403)
        tried += 1
    assert tried > 2000
    for path in targets:
        got = client.send("GET", path, {"host": HOST, "cookie": COOKIE}, "call=0", body)
        assert got.status in (200, 404, 405)
        headers = {"host": HOST, "origin": f"http://{HOST}"}
        with_token = client.send("POST", path, headers, f"token={TOKEN}", body)
        assert with_token.status == 403  # a link has no cookie
    assert "1</span>" in client.page("/")  # it still waits
    assert client.page("/").count('<tr id="run-') == 1


def test_a_form_is_filled_with_what_there_is() -> None:
    field = field_for(Note, Note("x", Size.LARGE, 4))
    assert [one.value for one in field.fields] == ["x", "LARGE", "4"]
    assert [one.value for one in field_for(Note).fields] == ["", "", "3"]
    assert field_for(str, "api_key=sk-proj-abcdefghijkl1234567890").value == ""
