"""Running one command to its end, with a limit."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

import attrs

from mailkeel.errors import HostError, Problem

STDERR_SHOWN_CHARACTERS = 2000


@attrs.frozen
class Completed:
    """A command that ended by itself. Bytes that are not UTF-8 appear as `\\xNN`."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


class CommandFailed(HostError):
    """A command ended with a status other than 0; `completed` keeps all that it said."""

    def __init__(self, completed: Completed, where: str) -> None:
        said = (completed.stderr.strip() or completed.stdout.strip())[-STDERR_SHOWN_CHARACTERS:]
        super().__init__(
            Problem(
                f"{where}: {shlex.join(completed.argv)}",
                f"exit status {completed.status}: {said or 'no output'}",
                "read its output above; run it by hand in the same place to see it again",
            )
        )
        self.completed = completed


class CommandTimedOut(HostError):
    """A command was killed because it did not end in time."""


def run(
    argv: Sequence[str],
    *,
    input: str | bytes | None = None,  # noqa: A002 - the name that subprocess gives it
    check: bool = True,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    shown_argv: Sequence[str] | None = None,
    where: str = "this machine",
) -> Completed:
    """Run `argv` and wait at most `timeout` seconds; `env` None inherits this process's environment.

    `shown_argv` is what results and errors name instead of `argv` (the command without what wraps it).
    Raises CommandFailed where `check` and the status is not 0, CommandTimedOut after killing the command
    with all of its process group.
    """
    shown = tuple(shown_argv or argv)
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as err,
    ):
        stdin.write(input.encode() if isinstance(input, str) else input or b"")
        stdin.seek(0)
        place = f"{where}: {shlex.join(shown)}"
        status = _wait_for(argv, (stdin, stdout, err), timeout, env, place)
        completed = Completed(shown, status, _text(stdout), _text(err))
    if check and status != 0:
        raise CommandFailed(completed, where)
    return completed


def _wait_for(
    argv: Sequence[str],
    streams: tuple[IO[bytes], IO[bytes], IO[bytes]],
    timeout: float,
    env: Mapping[str, str] | None,
    place: str,
) -> int:
    # Files, not pipes: a daemon that the command leaves behind holds its output open, and reading a pipe
    # to its end would wait for the daemon.
    stdin, stdout, stderr = streams
    with subprocess.Popen(
        argv, stdin=stdin, stdout=stdout, stderr=stderr, env=env, start_new_session=True
    ) as process:
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired as expired:
            raise CommandTimedOut(
                Problem(
                    place,
                    f"no end after {timeout:g} s; said so far: {_text(stderr)[-STDERR_SHOWN_CHARACTERS:]!r}",
                    "see what it waits for, or give it a longer timeout",
                )
            ) from expired
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="backslashreplace")
