# SPDX-License-Identifier: Apache-2.0
"""``enact rewind`` and ``enact edit``: partial invocations to go on from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any

import click

from enact.calls import Invocation
from enact.cli.app import app_option, load_apps
from enact.cli.errors import Failure
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import show_json
from enact.cli.replaying import invocation_of
from enact.cli.running import replay_now
from enact.cli.stores import changing
from enact.errors import WrongAnswer
from enact.query import Store
from enact.query.reading import exception_in, from_data
from enact.render import load_value
from enact.values import Ref, Unknown

_TAG_HELP = "A name for what comes out; without one, `enact gc` may remove it."


@click.command()
@name_argument()
@click.option(
    "-n",
    "--calls",
    "count",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="Drop the last calls made by the call at the top; 0 for its outcome alone."
    "  [default: 1]",
)
@click.option("--tag", metavar="TAG", help=_TAG_HELP)
@click.option("--replay", is_flag=True, help="Go on from there at once.")
@app_option
@json_option
@store_option
def rewind(
    what: str,
    count: int | None,
    tag: str | None,
    replay: bool,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Cut calls off the end of a recording.

    WHAT is a run; with a path behind it, that call is cut off, and all that began after
    it; they are drawn anew. What comes out is another recording, for `enact preview`
    and `enact replay`.
    """
    if replay:
        load_apps(apps)
    with changing(url) as store:
        view = invocation_of(store, what)
        if view.path:
            if count is not None:
                raise click.UsageError("give a path or --calls, not both")
            partial = view.root.rewind(to=view)
        else:
            partial = view.rewind(1 if count is None else count)
        _done(store, partial, tag, replay, as_data)


@click.command()
@name_argument()
@click.option("--output", metavar="JSON", help="What the call is to have returned.")
@click.option("--text", metavar="TEXT", help="The same for text, as it is.")
@click.option(
    "--file", type=click.File("r"), help="The text, from a file, or - (stdin)."
)
@click.option("--raises", metavar="'TYPE: TEXT'", help="What it is to have raised.")
@click.option("--tag", metavar="TAG", help=_TAG_HELP)
@click.option("--replay", is_flag=True, help="Go on from there at once.")
@app_option
@json_option
@store_option
def edit(
    what: str,
    output: str | None,
    text: str | None,
    file: IO[str] | None,
    raises: str | None,
    tag: str | None,
    replay: bool,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Replace what one recorded call returned.

    WHAT is a call, such as @latest/2/0. A replay runs what depends on it. JSON becomes
    a value of the type that was recorded, where it can. The recording itself stays as
    it is.
    """
    given = [one for one in (output, text, file, raises) if one is not None]
    if len(given) != 1:
        raise click.UsageError("give one of --output, --text, --file and --raises")
    if replay or apps:
        load_apps(apps)
    with changing(url) as store:
        view = invocation_of(store, what)
        if raises is not None:
            partial = view.root.edit(view, raises=_exception(raises))
        else:
            value: Any = text if file is None else file.read()
            if output is not None:
                value = _value(store, view, output)
            partial = view.root.edit(view, output=value)
        _done(store, partial, tag, replay, as_data)


def _value(store: Store, view: Invocation, text: str) -> Any:
    """The value that JSON stands for, of the recorded type where that can be."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(
            f"it is no JSON ({error}); for text use --text", param_hint="--output"
        ) from None
    cid = view._recorded().output
    old = None if cid is None else load_value(store, Ref(cid, view._store()))
    if isinstance(old, Unknown):
        raise Failure(
            f"the call returned a {old.type}, which is not known here: name the module"
            " that defines it with --app"
        )
    if old is None:
        return data
    try:
        return from_data(data, type(old))
    except Exception as error:
        raise Failure(
            f"the call returned a {type(old).__qualname__}, which cannot be made of"
            f" this JSON: {type(error).__name__}: {error}"
        ) from None


def _exception(text: str) -> BaseException:
    try:
        return exception_in(text)
    except WrongAnswer as error:
        raise click.BadParameter(str(error), param_hint="--raises") from None


def _done(
    store: Store, partial: Invocation, tag: str | None, replay: bool, as_data: bool
) -> None:
    ref = partial.ref
    if tag is not None:
        store.tag(tag, ref)
    if replay:
        replay_now(store, partial, as_data=as_data)
    elif as_data:
        show_json({"ref": ref.id, "tag": tag})
    else:
        click.echo(ref.id)
        name = tag or ref.id[:20]
        click.echo(f"`enact preview {name}` says what would run, `enact replay {name}` "
                   "runs it")  # fmt: skip
