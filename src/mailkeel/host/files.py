"""Files on the real host: read without following a link, replaced atomically and durably."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat

from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import Entry, Kind

#: A name of a file may have 255 octets.
_LONGEST = 200


def read(path: str) -> Entry | None:
    """What is at a path; None where nothing is."""
    try:
        state = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    owner, group, mode = _user(state.st_uid), _group(state.st_gid), stat.S_IMODE(state.st_mode)
    if stat.S_ISLNK(state.st_mode):
        return Entry(Kind.LINK, b"", os.readlink(path), owner, group, 0o777)
    if stat.S_ISDIR(state.st_mode):
        return Entry(Kind.DIRECTORY, b"", "", owner, group, mode)
    if not stat.S_ISREG(state.st_mode):
        raise HostError(Problem(path, "it is neither a file, a folder nor a link", "move it away"))
    try:
        with open(path, "rb") as file:
            return Entry(Kind.FILE, file.read(), "", owner, group, mode)
    except OSError as error:
        raise _error(path, error) from error


def tail(path: str, octets: int) -> bytes | None:
    """The last whole lines of a file, at most so many octets; None where there is no file."""
    try:
        with open(path, "rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - octets)
            file.seek(start)
            content = file.read(octets)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _error(path, error) from error
    return content.partition(b"\n")[2] if start else content


def put(path: str, entry: Entry) -> None:
    """Make the path be this entry. A file appears complete or not at all (write, fsync, rename, fsync
    of the folder). Raises HostError with the reason of the system."""
    try:
        if entry.kind is Kind.DIRECTORY:
            _put_directory(path, entry)
        else:
            _replace(path, entry)
        _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise _error(path, error) from error
    except KeyError as error:
        raise HostError(
            Problem(path, f"owner {entry.owner}:{entry.group} does not exist", "make the account")
        ) from error


def temporary(path: str) -> str:
    """Where the new file is until it is complete. A power failure may leave it there: always the same
    name, so that the next run can remove it."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:_LONGEST]}.mailkeel-new")


def remove(path: str) -> None:
    """Remove what is there; a folder that is not empty stays."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
        _sync_folder(os.path.dirname(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            return
        raise _error(path, error) from error


def append(path: str, line: bytes) -> None:
    """Append to a file that only root can read, and see it on the disk. A line that a power failure
    tore off at the end is ended first, so that what follows can be read."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            _write_all(descriptor, (b"\n" if is_torn else b"") + line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise _error(path, error) from error


def _put_directory(path: str, entry: Entry) -> None:
    _make_folder(os.path.dirname(path))
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    if os.path.islink(path) or not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, "something else is in the place of this folder", path)
    os.chown(path, _uid(entry.owner), _gid(entry.group))
    os.chmod(path, entry.mode)


def _make_folder(path: str) -> None:
    """Make a folder on the way, with those above it: readable by all, whatever the umask is."""
    if not os.path.isdir(path):
        _make_folder(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o755)  # noqa: S103 - like every folder on the way to a configuration


def _replace(path: str, entry: Entry) -> None:
    _make_folder(os.path.dirname(path))
    new = temporary(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    try:
        if entry.kind is Kind.LINK:
            os.symlink(entry.target, new)
        else:
            _write(new, entry)
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def _write(path: str, entry: Entry) -> None:
    """Nobody but root can open the file before owner and mode are what they shall be."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchown(descriptor, _uid(entry.owner), _gid(entry.group))
        os.fchmod(descriptor, entry.mode)
        _write_all(descriptor, entry.content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _error(path: str, error: OSError) -> HostError:
    remedies = {
        errno.ENOSPC: "free some disk space (df -h tells where), then run it again",
        errno.EDQUOT: "raise the quota, then run it again",
        errno.EROFS: "mount the file system writable, then run it again",
        errno.EACCES: "run it as root",
        errno.EPERM: "run it as root, and see with lsattr whether the file is immutable",
    }
    remedy = remedies.get(error.errno or 0, "mend what the system says, then run it again")
    return HostError(Problem(path, error.strerror or str(error), remedy))


def _uid(name: str) -> int:
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def _user(uid: int) -> str:
    """The owner's name; its number where the account is gone."""
    if uid == 0:
        return "root"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    if gid == 0:
        return "root"
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
