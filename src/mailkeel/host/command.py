"""Running one command: the only place that starts processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, TextIO

from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import Completed

Stream = BinaryIO | int

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment every command gets: the same on each host, none of the caller's."""
    base = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return {**proxies, **base, **(extra or {})}


def run(
    argv: Sequence[str],
    stdin: bytes = b"",
    timeout_seconds: float = 60,
    check: bool = False,
    extra_environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run a command to its end. Raises HostError if it is missing, takes too long, or fails where
    `check`; the error carries its last words."""
    with _memory(stdin) as given, _memory() as out, _memory() as err:
        with _started(argv, environment(extra_environment), given, out, err) as process:
            status = _wait(process, argv, timeout_seconds)
        completed = Completed(tuple(argv), status, _written(out), _written(err))
    if check and completed.status != 0:
        raise failed(completed)
    return completed


def _started(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start it in a session of its own: Ctrl-C reaches mailkeel, which then takes back in order."""
    try:
        return subprocess.Popen(
            list(argv),
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise HostError(
            Problem(argv[0], "there is no such command", "install the package that brings it")
        ) from error
    except OSError as error:
        words = error.strerror or str(error)
        raise HostError(
            Problem(argv[0], f"it cannot be run: {words}", "mend that, then try again")
        ) from error


def _wait(process: subprocess.Popen[bytes], argv: Sequence[str], timeout_seconds: float) -> int:
    """Wait for the end. What takes too long is ended with all that it started."""
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired as error:
        what = f"it did not end within {timeout_seconds:g} s"
        raise HostError(Problem(" ".join(argv), what, "see what it waits for, then try again")) from error
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _memory(content: bytes = b"") -> BinaryIO:
    """A file in memory, not a pipe: a daemon that the command leaves behind holds its output open, and
    reading a pipe to its end would wait for the daemon. Needs no disk, which may be full."""
    file = os.fdopen(os.memfd_create("mailkeel", os.MFD_CLOEXEC), "w+b", buffering=0)
    file.write(content)
    file.seek(0)
    return file


def _written(file: BinaryIO) -> str:
    # The command shares the file's position: what it wrote is all that stands before it.
    file.seek(0)
    return _text(file.read())


def failed(completed: Completed) -> HostError:
    """The error for a command that exited with a status other than 0."""
    words = (completed.stderr.strip() or completed.stdout.strip() or "it said nothing").splitlines()
    said = "; ".join(line.strip() for line in words[-4:])
    return HostError(
        Problem(
            " ".join(completed.argv),
            f"exit status {completed.status}: {said}",
            "mend what it says, then try again",
        )
    )


def stream(
    argv: Sequence[str],
    on_status: Callable[[str], None],
    timeout_seconds: float,
) -> Completed:
    """Run apt with a pipe for its status lines (APT::Status-Fd), each handed to `on_status`."""
    reading, writing = os.pipe()
    full = [*argv[:1], "-o", f"APT::Status-Fd={writing}", *argv[1:]]
    with os.fdopen(reading, "r", errors="replace") as status_lines, _memory() as out:
        try:
            process = _started(full, environment(), subprocess.DEVNULL, out, subprocess.STDOUT, (writing,))
        finally:
            os.close(writing)
        with process:
            _hand_on(process, status_lines, on_status, timeout_seconds)
        output = _written(out)
    return Completed(tuple(argv), process.returncode, output, output)


def _hand_on(
    process: subprocess.Popen[bytes], lines: TextIO, on_status: Callable[[str], None], timeout_seconds: float
) -> None:
    timer = threading.Timer(timeout_seconds, _end, (process,))
    timer.start()
    try:
        for line in lines:
            on_status(line.rstrip("\n"))
        process.wait()
    finally:
        timer.cancel()


def _text(octets: bytes) -> str:
    return octets.decode(errors="replace")
