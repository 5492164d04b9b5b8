# SPDX-License-Identifier: Apache-2.0
"""Answers with files, and several answers at once."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

import pytest

import enact
from enact.errors import WrongAnswer
from enact.explorer.forms import field_for, value_from
from enact.explorer.multipart import FormData, read_parts
from enact.query.images import MOST_BYTES, image_kind, read_file
from tests.explorer.conftest import COOKIE, HOST, Client
from tests.explorer.test_acting import wait_for_jobs
from tests.explorer.test_pages import text_of
from tests.shop_app import PIXEL


@enact.register(name="page/Sketch")
@dataclasses.dataclass
class Sketch:
    title: str
    image: bytes


@enact.register(name="page/want")
def want(wanted: Any, about: Any = None, context: str = "Which?") -> Any:
    return enact.request_input(wanted, for_value=about, context=context)


@pytest.fixture
def asked(page_of: Any, tmp_path: Path) -> Any:
    """The page of a store in which these questions wait; gives their runs."""

    def make(*questions: tuple[Any, ...]) -> tuple[Client, list[str]]:
        with enact.SQLiteStore(tmp_path / "runs.db") as store:
            for question in questions:
                enact.invoke(want, question)
            runs = [run.id for run in store.runs()]
        store.close()
        return page_of(tmp_path / "runs.db", apps=["app"]), runs[::-1]

    return make


def upload(
    client: Client, path: str, query: str, files: dict[str, bytes], **form: str
) -> Any:
    parts = [f'name="{name}"\r\n\r\n{text}'.encode() for name, text in form.items()]
    parts += [
        f'name="{name}"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'.encode()
        + data
        for name, data in files.items()
    ]
    body = b"".join(
        b"--edge\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts
    )
    headers = {"host": HOST, "cookie": COOKIE, "origin": f"http://{HOST}",
               "content-type": "multipart/form-data; boundary=edge"}  # fmt: skip
    return client.send("POST", path, headers, query, body + b"--edge--\r\n")


def outputs(path: Path) -> list[Any]:
    with enact.open_store(path, read_only=True) as store:
        found = [run.invocation for run in store.runs()][::-1]
        values = [one.output if one and one.successful else None for one in found]
    store.close()
    return values


def test_an_image_is_handed_in(asked: Any, tmp_path: Path) -> None:
    client, (run,) = asked((bytes, PIXEL))
    page = client.page(f"/run/{run}/answer", call="0")
    assert 'type="file" accept="image/png' in page and 'src="data:image/png' in page
    assert 'enctype="multipart/form-data"' in page
    path = f"/run/{run}/answer"
    wrong = upload(
        client, path, "call=0", {"value": b"<svg onload=alert(1)>"}, do="answer"
    )
    assert wrong.status == 422 and "no image that is known here" in wrong.text
    image = b"GIF89a\r\n--edg\r\n\x00\xff"
    done = upload(client, path, "call=0", {"value": image}, do="answer", go_on="1")
    assert done.status == 303
    wait_for_jobs()
    assert outputs(tmp_path / "runs.db") == [image]
    assert 'src="data:image/gif' in client.page(f"/run/{run}")


def test_a_file_stays_where_none_is_chosen(asked: Any, tmp_path: Path) -> None:
    client, (run,) = asked((Sketch, Sketch("Sea", PIXEL)))
    page = client.page(f"/run/{run}/answer", call="0")
    assert 'name="value.image"' in page and "else it stays as it was" in page
    form = {"value.title": "Sky", "do": "answer", "go_on": "1"}
    assert upload(client, f"/run/{run}/answer", "call=0", {}, **form).status == 303
    wait_for_jobs()
    assert outputs(tmp_path / "runs.db") == [Sketch("Sky", PIXEL)]
    assert 'src="data:image/png' in client.page(f"/run/{run}")


def test_a_file_is_asked_for_and_has_a_limit() -> None:
    assert field_for(bytes).has_file and field_for(Sketch).has_file
    assert not field_for(str).has_file
    with pytest.raises(WrongAnswer, match="no file was chosen"):
        value_from(FormData(), bytes)
    assert value_from(FormData(), bytes | None) is None
    with pytest.raises(WrongAnswer, match=r"10,000,000 are the most"):
        read_file(b"x" * (MOST_BYTES + 1), bytes)


def test_pictures_of_pillow() -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    kind = image.Image
    assert field_for(kind).choices
    found = value_from(FormData(files={"value": PIXEL}), kind)
    assert isinstance(found, kind) and found.size == (1, 1)
    with pytest.raises(WrongAnswer, match="damaged"):
        read_file(PIXEL[:30], kind)


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"junk--x--", b"--x\r\n\r\nno name\r\n--x--\r\n"]
)
def test_what_no_browser_sends_is_refused(body: bytes) -> None:
    from fastapi import HTTPException

    with pytest.raises(HTTPException):
        read_parts(body, "x")


def test_images_are_known_by_their_beginnings() -> None:
    assert image_kind(b"RIFF....WEBPVP8 ") == "image/webp"
    assert image_kind(b"RIFF....WAVE") is None


def test_several_questions_are_answered_at_once(asked: Any, tmp_path: Path) -> None:
    client, runs = asked(
        (str, None, "Title?"), (int, None, "How many?"), (str, "as it was"), (str,),
        (bool,),
    )  # fmt: skip
    assert "5</span>" in client.page("/")
    listed = client.page("/questions")
    assert listed.count('type="checkbox"') == 5
    keys = [f"{run}.0" for run in runs]
    query = "&".join(f"q={key}" for key in keys)
    page = client.get("/questions/answer", q=keys[0]).text
    assert page.count('<section class="asked"') == 1 and "Title?" in page
    page = client.page("/questions/answer")
    assert page.count('<section class="asked"') == 5
    (action,) = re.findall(r'action="(/questions/answer[^"]*)"', page)
    assert html.unescape(action).count("q=") == 5
    form = {
        f"{keys[0]}.do": "answer", keys[0]: "Sea",
        f"{keys[1]}.do": "answer", keys[1]: "no number",
        f"{keys[2]}.do": "accept",
        f"{keys[3]}.do": "decline", f"{keys[3]}.why": "not now",
        f"{keys[4]}.do": "wait", keys[4]: "yes",
        "go_on": "1",
    }  # fmt: skip
    answer = upload(client, "/questions/answer", query, {}, **form)
    assert answer.status == 422
    assert answer.text.count('<section class="asked"') == 2
    assert "is no int" in answer.text and 'value="no number"' in answer.text
    wait_for_jobs()
    assert outputs(tmp_path / "runs.db") == ["Sea", None, "as it was", None, None]
    assert "Declined" in text_of(client.page(f"/run/{runs[3]}"))
    form = {f"{keys[1]}.do": "answer", keys[1]: "3", f"{keys[4]}.do": "answer",
            keys[4]: "yes", "go_on": "1"}  # fmt: skip
    assert upload(client, "/questions/answer", query, {}, **form).status == 303
    wait_for_jobs()
    assert outputs(tmp_path / "runs.db")[1::3] == [3, True]
    assert 'class="badge"' not in client.page("/")


def test_a_text_that_was_left_out_is_no_answer(asked: Any) -> None:
    client, (run,) = asked((str,))
    form = {f"{run}.0.do": "answer", f"{run}.0": ""}
    answer = upload(client, "/questions/answer", f"q={run}.0", {}, **form)
    assert answer.status == 422 and "nothing was typed" in answer.text
    assert "1</span>" in client.page("/")
