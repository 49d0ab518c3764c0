"""Debian packages: what is installed, what apt would do, and doing it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from glob import glob

from mailkeel.errors import HostError, Problem
from mailkeel.host.command import failed, run, stream
from mailkeel.host.interface import AptPlan, Completed, Progress
from mailkeel.resources import Package

_INSTALL_SECONDS = 1800.0

#: Wait for another apt (unattended-upgrades at first boot); keep the person's versions of files.
_OPTIONS = (
    "-o", "DPkg::Lock::Timeout=300",
    "-o", "Dpkg::Options::=--force-confdef",
    "-o", "Dpkg::Options::=--force-confold",
    "-o", "Dpkg::Use-Pty=0",
)  # fmt: skip


def installed(names: Iterable[str]) -> frozenset[str]:
    """Those that dpkg has installed and configured."""
    wanted = list(names)
    if not wanted:
        return frozenset()
    shown = run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *wanted])
    rows = (line.split() for line in shown.stdout.splitlines())
    # The second letter is the state ("hi" is installed, and on hold); a third one would be an error.
    return frozenset(row[0] for row in rows if len(row) > 1 and row[1][1:] == "i")


def apt_plan(packages: Sequence[str]) -> AptPlan:
    """Let apt simulate. Fetches the package lists first where there are none or they don't do."""
    if not glob("/var/lib/apt/lists/*_Packages*"):
        update()
    simulated = _simulate(packages)
    if simulated.status != 0:
        update()
        simulated = _simulate(packages)
    if simulated.status != 0:
        raise failed(simulated)
    return AptPlan(_new(simulated.stdout), _named("Remv", simulated.stdout))


def update() -> None:
    """Fetch the package lists. Raises HostError if none came."""
    done = run(["apt-get", "-q", *_OPTIONS, "update"], timeout_seconds=300)
    if done.status != 0 or not glob("/var/lib/apt/lists/*_Packages*"):
        raise failed(done)


def install(packages: Sequence[Package], progress: Progress) -> None:
    """Answer debconf's questions beforehand, then install everything in one call."""
    answers = "\n".join(line for package in packages for line in package.preseed)
    names = [package.name for package in packages]
    if answers:
        run(["debconf-set-selections"], stdin=answers.encode() + b"\n", check=True)
    done = _install(names, progress)
    if done.status != 0 and re.search(r"404 +Not Found|Unable to locate|Unable to fetch", done.stdout):
        update()
        done = _install(names, progress)
    if done.status != 0:
        raise _install_error(done)


def purge(packages: Sequence[str]) -> None:
    """Remove these packages and their configuration; refuse if apt would take others along.

    A half-installed package is configured first: apt can do nothing before that.
    """
    run(["dpkg", "--configure", "-a"], timeout_seconds=600)
    there = sorted(_known(packages))
    if not there:
        return
    simulated = run(["apt-get", "-s", "-q", "purge", *there], timeout_seconds=120, check=True)
    others = set(_named("Remv", simulated.stdout)) | set(_named("Purg", simulated.stdout))
    others -= set(there)
    if others:
        raise HostError(
            Problem(
                "apt-get purge",
                f"{', '.join(sorted(others))} need what would be removed",
                f"keep these packages, or remove them yourself: apt-get purge {' '.join(there)}",
            )
        )
    run(["apt-get", "-y", "-q", *_OPTIONS, "purge", *there], timeout_seconds=_INSTALL_SECONDS, check=True)


def _install(names: Sequence[str], progress: Progress) -> Completed:
    argv = ["apt-get", "-y", "-q", "--no-install-recommends", *_OPTIONS, "install", *names]
    return stream(argv, lambda line: _report(line, progress), _INSTALL_SECONDS)


def _report(line: str, progress: Progress) -> None:
    """A status line is `pmstatus:package:percent:text` (apt's README.progress-reporting)."""
    found = re.fullmatch(r"(?:dl|pm)status:.*?:(\d+(?:\.\d+)?):(.*)", line)
    if found:
        progress(f"{float(found[1]):3.0f} % {found[2]}")


def _simulate(packages: Sequence[str]) -> Completed:
    return run(["apt-get", "-s", "-q", "--no-install-recommends", "install", *packages], timeout_seconds=120)


def _named(word: str, simulated: str) -> tuple[str, ...]:
    return tuple(line.split()[1] for line in simulated.splitlines() if line.startswith(f"{word} "))


def _new(simulated: str) -> tuple[str, ...]:
    """What is not there yet: an upgrade names the version that is, `Inst openssl [3.0.1] (3.0.2 ...)`, and
    must not be purged when this is taken back."""
    rows = (line.split() for line in simulated.splitlines() if line.startswith("Inst "))
    return tuple(row[1] for row in rows if not row[2].startswith("["))


def _known(names: Sequence[str]) -> set[str]:
    """Those that dpkg knows in any state: installed, unpacked, or with only their configuration left."""
    shown = run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *names])
    rows = (line.split() for line in shown.stdout.splitlines())
    return {row[0] for row in rows if len(row) > 1 and not row[1].startswith(("un", "pn"))}


def _install_error(done: Completed) -> HostError:
    lines = [line for line in done.stdout.splitlines() if line.startswith(("E:", "Err:", "dpkg: error"))]
    said = "; ".join(lines[-4:]) or f"exit status {done.status}"
    remedy = (
        "see that the package mirrors answer and the disk has room (apt-get update; df -h), then run it again"
    )
    return HostError(Problem("apt-get install", said, remedy))
