"""What the program and its pages say about itself is true."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path

import click
import pytest

from mailkeel.cli.main import _COMMANDS, _program
from mailkeel.daemons.itself import LIBRARIES
from mailkeel.operate.catalogue import ALL
from mailkeel.prove import IDS

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src/mailkeel").rglob("*.py"))


def _strings(path: Path) -> list[str]:
    """Every string of a module; of an f-string the whole, with X for what is filled in."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return plain + [_filled(n) for n in nodes if isinstance(n, ast.JoinedStr)]


def _filled(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)


def _unknown_words(text: str) -> list[str]:
    """The commands, sub-commands and long options that texts in backticks name and the program lacks."""
    calls = re.findall(r"`(mailkeel|mail-spf-check) ([^`]*)", text)
    return [word for name, words in calls for word in _unknown_of(_program(name), words.split())]


def _unknown_of(command: click.Command, words: list[str]) -> Iterator[str]:
    context = click.Context(command)
    for word in words:
        if word.startswith("--"):
            options = {option for param in command.get_params(context) for option in param.opts}
            if word.partition("=")[0] not in options:
                yield f"{command.name} {word}"
        elif isinstance(command, click.Group):
            below = command.get_command(context, word)
            if below is None:
                yield f"{command.name} {word}"
                return
            command, context = below, click.Context(below)


def _launcher() -> dict[str, str]:
    loader = SourceFileLoader("launcher", str(ROOT / "mailkeel"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("launcher", loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    libraries: dict[str, str] = module.LIBRARIES
    return libraries


def test_the_launcher_installs_the_libraries_that_the_package_wants() -> None:
    """Two lists, because the launcher runs before anything can be imported."""
    assert sorted(_launcher().values()) == sorted(LIBRARIES)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_command_that_a_text_names_exists(path: Path) -> None:
    """A remedy that cannot be followed is worse than none."""
    assert [word for text in _strings(path) for word in _unknown_words(text)] == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("run `mailkeel watch` now", ["cli watch"]),
        ("`mailkeel dns publish`", ["dns publish"]),
        ("`mailkeel dns check --wait`, `mailkeel dns records`", ["check --wait"]),
        ("`mailkeel prove --only V2 --to ADDRESS`", ["prove --to"]),
        ("`mail-spf-check DOMAIN --ip ADDRESS --from X`", ["mail-spf-check --from"]),
        ("`mailkeel --help`, `mailkeel plan /x.toml --diff`, `mailkeel dns records --format=bind`", []),
    ],
)
def test_what_does_not_exist_is_noticed(text: str, unknown: list[str]) -> None:
    """Commands, sub-commands and long options alike."""
    assert _unknown_words(text) == unknown


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md", "docs/json.md"])
def test_every_command_that_a_page_names_exists(page: str) -> None:
    """Pages don't promise what is not there."""
    calls = re.findall(r"(?:`|\./|^    )mailkeel ([^`#\n]+)", (ROOT / page).read_text(), re.MULTILINE)
    assert calls
    assert [word for words in calls for word in _unknown_of(_program("mailkeel"), words.split())] == []


def test_every_command_has_its_page_and_help() -> None:
    """The page of commands has a row for each."""
    page = (ROOT / "docs/commands.md").read_text()
    for name in _COMMANDS:
        assert f"`mailkeel {name}" in page
    for name in _COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "mailkeel", name, "--help"],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stderr
        assert "Usage:" in done.stdout


@pytest.mark.parametrize("id_", [*IDS, "E1", "E2", "E3", "E4", *(error.id for error in ALL)])
def test_explain_knows_every_criterion_row_and_error(id_: str) -> None:
    """What `prove` prints can be asked about."""
    from mailkeel.operate.catalogue import explain

    assert explain(id_).is_known


def test_libraries_are_in_the_lab_cache() -> None:
    """Hosts of the tests have no network: what is installed there must have been downloaded before."""
    from mailkeel.lab.roots import LIBRARY_PACKAGES

    assert set(LIBRARIES) <= set(LIBRARY_PACKAGES)
