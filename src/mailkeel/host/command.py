"""Running one command: the only place that starts processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import Completed

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
    try:
        with _memory(stdin) as given, _memory() as out, _memory() as err:
            # In a session of its own: Ctrl-C reaches mailkeel, which then takes back in order.
            done = subprocess.run(
                list(argv),
                stdin=given,
                stdout=out,
                stderr=err,
                timeout=timeout_seconds,
                check=False,
                env=environment(extra_environment),
                start_new_session=True,
            )
            completed = Completed(tuple(argv), done.returncode, _written(out), _written(err))
    except FileNotFoundError as error:
        raise HostError(
            Problem(argv[0], "there is no such command", "install the package that brings it")
        ) from error
    except subprocess.TimeoutExpired as error:
        raise HostError(
            Problem(
                " ".join(argv),
                f"it did not end within {timeout_seconds:g} s",
                "see what it waits for, then try again",
            )
        ) from error
    if check and completed.status != 0:
        raise failed(completed)
    return completed


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
    with subprocess.Popen(
        full,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        pass_fds=(writing,),
        start_new_session=True,
    ) as process:
        os.close(writing)
        output = _pump(process, reading, on_status, timeout_seconds)
    return Completed(tuple(argv), process.returncode, output, output)


def _pump(
    process: subprocess.Popen[bytes], reading: int, on_status: Callable[[str], None], timeout_seconds: float
) -> str:
    import threading

    collected: list[bytes] = []
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    out = process.stdout
    reader = threading.Thread(target=lambda: collected.append(out.read()), daemon=True)
    reader.start()
    timer = threading.Timer(timeout_seconds, process.kill)
    timer.start()
    try:
        with os.fdopen(reading, "r", errors="replace") as status:
            for line in status:
                on_status(line.rstrip("\n"))
        process.wait()
        reader.join(5)
    finally:
        timer.cancel()
    return _text(b"".join(collected))


def _text(octets: bytes) -> str:
    return octets.decode(errors="replace")
