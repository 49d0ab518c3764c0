"""A lab leaves nothing behind, however it ends; and what it keeps in the cache, it keeps whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import REPOSITORY
from mailkeel.errors import HostError
from mailkeel.lab.commands import CommandFailed
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.machine import CACHE_VARIABLE, cgroup2_mount, wait_until
from mailkeel.lab.prepared import prepared_root
from mailkeel.lab.roots import Root, bare_root, roots_folder
from mailkeel.lab.runs import NSPAWN_STATE, runs_folder, started_ticks, sweep

OWNER_SCRIPT = """
import sys
from mailkeel.lab.lab import Lab
from mailkeel.lab.roots import bare_root

lab = Lab()
network = lab.network()
host = lab.host("mx", bare_root("trixie"), network=network)
lab.host("plain", bare_root("trixie"), network=network, systemd=False)
print(lab.run_id, flush=True)
host.network.run(["sleep", "600"], timeout=600)
"""


@pytest.fixture
def own_cache(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that no other process knows, with trixie's bare root in it."""
    bare = bare_root("trixie").layers[0]
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    roots_folder().mkdir()
    (roots_folder() / bare.name).symlink_to(bare)
    return tmp_path


@pytest.mark.usefixtures("lab")
class TestTeardown:
    def test_leaves_nothing(self) -> None:
        with Lab() as brief:
            one = brief.host("one", bare_root("trixie"), network=brief.network())
            two = brief.host("two", bare_root("bookworm"), systemd=False)
            two.sh("setsid sleep 600 &")
            one.kill()
            assert len(traces_of(brief.run_id)) > 5
        assert traces_of(brief.run_id) == []

    def test_leaves_nothing_after_an_exception(self) -> None:
        def fail() -> None:
            with Lab() as brief:
                run_ids.append(brief.run_id)
                brief.host("mx", bare_root("trixie"), systemd=False)
                raise KeyboardInterrupt

        run_ids: list[str] = []
        with pytest.raises(KeyboardInterrupt):
            fail()
        assert traces_of(run_ids[0]) == []

    def test_a_destroyed_host_leaves_the_others_alone(self, lab: Lab) -> None:
        with lab.host("stays", bare_root("trixie"), systemd=False) as stays:
            with lab.host("goes", bare_root("trixie"), systemd=False):
                pass
            assert not [trace for trace in traces_of(lab.run_id) if "goes" in trace]
            assert stays.run(["true"]).status == 0

    def test_a_forked_child_does_not_take_the_lab_down(self, lab: Lab) -> None:
        child = os.fork()
        if child == 0:
            lab.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert (runs_folder() / lab.run_id).is_dir()

    def test_leaves_nothing_when_its_process_ends_without_closing_it(self) -> None:
        script = "from mailkeel.lab.lab import Lab; lab = Lab(); lab.network(); print(lab.run_id)"
        ended = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=child_environment(),
        )
        assert traces_of(ended.stdout.strip()) == []

    def test_a_host_that_cannot_boot_says_why_and_leaves_nothing(self, own_cache: Path) -> None:
        empty = own_cache / "empty"
        (empty / "etc").mkdir(parents=True)
        with Lab() as lab:
            with pytest.raises(HostError) as caught:
                lab.host("mx", Root("trixie", "empty", (empty,)))
            assert not [trace for trace in traces_of(lab.run_id) if "mx" in trace]
        assert "os-release file is missing" in caught.value.problems[0].what


@pytest.mark.usefixtures("own_cache")
class TestSweep:
    def test_removes_all_of_a_killed_owner_and_nothing_else(self) -> None:
        stranger = runs_folder() / "not-a-run"
        with Lab() as living, killed_owner() as dead_run:
            stranger.mkdir()
            lives = living.host("lives", bare_root("trixie"), network=living.network())
            before = traces_of(living.run_id)
            assert any("netns" in trace for trace in traces_of(dead_run))
            assert any(trace.startswith("process") for trace in traces_of(dead_run))
            assert sweep() == (dead_run,)
            assert traces_of(dead_run) == []
            assert traces_of(living.run_id) == before
            assert lives.run(["true"]).status == 0
            assert stranger.is_dir()

    def test_a_new_lab_sweeps(self) -> None:
        with killed_owner() as dead_run, Lab():
            assert traces_of(dead_run) == []

    def test_leaves_runs_in_other_caches(self, lab: Lab) -> None:
        with killed_owner() as dead_run:
            assert sweep() == (dead_run,)
        assert traces_of(lab.run_id) != []


@pytest.mark.usefixtures("own_cache")
class TestPreparedRoot:
    def test_is_prepared_once_for_each_fingerprint(self) -> None:
        prepared: list[str] = []

        def prepare(host: LabHost) -> None:
            prepared.append(host.name)
            host.sh("rm -r /usr/share/perl5; mkdir /usr/share/perl5; echo done >/etc/prepared; rm /etc/motd")

        first = prepared_root("trixie", "test", prepare, "1")
        assert prepared_root("trixie", "test", prepare, "1") == first
        assert len(prepared) == 1
        assert prepared_root("trixie", "test", prepare, "2") != first
        assert len(prepared) == 2
        with Lab() as lab, lab.host("mx", first) as mx:
            assert mx.read("/etc/prepared") == "done\n"
            assert mx.run(["ls", "/usr/share/perl5"]).stdout == ""
            assert mx.run(["test", "-e", "/etc/motd"], check=False).status == 1
            assert mx.failed_units() == ()

    def test_keeps_nothing_of_a_preparation_that_failed(self) -> None:
        def prepare(host: LabHost) -> None:
            host.sh("exit 1")

        with pytest.raises(CommandFailed):
            prepared_root("trixie", "test", prepare, "1")
        assert [folder.name for folder in roots_folder().glob("trixie-test-*")] == []
        assert list(runs_folder().glob("*-*")) == []


def traces_of(run_id: str) -> list[str]:
    """Everything on the machine that carries the name of a run."""
    places = [*NSPAWN_STATE.glob("*/*"), *Path("/run/netns").glob("*"), *runs_folder().glob("*")]
    cgroups = [Path(folder) for folder, _, _ in os.walk(cgroup2_mount() or "/nonexistent")]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found = [str(place) for place in (*places, *cgroups) if run_id in str(place)]
    found += [f"mount {line}" for line in mounts if run_id in line]
    return sorted(found + [f"process {pid}" for pid in processes_of(run_id)])


def processes_of(run_id: str) -> Iterator[str]:
    """The living processes in the run's cgroups, and those that name it in their arguments."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cgroup").read_text() + (process / "cmdline").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        is_zombie = started_ticks(int(process.name)) is None
        if run_id in told and not is_zombie:
            yield process.name


class killed_owner:  # noqa: N801 - reads as a function where it is used
    """A process that makes a lab with two hosts and dies by SIGKILL; the value is the id of its run."""

    def __enter__(self) -> str:
        with subprocess.Popen(
            [sys.executable, "-c", OWNER_SCRIPT], stdout=subprocess.PIPE, text=True, env=child_environment()
        ) as owner:
            assert owner.stdout is not None
            run_id = owner.stdout.readline().strip()
            wait_until(lambda: len(list(processes_of(run_id))) > 0, 5)
            owner.send_signal(signal.SIGKILL)
        return run_id

    def __exit__(self, *_: object) -> None:
        sweep()


def child_environment() -> dict[str, str]:
    """An environment in which another Python finds mailkeel."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
