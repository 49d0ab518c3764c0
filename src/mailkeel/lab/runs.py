"""A run: everything that one process made for its lab, under one name, so that all of it can be removed.

The name says who owns it (boot, process id, start time). A run whose owner is dead is a leftover, and
`sweep` removes it; one whose owner lives is never touched.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import attrs

from mailkeel.errors import HostError, Problem
from mailkeel.lab.commands import run
from mailkeel.lab.machine import cache_folder, cgroup2_mount, locked, wait_until

NAMESPACES = Path("/run/netns")
NSPAWN_STATE = Path("/run/systemd/nspawn")
DEATH_TIMEOUT_SECONDS = 20
RUN_ID = re.compile(r"(?P<boot>[0-9a-f]{8})-(?P<pid>[0-9]+)-(?P<started_ticks>[0-9]+)-[0-9]+")

_counter = itertools.count(1)


@attrs.frozen
class Run:
    """The name and the three places of a run: a folder, a cgroup, and a prefix for network namespaces."""

    run_id: str
    folder: Path

    @classmethod
    def start(cls) -> Run:
        """Make a new run that belongs to this process."""
        pid = os.getpid()
        run_id = f"{_boot()}-{pid}-{started_ticks(pid)}-{next(_counter)}"
        new = cls(run_id, runs_folder() / run_id)
        new.folder.mkdir(parents=True)
        # Written down before it is made: the process that sweeps may sit in another cgroup.
        draft = new.folder / "cgroup.draft"
        draft.write_text(str(_own_cgroup() / f"mailkeel-lab-{run_id}"))
        draft.rename(new._cgroup_record)
        new.commands_cgroup.mkdir(parents=True)
        return new

    @property
    def cgroup(self) -> Path:
        """The cgroup above those of the run's hosts and commands."""
        return Path(self._cgroup_record.read_text())

    @property
    def commands_cgroup(self) -> Path:
        """The cgroup of the commands that the owner runs in its hosts and namespaces."""
        return self.cgroup / "commands"

    @property
    def _cgroup_record(self) -> Path:
        return self.folder / "cgroup"

    def host_folder(self, key: str) -> Path:
        """Where a host of this run keeps its overlay and its console."""
        return self.folder / "hosts" / key

    def namespace(self, key: str) -> str:
        """The machine-wide name of one of the run's network namespaces, as `ip netns` knows it."""
        return f"mailkeel-{self.run_id}-{key}"

    def machine(self, key: str) -> str:
        """The machine-wide name of a host, as systemd-nspawn knows it."""
        return f"mailkeel-{self.run_id}-{key}"

    def namespaces(self) -> tuple[str, ...]:
        """The run's network namespaces that exist now."""
        return tuple(sorted(path.name for path in NAMESPACES.glob(f"{self.namespace('')}*")))

    def remove(self) -> None:
        """End every process of the run, then take away its mounts, namespaces and files. Safe to repeat."""
        if self._cgroup_record.exists():
            remove_cgroup(self.cgroup)
        for root in self.folder.glob("hosts/*/root"):
            forget_nspawn_state(root, self.machine(root.parent.name))
        unmount_below(self.folder)
        for namespace in self.namespaces():
            run(["ip", "netns", "delete", namespace])
        shutil.rmtree(self.folder)


def sweep() -> tuple[str, ...]:
    """Remove the runs whose owner is dead; returns their ids. Runs kept in other cache folders stay."""
    with locked(runs_folder() / ".sweep.lock", timeout_seconds=60):
        dead = [folder for folder in sorted(runs_folder().iterdir()) if _is_leftover(folder.name)]
        for folder in dead:
            Run(folder.name, folder).remove()
    return tuple(folder.name for folder in dead)


def runs_folder() -> Path:
    """The folder that holds one folder for each run."""
    return cache_folder() / "runs"


def _is_leftover(name: str) -> bool:
    owner = RUN_ID.fullmatch(name)
    if owner is None:
        return False
    return owner["boot"] != _boot() or started_ticks(int(owner["pid"])) != int(owner["started_ticks"])


def started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), stat field 22); None for a dead one."""
    try:
        # The command's name (field 2) may hold spaces and brackets, so count from its end.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(fields[18])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]


def _own_cgroup() -> Path:
    mount = cgroup2_mount()
    if mount is None:
        raise HostError(
            Problem(
                "/proc/self/mounts",
                "no cgroup2 file system is mounted",
                "mount one on /sys/fs/cgroup/unified",
            )
        )
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    return mount / path.lstrip("/")


def joining(cgroup: Path, argv: Sequence[str]) -> list[str]:
    """The command that joins `cgroup` and then becomes `argv`: at no moment does it run outside."""
    return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(cgroup), *argv]


def end_processes(cgroup: Path) -> None:
    """Kill all processes of a cgroup and those below it, and wait until none is left."""
    if not _is_cgroup(cgroup):
        return
    (cgroup / "cgroup.kill").write_text("1")
    if not wait_until(lambda: "populated 0" in (cgroup / "cgroup.events").read_text(), DEATH_TIMEOUT_SECONDS):
        raise HostError(
            Problem(
                str(cgroup),
                f"processes live on {DEATH_TIMEOUT_SECONDS} s after SIGKILL",
                "see what they wait for in /proc/PID/stack; they end with the machine at the latest",
            )
        )


def _is_cgroup(folder: Path) -> bool:
    return (folder / "cgroup.events").exists()


def remove_cgroup(cgroup: Path) -> None:
    """Kill what is in a cgroup and in those below it, and remove them."""
    if not _is_cgroup(cgroup):
        return
    end_processes(cgroup)
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(FileNotFoundError):
            Path(folder).rmdir()


def forget_nspawn_state(root: Path, machine: str) -> None:
    """Remove what a killed systemd-nspawn leaves: its lock on `root` and its propagation folder."""
    status = root.stat()
    (NSPAWN_STATE / "locks" / f"inode-{status.st_dev}:{status.st_ino}").unlink(missing_ok=True)
    for folder in ("propagate", "unix-export"):
        with contextlib.suppress(FileNotFoundError):
            (NSPAWN_STATE / folder / machine).rmdir()


def unmount_below(folder: Path) -> None:
    """Unmount everything in `folder`, the deepest first."""
    targets = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for target in reversed([target for target in targets if Path(target).is_relative_to(folder)]):
        run(["umount", target])
