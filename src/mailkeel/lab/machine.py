"""What the lab needs from the machine that it runs on, and where it keeps its files."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mailkeel.errors import HostError, MailkeelError, Problem

CACHE_VARIABLE = "MAILKEEL_LAB_CACHE"
DEFAULT_CACHE = Path("/var/cache/mailkeel/lab")
# A bare root is 0.45 GB, one with a full mail server 1 GB, and hosts write on top of it.
FREE_BYTES_NEEDED = 3 * 1024**3
DEBIAN_PACKAGE_OF = {
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nsenter": "util-linux",
    "systemd-nspawn": "systemd-container",
    "umount": "mount",
}
# Characters with a meaning of their own in the options of an overlay mount, or escaped in mountinfo.
MOUNT_SPECIAL = frozenset(",:\\ \t\n")


def cache_folder() -> Path:
    """The folder of roots and of running labs: `MAILKEEL_LAB_CACHE`, or `/var/cache/mailkeel/lab`."""
    return Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE).resolve()


def check_machine() -> None:
    """Raise MailkeelError with every reason at once why a lab cannot run on this machine."""
    problems = [*_problems_of_rights_and_tools(), *_problems_of_cache(cache_folder())]
    if problems:
        raise MailkeelError.of(problems)


def _problems_of_rights_and_tools() -> Iterator[Problem]:
    if os.geteuid() != 0:
        yield Problem(
            "mailkeel lab",
            "runs as root only: it mounts file systems and makes namespaces",
            "run it with sudo",
        )
    for tool, package in DEBIAN_PACKAGE_OF.items():
        if shutil.which(tool) is None:
            yield Problem(f"command {tool}", "is not installed", f"apt-get install {package}")
    if cgroup2_mount() is None:
        yield Problem(
            "/proc/self/mounts",
            "no cgroup2 file system is mounted; each lab host needs a cgroup of its own",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
        )


def _problems_of_cache(cache: Path) -> Iterator[Problem]:
    if MOUNT_SPECIAL & set(str(cache)):
        yield Problem(
            str(cache),
            "has a comma, colon, backslash or white space in its name, which a mount's options cannot hold",
            f"set {CACHE_VARIABLE} to a folder with a plain name",
        )
    existing = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < FREE_BYTES_NEEDED:
        yield Problem(
            str(cache),
            f"{free_bytes / 1024**3:.1f} GiB free, {FREE_BYTES_NEEDED / 1024**3:.0f} GiB needed",
            f"delete outdated folders in {cache / 'roots'}, or set {CACHE_VARIABLE} to a larger disk",
        )


def cgroup2_mount() -> Path | None:
    """Where cgroup2 is mounted: `/sys/fs/cgroup`, or on a hybrid machine `/sys/fs/cgroup/unified`."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(target)
    return None


def wait_until(is_so: Callable[[], bool], timeout_seconds: float, *, interval_seconds: float = 0.02) -> bool:
    """Ask `is_so` until it says yes (True) or the time is up (False)."""
    end = time.monotonic() + timeout_seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(interval_seconds)
    return True


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold an exclusive lock against all other processes of the machine. Raises HostError at the limit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        if not wait_until(lambda: _try_lock(lock.fileno()), timeout_seconds, interval_seconds=0.1):
            raise HostError(
                Problem(
                    str(path),
                    f"another process has held this lock for {timeout_seconds:g} s",
                    f"see who by `fuser -v {path}`, and try again when it has ended",
                )
            )
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
