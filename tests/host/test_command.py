"""Running a command: what comes back, and what is said when it goes wrong."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from mailkeel.errors import HostError
from mailkeel.host import command
from mailkeel.host.command import run, stream

PYTHON = sys.executable


def test_status_and_both_streams_come_back() -> None:
    """Also of a command that fails, where nobody asked for an error; what is not UTF-8 does no harm."""
    done = run(["sh", "-c", 'cat; echo oops >&2; printf "\\377"; exit 3'], stdin=b"in\n")
    assert (done.status, done.stdout, done.stderr) == (3, "in\n\ufffd", "oops\n")
    assert done.argv[0] == "sh"


def test_a_failing_command_is_told_with_its_last_words() -> None:
    """Standard error before standard output; the last four lines."""
    with pytest.raises(HostError) as caught:
        run(["sh", "-c", "for n in 1 2 3 4 5; do echo line $n >&2; done; exit 7"], check=True)
    problem = caught.value.problems[0]
    assert problem.what == "exit status 7: line 2; line 3; line 4; line 5"
    assert problem.where.startswith("sh -c ")
    with pytest.raises(HostError, match="exit status 1: only here"):
        run(["sh", "-c", "echo only here; exit 1"], check=True)
    with pytest.raises(HostError, match="it said nothing"):
        run(["false"], check=True)


def test_a_missing_command_is_named(tmp_path: Path) -> None:
    """One that may not be run, or is no program, as well."""
    with pytest.raises(HostError, match="no-such-command-anywhere: there is no such command"):
        run(["no-such-command-anywhere"])
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(HostError):
        run([str(folder)])
    program = tmp_path / "program"
    program.write_text("neither script nor program")
    program.chmod(0o755)
    with pytest.raises(HostError):
        run([str(program)])


def test_a_command_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """Nothing goes on behind the back of who was told that it failed."""
    mark = tmp_path / "mark"
    began = time.monotonic()
    with pytest.raises(HostError, match=r"did not end within 0\.5 s"):
        run(["sh", "-c", f"(sleep 1.5; touch {mark}) & wait"], timeout_seconds=0.5)
    assert time.monotonic() - began < 1.4
    time.sleep(1.5)
    assert not mark.exists()


def test_a_daemon_that_a_command_leaves_behind_is_not_waited_for() -> None:
    """It may keep the output open as long as it lives."""
    began = time.monotonic()
    done = run(["sh", "-c", "sleep 5 & echo started"])
    assert done.stdout == "started\n"
    assert time.monotonic() - began < 3


def test_the_callers_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are in English, and no variable changes what a command does; a proxy is needed."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/tmp")
    monkeypatch.setenv("PATH", "/tmp")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    lines = set(run(["env"]).stdout.splitlines())
    assert {
        "LC_ALL=C.UTF-8",
        "DEBIAN_FRONTEND=noninteractive",
        "http_proxy=http://proxy.example:3128",
    } <= lines
    assert not {line for line in lines if line.startswith("LD_LIBRARY_PATH") or line == "PATH=/tmp"}


def test_ctrl_c_on_the_terminal_does_not_reach_the_command() -> None:
    """It runs in a session of its own."""
    done = run([PYTHON, "-c", "import os; print(os.getsid(0))"])
    assert int(done.stdout) != os.getsid(0)


FAKE_APT = """\
import os, sys
descriptor = int(sys.argv[2].partition("=")[2])
os.write(descriptor, b"pmstatus:postfix:12.5:Installing postfix\\n")
print("a line", flush=True)
os.write(descriptor, b"pmstatus:postfix:100:Installed postfix\\n")
sys.exit(4)
"""


def test_status_lines_are_handed_on_while_apt_runs(tmp_path: Path) -> None:
    """apt writes them to a descriptor of their own (APT::Status-Fd); its output comes back at the end."""
    apt = tmp_path / "apt"
    apt.write_text(f"#!{PYTHON}\n{FAKE_APT}")
    apt.chmod(0o755)
    told: list[str] = []
    done = stream([str(apt), "install"], told.append, timeout_seconds=10)
    assert told == ["pmstatus:postfix:12.5:Installing postfix", "pmstatus:postfix:100:Installed postfix"]
    assert (done.status, done.stdout) == (4, "a line\n")


def test_an_apt_that_hangs_is_ended(tmp_path: Path) -> None:
    """After its time."""
    apt = tmp_path / "apt"
    apt.write_text("#!/bin/sh\nexec sleep 20\n")
    apt.chmod(0o755)
    began = time.monotonic()
    assert stream([str(apt)], lambda _: None, timeout_seconds=0.5).status != 0
    assert time.monotonic() - began < 10
    with pytest.raises(HostError):
        stream([str(tmp_path / "absent")], lambda _: None, timeout_seconds=1)


def test_the_path_is_debians() -> None:
    """Daemons live in sbin."""
    assert command.environment()["PATH"].startswith("/usr/local/sbin:")
