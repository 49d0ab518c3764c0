"""A throwaway Debian host: an overlay on a cached root, booted by systemd-nspawn."""

from __future__ import annotations

import io
import shutil
import socket
import tarfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import attrs

from mailkeel.errors import HostError, Problem
from mailkeel.lab import commands
from mailkeel.lab.commands import Completed
from mailkeel.lab.network import Namespace
from mailkeel.lab.nspawn import BOOT_TIMEOUT_SECONDS, Container
from mailkeel.lab.roots import Root
from mailkeel.lab.runs import Run, forget_nspawn_state, joining, remove_cgroup, unmount_below

T = TypeVar("T")

CONSOLE_SHOWN_CHARACTERS = 2000
ENTER_ALL_OF = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


@attrs.frozen
class Identity:
    """What a host is called: in messages, in its run (`key`, unique there), and by itself (`hostname`)."""

    name: str
    key: str
    hostname: str


class LabHost:
    """One host of a lab. `Lab.host` makes it; leaving its `with` block destroys it."""

    def __init__(
        self, lab_run: Run, identity: Identity, root: Root, network: Namespace, *, systemd: bool = True
    ) -> None:
        self.name = identity.name
        self.hostname = identity.hostname
        self.root = root
        self.network = network
        self.has_systemd = systemd
        self._run = lab_run
        self._folder = lab_run.host_folder(identity.key)
        self._container = Container(
            root=self._folder / "root",
            machine=lab_run.machine(identity.key),
            hostname=identity.hostname,
            network_namespace=network.path,
            cgroup=lab_run.cgroup / identity.key,
            console=self._folder / "console.log",
            systemd=systemd,
        )

    def __enter__(self) -> LabHost:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    # Life

    def create(self) -> None:
        """Make the writable layer, with the host's identity in it; `boot` comes next."""
        for folder in ("upper", "work", "root"):
            (self._folder / folder).mkdir(parents=True)
        self._identify(self._folder / "upper/etc")
        lower = ":".join(str(layer) for layer in self.root.layers)
        # volatile: fsync costs nothing, and the layer is thrown away if the *machine* dies.
        options = f"lowerdir={lower},upperdir={self._folder}/upper,workdir={self._folder}/work,volatile"
        commands.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self._container.root)])

    def boot(self) -> None:
        """Start the host and wait until it has finished booting. Raises HostError with its console."""
        if not self._container.start():
            raise self._trouble("did not boot")
        if self.has_systemd:
            # "degraded" (some unit failed) ends the wait as well; `failed_units` tells.
            self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=BOOT_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Shut down cleanly; the writable layer stays. Raises HostError, after killing, where it hangs."""
        if self.is_running and not self._container.power_off():
            self.kill()
            raise self._trouble("did not shut down, and was killed")

    def kill(self) -> None:
        """Power loss: every process dies at once. The writable layer stays, with all that was written."""
        self._container.kill()

    def reboot(self) -> None:
        """Shut down cleanly and boot on the same writable layer."""
        self.stop()
        self.boot()

    def freeze(self) -> Path:
        """Shut down and unmount; returns the writable layer, which is the caller's to move away."""
        self.stop()
        unmount_below(self._folder)
        return self._folder / "upper"

    def destroy(self) -> None:
        """Kill the host and remove all that it had. Safe to repeat, and after a creation that failed."""
        self.kill()
        remove_cgroup(self._container.cgroup)
        if self._container.root.is_dir():
            forget_nspawn_state(self._container.root, self._container.machine)
        unmount_below(self._folder)
        if self._folder.exists():
            shutil.rmtree(self._folder)
        if Path(self.network.path).exists():
            commands.run(["ip", "netns", "delete", self.network.name])

    # State

    @property
    def is_running(self) -> bool:
        """Whether the host is up (or on its way up or down)."""
        return self._container.is_running

    @property
    def ipv4(self) -> str:
        """Its address in the lab's network."""
        return self.network.ipv4

    @property
    def ipv6(self) -> str:
        """Its address in the lab's network."""
        return self.network.ipv6

    def failed_units(self) -> tuple[str, ...]:
        """The names of systemd's units that failed."""
        listing = self.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout
        return tuple(line.split()[0] for line in listing.splitlines())

    # Use

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002 - the name that subprocess gives it
        check: bool = True,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command on the host as root, with a clean environment and `env` added to it.

        Raises CommandFailed where `check` and the status is not 0, CommandTimedOut after `timeout` seconds.
        """
        leader = self._container.leader
        if not leader:
            raise self._trouble("is not running")
        enter = ["nsenter", f"--target={leader}", *ENTER_ALL_OF, "--", *argv]
        return commands.run(
            joining(self._run.commands_cgroup, enter),
            input=input,
            check=check,
            timeout=timeout,
            env={**ENVIRONMENT, **(env or {})},
            shown_argv=argv,
            where=f"host {self.name}",
        )

    def sh(self, script: str, *, check: bool = True, timeout: float = 60) -> Completed:
        """Run a shell script on the host; it stops at the first command that fails."""
        return self.run(["sh", "-e", "-c", script], check=check, timeout=timeout)

    def read(self, path: str) -> str:
        """The text of a file on the host."""
        return self.run(["cat", "--", path]).stdout

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file on the host, as root, with its folder if need be."""
        script = 'mkdir -p -- "$(dirname -- "$1")"; umask 077; cat >"$1"; chmod -- "$2" "$1"'
        self.run(["sh", "-e", "-c", script, "sh", path, f"{mode:o}"], input=content)

    def copy_in(self, source: Path, destination: str, files: Iterable[str] | None = None) -> None:
        """Copy a folder of the machine, or only `files` (relative to it), into a folder of the host."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in ["."] if files is None else files:
                archive.add(source / name, arcname=name, filter=_owned_by_root)
        script = 'mkdir -p -- "$1"; tar -x -C "$1"'
        self.run(["sh", "-e", "-c", script, "sh", destination], input=packed.getvalue())

    def in_network(self, function: Callable[[], T]) -> T:
        """Call `function` of this process in the host's network (see `Namespace.call`)."""
        return self.network.call(function)

    def connect(self, address: str, port: int, timeout_seconds: float = 10) -> socket.socket:
        """A TCP connection from this host to `address`; raises OSError where there is none."""
        return self.network.connect(address, port, timeout_seconds)

    def _identify(self, etc: Path) -> None:
        # A machine-id of its own: without one systemd takes each boot for the first and presets all units.
        etc.mkdir(mode=0o755)
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (etc / "hostname").write_text(f"{self.hostname}\n")
        short_name = self.hostname.partition(".")[0]
        (etc / "hosts").write_text(
            "127.0.0.1 localhost\n"
            f"{self.ipv4 or '127.0.1.1'} {self.hostname} {short_name}\n"
            "::1 localhost ip6-localhost ip6-loopback\n"
        )

    def _trouble(self, what: str) -> HostError:
        console = self._container.console
        said = console.read_text(errors="backslashreplace") if console.exists() else ""
        return HostError(
            Problem(
                f"host {self.name}",
                f"{what}; the end of its console: {said[-CONSOLE_SHOWN_CHARACTERS:].strip() or 'empty'}",
                f"as long as the lab lives, its console is in {console} and its files in {self._folder}",
            )
        )


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
