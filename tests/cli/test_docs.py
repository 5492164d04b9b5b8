# SPDX-License-Identifier: Apache-2.0
"""What docs/cli.md says is so: each example, each command, each option."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from enact.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
TEXT = PAGE.read_text("utf-8")
LEAVES: dict[str, click.Command] = {
    " ".join(filter(None, (name, part))): leaf
    for name, command in main.commands.items()
    for part, leaf in (
        command.commands.items()
        if isinstance(command, click.Group)
        else [("", command)]
    )
}
COMMANDS = sorted(LEAVES)

# What is another one every time.
CHANGING = (
    (r"bafyrei[a-z2-7]+", "REF"),
    (r"\b06[0-9a-f]{6,22}\b", "RUN"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d", "TIME"),
    (r"\d+ (s|min) ago", "AGO"),
    (r"\d+(\.\d+)? (us|ms|s)\b", "TOOK"),
    (r"\d+(\.\d)? (bytes|kB)", "SIZE"),
    (r"\d+ blocks|blocks +\d+", "BLOCKS"),
    (r"\d+ entries", "ENTRIES"),
    (r" +", " "),
)


def stable(text: str) -> list[str]:
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return [line.strip() for line in text.splitlines()]


def test_the_examples_print_what_the_page_says(tmp_path, monkeypatch):
    directory = tmp_path / "poems"
    directory.mkdir()
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (directory / "poems.py").write_text(code, "utf-8")
    monkeypatch.chdir(directory)
    monkeypatch.delenv("ENACT_STORE", raising=False)
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")

    def run(*arguments: str) -> str:
        if arguments[0] == "-m" and "--app" not in arguments:
            return CliRunner().invoke(main, arguments[2:], prog_name="enact").output
        done = subprocess.run(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
        return done.stdout

    run("poems.py")
    shown = 0
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = example.partition("\n")
            assert command.startswith("enact ")
            printed = run("-m", *shlex.split(command))
            printed = printed.replace(os.path.realpath("."), "/home/me/poems")
            assert stable(printed) == stable(expected), command
            shown += 1
    assert shown > 25


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name):
    assert re.search(rf"^\$ enact {name}\b", TEXT, re.MULTILINE)
    assert f"`enact {name}`" in TEXT


EVERYWHERE = {"--json", "--store", "--app", "--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_help_and_on_the_page(name):
    command = LEAVES[name]
    context = click.Context(command, info_name=name)
    help_text = command.get_help(context)
    assert command.help
    assert {"--json", "--store"} <= {o for p in command.params for o in p.opts}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            for option in parameter.opts + parameter.secondary_opts:
                assert option in help_text
            if not set(parameter.opts) & EVERYWHERE:
                told = [o for o in parameter.opts + parameter.secondary_opts
                        if f"`{o}`" in TEXT or f" {o} " in TEXT]  # fmt: skip
                assert told, f"{name} {parameter.opts} is not on the page"


def test_the_page_names_no_option_that_is_not_there():
    known = {
        option
        for command in LEAVES.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    assert named <= known | {"--help"}
    commands = set(re.findall(r"(?:\$ |`)enact ([a-z]+)", TEXT))
    assert commands == set(main.commands)


def test_the_help_lists_every_command_in_whole_sentences():
    text = main.get_help(click.Context(main, info_name="enact"))
    for name in main.commands:
        assert re.search(rf"^  {name} +\S.*\.$", text, re.MULTILINE), name
        assert not re.search(rf"^  {name} .*\.\.\.$", text, re.MULTILINE), name


def test_the_commands_in_the_readme_are_typed_rightly():
    readme = PAGE.parents[1].joinpath("README.md").read_text("utf-8")
    typed = re.findall(r"^enact ([a-z]+)([^#\n]*)", readme, re.MULTILINE)
    assert len(typed) > 4
    for name, arguments in typed:
        main.commands[name].make_context(name, shlex.split(arguments))
