"""Files on a real disk: whole or not at all, and nobody's but their owner's from the first byte."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from mailkeel.errors import HostError
from mailkeel.host import files
from mailkeel.host.interface import Entry, Kind

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are given away by root only")

OLD = Entry(Kind.FILE, b"old\n", mode=0o600)
NEW = Entry(Kind.FILE, b"new\n" * 50_000, owner="daemon", group="mail", mode=0o640)

#: The calls that write, in the order in which `put` makes them.
CALLS = ("open", "fchown", "fchmod", "write", "fsync", "close", "rename")

#: A file is written in one go, and owned, set and renamed once.
NEVER_MET = {(call, 2) for call in ("fchown", "fchmod", "write", "rename")}


@pytest.mark.parametrize(
    "entry",
    [
        OLD,
        NEW,
        Entry(Kind.FILE, b"", mode=0o4755),
        Entry(Kind.LINK, target="/nowhere/at all", mode=0o777),
        Entry(Kind.DIRECTORY, owner="daemon", group="mail", mode=0o2750),
        Entry(Kind.FILE, b"gone", owner="54321", group="54322"),
    ],
    ids=["small", "large", "setuid", "link", "folder", "owner without a name"],
)
def test_what_was_put_reads_back(tmp_path: Path, entry: Entry) -> None:
    """Where nothing was, in a folder that was not there, and again over itself."""
    path = str(tmp_path / "folder/name")
    for _ in range(2):
        files.put(path, entry)
        assert files.read(path) == entry
    assert os.listdir(tmp_path / "folder") == ["name"]


def test_nothing_is_read_where_nothing_is(tmp_path: Path) -> None:
    """Also below a file; a socket or pipe is something else."""
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    assert files.read(str(tmp_path / "absent")) is None
    assert files.read(str(tmp_path / "file/below")) is None
    with pytest.raises(HostError):
        files.read(str(tmp_path / "pipe"))


def test_a_links_target_is_neither_read_nor_written_nor_removed(tmp_path: Path) -> None:
    """A link is replaced itself."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("precious")
    link.symlink_to(target)
    assert files.read(str(link)) == Entry(Kind.LINK, target=str(target), mode=0o777)
    files.put(str(link), NEW)
    assert files.read(str(link)) == NEW
    link.unlink()
    link.symlink_to(target)
    files.remove(str(link))
    assert not link.is_symlink()
    folder = tmp_path / "folder"
    folder.mkdir()
    link.symlink_to(folder)
    with pytest.raises(HostError):
        files.put(str(link), Entry(Kind.DIRECTORY, mode=0o700))
    files.remove(str(link))
    assert target.read_text() == "precious"
    assert stat.S_IMODE(folder.stat().st_mode) != 0o700


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    """Whoever could write the folder could lay one there."""
    precious, path = tmp_path / "precious", str(tmp_path / "file")
    precious.write_text("precious")
    os.symlink(precious, files.temporary(path))
    files.put(path, NEW)
    assert files.read(path) == NEW
    assert precious.read_text() == "precious"


def test_something_else_in_the_way_is_an_error(tmp_path: Path) -> None:
    """A folder where a file shall be, and the other way round."""
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(HostError):
        files.put(str(tmp_path / "folder"), NEW)
    with pytest.raises(HostError):
        files.put(str(tmp_path / "file"), Entry(Kind.DIRECTORY))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_an_owner_who_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """And leaves nothing behind."""
    with pytest.raises(HostError, match="nobody-of-this-name"):
        files.put(str(tmp_path / "file"), attrs.evolve(NEW, owner="nobody-of-this-name"))
    assert os.listdir(tmp_path) == []


def test_removing_is_safe_to_repeat_and_spares_full_folders(tmp_path: Path) -> None:
    """What a person put into a folder of ours is not ours."""
    folder = tmp_path / "folder"
    files.put(str(folder / "theirs"), OLD)
    files.remove(str(folder))
    assert os.listdir(folder) == ["theirs"]
    for _ in range(2):
        files.remove(str(folder / "theirs"))
        files.remove(str(folder))
        files.remove(str(folder / "below/nothing"))
    assert not folder.exists()


