"""What the program and its pages say about itself is true."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from mailkeel.cli.main import _COMMANDS
from mailkeel.daemons.itself import LIBRARIES
from mailkeel.operate.catalogue import ALL
from mailkeel.prove import IDS

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src/mailkeel").rglob("*.py"))


def _strings(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


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
    named = {match for text in _strings(path) for match in re.findall(r"`mailkeel ([a-z]+)", text)}
    assert named <= set(_COMMANDS), f"{path.name} names commands that do not exist"


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md", "docs/json.md"])
def test_every_command_that_a_page_names_exists(page: str) -> None:
    """Pages don't promise what is not there."""
    named = set(re.findall(r"(?:`|\./|^    )mailkeel ([a-z]+)\b", (ROOT / page).read_text(), re.MULTILINE))
    assert named
    assert named <= set(_COMMANDS)


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
