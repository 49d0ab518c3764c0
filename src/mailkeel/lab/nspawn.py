"""systemd-nspawn: starting one container, knowing its process 1, ending it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import attrs

from mailkeel.lab.machine import wait_until
from mailkeel.lab.runs import end_processes, joining, remove_cgroup

BOOT_TIMEOUT_SECONDS = 120
# Longer than the 90 s that systemd gives a service to stop.
STOP_TIMEOUT_SECONDS = 120
TIDY_TIMEOUT_SECONDS = 5
OPTIONS = (
    "--quiet",
    "--register=no",  # there may be no machined
    "--keep-unit",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--console=pipe",
    "--kill-signal=SIGRTMIN+3",  # systemd powers off on it, and so does nspawn's own process 1
)
STARTED_MARK = "/run/lab-started"
PLAIN_INIT = ("sh", "-c", f": >{STARTED_MARK}; exec sleep infinity")


@attrs.define
class Container:
    """A root file system with processes in it. With `systemd` it boots; without, process 1 reaps orphans."""

    root: Path
    machine: str
    hostname: str
    network_namespace: str
    cgroup: Path
    console: Path
    systemd: bool
    _nspawn: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    @property
    def is_running(self) -> bool:
        """Whether it is up, or on its way up or down."""
        return self._nspawn is not None and self._nspawn.poll() is None

    @property
    def leader(self) -> int:
        """The process of the machine that is process 1 of the container; 0 where there is none now."""
        if self._nspawn is None or not self.is_running:
            return 0
        pid = self._nspawn.pid
        try:
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                if f"NSpid:\t{child}\t1\n" in Path(f"/proc/{child}/status").read_text():
                    return int(child)
        except (FileNotFoundError, ProcessLookupError):
            pass  # one ended while we looked; the caller sees whether the container lives
        return 0

    def start(self) -> bool:
        """Start it and wait until its process 1 takes commands; False where that does not happen."""
        # A cgroup of its own: in a shared one, services of the same name on two hosts are one group of
        # processes. A fresh one: where nspawn handed controllers out to the old one's children, the kernel
        # lets no process join it.
        remove_cgroup(self.cgroup)
        self.cgroup.mkdir()
        with self.console.open("wb") as output:
            self._nspawn = subprocess.Popen(
                joining(self.cgroup, self._argv()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # The systemd of trixie refuses cgroup v1.
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                start_new_session=True,
            )
        wait_until(lambda: not self.is_running or self._has_started(), BOOT_TIMEOUT_SECONDS)
        return self.is_running and self._has_started()

    def power_off(self) -> bool:
        """Ask it to shut down and wait; False where it hangs."""
        return self._signal(signal.SIGRTMIN + 3) and wait_until(
            lambda: not self.is_running, STOP_TIMEOUT_SECONDS
        )

    def kill(self) -> None:
        """End all its processes at once and wait until they are gone."""
        if self._signal(signal.SIGKILL):
            # The death of process 1 ends all others of its process namespace, also those that entered from
            # outside; then nspawn tidies up and ends by itself.
            wait_until(lambda: not self.is_running, TIDY_TIMEOUT_SECONDS)
        end_processes(self.cgroup)
        if self._nspawn is not None:
            self._nspawn.wait()

    def _signal(self, number: int) -> bool:
        leader = self.leader
        if not leader:
            return False
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            os.kill(leader, number)
        return True

    def _argv(self) -> list[str]:
        return [
            "systemd-nspawn",
            *OPTIONS,
            f"--directory={self.root}",
            f"--machine={self.machine}",
            f"--hostname={self.hostname}",
            f"--network-namespace-path={self.network_namespace}",
            *(["--boot"] if self.systemd else ["--as-pid2", "--", *PLAIN_INIT]),
        ]

    def _has_started(self) -> bool:
        leader = self.leader
        mark = "/run/systemd/private" if self.systemd else STARTED_MARK
        return leader != 0 and Path(f"/proc/{leader}/root{mark}").exists()