def _failing(name: str, at: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the `at`-th call of a function of `os` fail; where it writes, half is written first."""
    real: Callable[..., object] = getattr(os, name)
    calls = 0

    def fail(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls != at:
            return real(*args, **kwargs)
        if name == "write":
            descriptor, content = args
            assert isinstance(content, memoryview)
            real(descriptor, content[: len(content) // 2])
        elif name == "close":
            real(*args)
        raise error

    monkeypatch.setattr(os, name, fail)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("at", [1, 2])
def test_a_failing_call_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    """Never a part, never another owner or mode, and no temporary file."""
    path = str(tmp_path / "file")
    files.put(path, OLD)
    with monkeypatch.context() as patch:
        _failing(call, at, OSError(errno.EIO, "Input/output error"), patch)
        told = ""
        try:
            files.put(path, NEW)
        except HostError as error:
            told = str(error)
    assert told.startswith(f"{path}: Input/output error; ") or (call, at) in NEVER_MET
    assert files.read(path) in (OLD, NEW)
    assert os.listdir(tmp_path) == ["file"]


class PowerFailure(BaseException):
    """Nothing is tidied up."""


@pytest.mark.parametrize("call", CALLS)
def test_a_power_failure_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """What it leaves of the temporary file is known by name, and goes with the next attempt."""
    path = str(tmp_path / "file")
    files.put(path, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", lambda _: None)
        _failing(call, 1, PowerFailure(), patch)
        with pytest.raises(PowerFailure):
            files.put(path, NEW)
    assert files.read(path) in (OLD, NEW)
    assert set(os.listdir(tmp_path)) <= {"file", os.path.basename(files.temporary(path))}
    files.put(path, NEW)
    assert files.read(path) == NEW
    assert os.listdir(tmp_path) == ["file"]


def test_the_temporary_file_of_the_longest_name_fits() -> None:
    """A file's name may have 255 octets."""
    assert len(os.path.basename(files.temporary(f"/etc/{'x' * 255}"))) <= 255


def test_content_is_on_the_disk_before_the_name_and_only_roots_before_its_owner_is_set(
    tmp_path: Path,
) -> None:
    """As the system calls tell: created 0600, owner before content, fsync before rename, then the folder."""
    path = str(tmp_path / "secret")
    code = (
        "from mailkeel.host import files; from mailkeel.host.interface import Entry, Kind; "
        f"files.put({path!r}, Entry(Kind.FILE, b'secret', '', 'daemon', 'mail', 0o640))"
    )
    trace = tmp_path / "trace"
    calls = "openat,fchown,fchmod,write,fsync,rename"
    python = [os.environ.get("PYTHON", "python3"), "-c", code]
    source = str(Path(files.__file__).parents[2])
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([source, *_site_packages()]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run(["strace", "-f", "-o", str(trace), "-e", f"trace={calls}", *python], check=True, env=env)
    lines = [line.split(" ", 1)[1].strip() for line in trace.read_text().splitlines()]
    # Looking up names in /etc/passwd and /etc/group is none of this.
    lines = [line for line in lines if not line.startswith("openat") or str(tmp_path) in line]
    start = next(number for number, line in enumerate(lines) if files.temporary(path) in line)
    names = [line.partition("(")[0] for line in lines[start : start + 8]]
    assert names == ["openat", "fchown", "fchmod", "write", "fsync", "rename", "openat", "fsync"]
    assert "O_EXCL" in lines[start]
    assert "0600)" in lines[start]


def _site_packages() -> list[str]:
    return [str(Path(attrs.__file__).parents[1])]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_file_and_says_what_to_do(tiny_disk: Path) -> None:
    """And what was written of the new one is given free."""
    path = str(tiny_disk / "file")
    files.put(path, OLD)
    with pytest.raises(HostError) as caught:
        files.put(path, NEW)
    assert caught.value.problems[0].what == "No space left on device"
    assert "df -h" in caught.value.problems[0].remedy
    assert files.read(path) == OLD
    assert os.listdir(tiny_disk) == ["file"]
    files.put(path, attrs.evolve(NEW, content=b"small"))


def test_a_line_that_a_full_disk_tore_is_ended_by_the_next(tiny_disk: Path) -> None:
    """So that what follows it can be read."""
    path = str(tiny_disk / "journal")
    files.append(path, b"one\n")
    (tiny_disk / "filler").write_bytes(b"x" * 60 * 1024)
    with pytest.raises(HostError):
        files.append(path, b"y" * 100_000 + b"\n")
    (tiny_disk / "filler").unlink()
    files.append(path, b"two\n")
    lines = Path(path).read_bytes().split(b"\n")
    assert lines[0] == b"one"
    assert set(lines[1]) <= {ord("y")}
    assert lines[-2:] == [b"two", b""]


def test_a_journal_is_for_root_only_and_grows_line_by_line(tmp_path: Path) -> None:
    """Whatever the umask is; a line without its end is ended, an empty file is not."""
    path = tmp_path / "journal"
    old = os.umask(0)
    try:
        files.append(str(path), b"one\n")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    files.append(str(path), b"torn")
    files.append(str(path), b"two\n")
    assert path.read_bytes() == b"one\ntorn\ntwo\n"


def test_folders_on_the_way_are_made_readable_whatever_the_umask(tmp_path: Path) -> None:
    """Daemons that are not root read what lies in them."""
    old = os.umask(0o077)
    try:
        files.put(str(tmp_path / "a/b/file"), OLD)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o755
