# SPDX-License-Identifier: Apache-2.0
"""The command ``enact`` and its parts."""

from __future__ import annotations

import click

from enact.cli.calls import calls, samples
from enact.cli.care import backup, check, compact, gc, init, purge
from enact.cli.cat import cat
from enact.cli.diff import diff
from enact.cli.errors import Commands
from enact.cli.export import export
from enact.cli.forking import edit, rewind
from enact.cli.log import log
from enact.cli.questions import answer, inbox
from enact.cli.replaying import affected, preview, replay, resume
from enact.cli.searching import search
from enact.cli.show import show_command
from enact.cli.source import source
from enact.cli.status import status
from enact.cli.tag import tag
from enact.cli.ui import ui


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "-V", "--version", package_name="enact")
def main() -> None:
    """See and steer what was recorded.

    Commands name things by tags, by runs and refs (the beginning is enough), or by
    @latest; /1/0 behind a run is the first call of its second call.
    """


PARTS: dict[str, tuple[click.Command, ...]] = {
    "Look": (log, show_command, cat, diff, calls, samples, source, status, ui),
    "Run your program": (affected, preview, replay, rewind, edit, resume, search),
    "Questions": (inbox, answer),
    "Keep": (tag, export, backup),
    "Care": (check, gc, compact, purge, init),
}

for title, commands in PARTS.items():
    for command in commands:
        main.add_command(command)
        main.parts.setdefault(title, []).append(str(command.name))
