# SPDX-License-Identifier: Apache-2.0
"""``enact ui``: the page in the browser."""

from __future__ import annotations

import errno
import socket
import sys
import webbrowser
from collections.abc import Sequence

import click

from enact.cli.app import app_option, load_apps
from enact.cli.errors import Failure
from enact.cli.options import json_option, store_option
from enact.cli.output import note, show_json
from enact.cli.stores import changing, looking

PORT = 7331
_NEEDED = ("fastapi", "jinja2", "uvicorn", "starlette")


@click.command()
@click.argument("store", required=False)
@click.option(
    "--port",
    metavar="NUMBER",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    help="Where to listen; 0 for any that is free.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="An address of this machine that others cannot reach.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@app_option
@json_option
@store_option
def ui(
    store: str | None,
    port: int,
    host: str,
    no_open: bool,
    apps: Sequence[str],
    as_data: bool,
    url: str | None,
) -> None:
    """Show the store in the browser.

    STORE is a file, as for --store. The page changes nothing; with --app it can answer
    questions, fork runs at any call, and retry them. Ctrl-C ends it.
    """
    if store is not None and url is not None:
        raise click.UsageError("name the store once: as STORE or with --store")
    require_extra("the page")
    loaded = load_apps(apps) if apps else []
    path = _path(store or url, bool(loaded))
    from enact.explorer import Server, Source, make_app
    from enact.explorer.security import new_token

    listener = _listen(host, port)
    taken = listener.getsockname()[1]
    source = Source(path, writable=bool(loaded))
    token = new_token()
    app = make_app(source, port=taken, token=token, apps=loaded)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{taken}/?token={token}"
    if as_data:
        show_json({"url": address, "store": path})
    else:
        click.echo(address)
        note("open this address in a browser; Ctrl-C ends it")
    sys.stdout.flush()
    if not no_open:
        webbrowser.open(address)
    try:
        Server(app, listener).run()
    except KeyboardInterrupt:
        pass
    finally:
        source.close()


def require_extra(what: str) -> None:
    """Say how to install what is needed, if it is missing.

    Raises:
        Failure: it is.
    """
    try:
        import enact.explorer  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _NEEDED:
            raise
        raise Failure(
            f"{what} needs {error.name}, which is not installed: pip install"
            " 'enact[explorer]'"
        ) from None


def _path(url: str | None, writable: bool) -> str:
    """The file of the store, which can be opened."""
    with changing(url) if writable else looking(url) as store:
        return str(store.backend.path)  # type: ignore[attr-defined]  # SQLite's


def _listen(host: str, port: int) -> socket.socket:
    from enact.explorer import listen

    if not (host in ("localhost", "::1") or host.startswith("127.")):
        raise click.BadParameter(
            f"{host} can be reached by others: the page is for this machine alone (from"
            " another one, use a tunnel such as `ssh -L`)",
            param_hint="--host",
        )
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise click.BadParameter(
                f"port {port} is taken: give another one, or 0 for any that is free",
                param_hint="--port",
            ) from None
        raise click.BadParameter(
            f"cannot listen at {host}, port {port}: {error.strerror or error}",
            param_hint="--host" if error.errno == errno.EADDRNOTAVAIL else "--port",
        ) from None
