# SPDX-License-Identifier: Apache-2.0
"""Commands that look after a store: ``check``, ``gc``, ``purge`` and others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from enact.cli.errors import Failure
from enact.cli.options import Span, json_option, name_argument, store_option
from enact.cli.output import Line, show, show_block, show_json
from enact.cli.stores import changing, looking, store_path
from enact.query import find, open_store
from enact.render import visible
from enact.render.words import counted, size_in_words
from enact.values import Ref

DAY = 86_400.0


@click.command()
@json_option
@store_option
def check(as_data: bool, url: str | None) -> None:
    """Look for all that is wrong in the store.

    Nothing is changed. Exits with 1 if there are faults.
    """
    with looking(url) as store:
        with working("looking at every block, call and run"):
            report = store.check()
        if as_data:
            show_json(
                {
                    "store": report.place,
                    "ok": report.ok,
                    "blocks": report.blocks,
                    "calls": report.calls,
                    "runs": report.runs,
                    "entries": report.entries,
                    "faults": [
                        {"kind": f.kind, "where": f.where, "message": f.message}
                        for f in report.faults
                    ],
                }
            )
        else:
            show_block(visible(str(report)))
        if not report.ok:
            raise click.exceptions.Exit(1)


@click.command()
@click.option(
    "--grace",
    type=Span(),
    metavar="DURATION",
    default="1d",
    show_default=True,
    help="Keep what was written since then.",
)
@json_option
@store_option
def gc(grace: float, as_data: bool, url: str | None) -> None:
    """Take out what no run, tag or question needs.

    `enact compact` gives the space back to the disk.
    """
    with changing(url) as store:
        with working("looking for what nothing needs"):
            removed = store.gc(grace)
        if as_data:
            show_json({"blocks": removed.blocks, "bytes": removed.bytes})
            return
        size = f" ({size_in_words(removed.bytes)})" if removed.blocks else ""
        click.echo(f"removed {counted(removed.blocks, 'block')}{size}")


@click.command()
@name_argument()
@click.option(
    "--part",
    type=click.Choice(("output", "input", "raised")),
    help="Of a call: what of it to remove.",
)
@click.option("--why", metavar="TEXT", default="", help="Is kept, for people.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@store_option
def purge(
    what: str, part: str | None, why: str, yes: bool, as_data: bool, url: str | None
) -> None:
    """Remove one value for good.

    WHAT is a ref or a tag, or a call with --part. The bytes leave the file, which is
    rewritten; what refers to the value stays. Copies elsewhere are not reached.
    """
    with changing(url) as store:
        found = find(store, what)
        ref = found.ref
        if found.invocation is not None:
            if part is None:
                raise click.UsageError(
                    f"{what} is a call: say with --part what of it to remove"
                )
            cid = getattr(found.invocation._recorded(), part)
            if cid is None:
                raise Failure(f"{what} has no {part}")
            ref = Ref(cid, store)
        elif part is not None:
            raise click.UsageError(f"{what} is no call, and has no {part}")
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("nobody is here to ask: give --yes")
            click.confirm(f"Remove {ref.id} for good?", abort=True)
        with working("rewriting the file"):
            store.purge(ref, why)
        if as_data:
            show_json({"purged": ref.id, "why": why})
        else:
            click.echo(f"purged {ref.id}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@store_option
def backup(file: str, as_data: bool, url: str | None) -> None:
    """Write a copy of the store to FILE.

    FILE must not exist yet. Others may go on writing the store meanwhile.
    """
    with changing(url) as store:
        with working("copying"):
            store.backup(file)
        size = os.path.getsize(file)
        if as_data:
            show_json({"file": os.path.abspath(file), "bytes": size})
        else:
            click.echo(f"wrote {file} ({size_in_words(size)})")


@click.command()
@json_option
@store_option
def compact(as_data: bool, url: str | None) -> None:
    """Pack everything anew, and give free space back to the disk."""
    with changing(url) as store:
        with working("packing"):
            shrunk = store.compact()
        if as_data:
            show_json({"bytes": shrunk})
        else:
            click.echo(f"the store shrank by {size_in_words(max(0, shrunk))}")


@click.command()
@json_option
@store_option
def init(as_data: bool, url: str | None) -> None:
    """Make an empty store, if there is none yet.

    Programs do not need it: enact.open_store() makes a store as well.
    """
    path = Path(store_path(url))
    if path.is_dir():
        raise Failure(f"{path} is a directory: name a file in it")
    was_there = path.exists() and path.stat().st_size > 0
    private = path.parent.name == ".enact" and not path.parent.exists()
    open_store(path).close()
    if private:  # what was recorded is not for everybody who gets the sources
        (path.parent / ".gitignore").write_text("*\n", "utf-8")
    if as_data:
        show_json({"store": str(path.resolve()), "made": not was_there})
    else:
        done = "there already:" if was_there else "made"
        show(Line(f"{done} ").add(str(path), "bold"))


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show, on a terminal, that something is going on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield
