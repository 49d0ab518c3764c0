"""The lab's hosts are real Debian hosts, cannot reach anyone, and leave nothing behind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from checkout import CHECKOUT, TwoHosts, repository_files
from mailkeel.errors import HostError
from mailkeel.lab.commands import CommandFailed, CommandTimedOut
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.machine import wait_until
from mailkeel.lab.roots import (
    LIBRARY_PACKAGES,
    MAIL_PACKAGES,
    TOOL_PACKAGES,
    bare_root,
)


@pytest.fixture(scope="module", params=[True, False], ids=["systemd", "plain"])
def host(request: pytest.FixtureRequest, release: str, bare_host: Callable[..., LabHost]) -> LabHost:
    """A bare host of each release, with and without systemd; its tests leave it as they found it."""
    booted: LabHost = bare_host(release, systemd=request.param)
    return booted


@pytest.fixture
def pair(two_hosts: Callable[..., TwoHosts]) -> TwoHosts:
    """Two hosts on a network."""
    return two_hosts(bare_root("trixie"), systemd=False)


class TestBoot:
    def test_is_the_release_that_was_asked_for(self, host: LabHost, release: str) -> None:
        assert f"VERSION_CODENAME={release}\n" in host.read("/etc/os-release")

    def test_boots_without_a_failed_unit(self, release: str, bare_host: Callable[..., LabHost]) -> None:
        with bare_host(release) as booted:
            assert booted.run(["systemctl", "is-system-running"], check=False).stdout == "running\n"
            assert booted.failed_units() == ()

    def test_has_the_service_manager_that_was_asked_for(self, host: LabHost) -> None:
        """What sd_booted(3) looks at."""
        seen = host.run(["test", "-d", "/run/systemd/system"], check=False).status == 0
        assert seen == host.has_systemd

    def test_knows_its_name(self, host: LabHost) -> None:
        assert host.run(["hostname", "-f"]).stdout == "mx.example.test\n"

    def test_two_hosts_at_once_keep_their_services_apart(self, release: str, lab: Lab) -> None:
        """In one cgroup they would share the processes of services with the same name."""
        root = bare_root(release)
        with lab.host("one", root) as one, lab.host("two", root) as two:
            for each in (one, two):
                each.run(["systemd-run", "--unit=nap", "sleep", "600"])
            for each in (one, two):
                assert len(each.read("/sys/fs/cgroup/system.slice/nap.service/cgroup.procs").split()) == 1
            one.run(["systemctl", "kill", "--signal=SIGKILL", "nap.service"])
            assert two.run(["systemctl", "is-active", "nap.service"]).stdout == "active\n"


class TestRun:
    def test_returns_both_streams_and_the_status(self, host: LabHost) -> None:
        completed = host.run(["sh", "-c", "cat; echo no >&2; exit 3"], input="yes", check=False)
        assert (completed.status, completed.stdout, completed.stderr) == (3, "yes", "no\n")
        assert completed.argv == ("sh", "-c", "cat; echo no >&2; exit 3")

    def test_raises_what_failed_with_all_it_said(self, host: LabHost) -> None:
        with pytest.raises(CommandFailed) as caught:
            host.sh("echo half; false; echo unreachable")
        assert caught.value.completed.stdout == "half\n"
        assert caught.value.completed.status == 1

    def test_gives_a_clean_environment(self, host: LabHost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAILKEEL_LEAK", "leaked")
        variables = host.run(["env"], env={"EXTRA": "1"}).stdout.splitlines()
        names = {line.partition("=")[0] for line in variables}
        assert {"PATH", "HOME", "LANG", "DEBIAN_FRONTEND", "EXTRA"} <= names
        assert "MAILKEEL_LEAK" not in names

    def test_kills_a_command_that_takes_too_long_with_its_children(self, host: LabHost) -> None:
        with pytest.raises(CommandTimedOut):
            host.sh("sleep 4321 & sleep 4321", timeout=0.3)
        assert wait_until(lambda: "sleep 4321" not in host.run(["ps", "-eo", "args"]).stdout, 5)

    def test_does_not_wait_for_what_a_command_leaves_behind(self, host: LabHost) -> None:
        """A daemon that keeps its starter's output open."""
        started = time.monotonic()
        pid = host.sh("setsid sleep 30 & echo $!").stdout.strip()
        assert time.monotonic() - started < 5
        host.run(["kill", pid])

    def test_refuses_a_host_that_is_down(self, release: str, bare_host: Callable[..., LabHost]) -> None:
        with bare_host(release, systemd=False) as down:
            down.stop()
            with pytest.raises(HostError):
                down.run(["true"])


class TestFiles:
    def test_writes_and_reads(self, host: LabHost) -> None:
        host.write("/root/deep/er/file", "käse\n", 0o640)
        assert host.read("/root/deep/er/file") == "käse\n"
        assert host.run(["stat", "-c", "%a %U", "/root/deep/er/file"]).stdout == "640 root\n"

    def test_an_absolute_link_on_the_host_never_leads_to_the_machine(
        self, host: LabHost, tmp_path: Path
    ) -> None:
        host.run(["ln", "-sfn", str(tmp_path), "/root/link"])
        host.run(["mkdir", "-p", str(tmp_path)])
        host.write("/root/link/escaped", "")
        host.copy_in(Path(__file__).parent, "/root/link")
        assert list(tmp_path.iterdir()) == []

    def test_the_checkout_is_what_git_knows(
        self, host: LabHost, checkout_on: Callable[[LabHost], str]
    ) -> None:
        assert checkout_on(host) == CHECKOUT
        found = host.run(["find", CHECKOUT, "-mindepth", "1", "!", "-type", "d", "-printf", "%P\\n"]).stdout
        assert set(found.splitlines()) == set(repository_files())
        owners = host.run(["find", CHECKOUT, "-printf", "%U:%G\\n"]).stdout
        assert set(owners.split()) == {"0:0"}

    def test_what_a_host_writes_stays_out_of_the_cache(self, host: LabHost) -> None:
        host.write("/etc/only-here", "")
        assert not (host.root.layers[-1] / "etc/only-here").exists()


class TestPackages:
    def test_a_package_installs_without_network(
        self, release: str, bare_host: Callable[..., LabHost]
    ) -> None:
        with bare_host(release) as fresh:
            fresh.run(["apt-get", "install", "-y", "-q", "netcat-openbsd"], timeout=120)
            assert fresh.run(["nc", "-h"], check=False).status == 0

    def test_all_of_mailkeels_packages_are_there(self, host: LabHost) -> None:
        wanted = [*MAIL_PACKAGES, *LIBRARY_PACKAGES, *TOOL_PACKAGES]
        options = ["--yes", "--no-install-recommends", "--no-download", "--download-only"]
        host.run(["apt-get", "install", *options, *wanted])


class TestLife:
    @pytest.mark.parametrize("systemd", [True, False], ids=["systemd", "plain"])
    @pytest.mark.parametrize("down", [LabHost.stop, LabHost.kill], ids=["shutdown", "power loss"])
    def test_files_survive(
        self, release: str, bare_host: Callable[..., LabHost], systemd: bool, down: Callable[[LabHost], None]
    ) -> None:
        with bare_host(release, systemd=systemd) as mortal:
            mortal.write("/var/lib/kept", "kept")
            mortal.write("/run/lost", "lost")
            down(mortal)
            assert not mortal.is_running
            mortal.boot()
            assert mortal.read("/var/lib/kept") == "kept"
            assert mortal.run(["test", "-e", "/run/lost"], check=False).status == 1

    def test_a_reboot_is_a_clean_one(self, release: str, bare_host: Callable[..., LabHost]) -> None:
        """A service gets the chance to stop, which a power loss does not give it."""
        with bare_host(release) as mortal:
            stop = ["--property=ExecStop=touch /var/lib/stopped", "--property=KillMode=none"]
            mortal.run(["systemd-run", "--unit=nap", *stop, "sleep", "600"])
            mortal.kill()
            mortal.boot()
            assert mortal.run(["test", "-e", "/var/lib/stopped"], check=False).status == 1
            mortal.run(["systemd-run", "--unit=nap", *stop, "sleep", "600"])
            mortal.reboot()
            assert mortal.run(["test", "-e", "/var/lib/stopped"], check=False).status == 0


class TestNetwork:
    @pytest.mark.parametrize("family", ["ipv4", "ipv6"])
    def test_hosts_reach_each_other(self, pair: TwoHosts, family: str) -> None:
        address = getattr(pair.mx, family)
        with pair.mx.in_network(lambda: serve_once(address, b"220 mx\r\n")) as listener:
            port = listener.getsockname()[1]
            with pair.outside.connect(address, port) as client:
                assert client.recv(100) == b"220 mx\r\n"
                assert client.getpeername()[0] == address

    def test_what_the_call_raises_is_raised_here(self, pair: TwoHosts) -> None:
        with pytest.raises(ConnectionRefusedError):
            pair.outside.connect(pair.mx.ipv4, 25)

    def test_this_process_stays_where_it_was(self, pair: TwoHosts) -> None:
        before = os.readlink("/proc/thread-self/ns/net")
        assert pair.mx.in_network(lambda: os.readlink("/proc/thread-self/ns/net")) != before
        assert os.readlink("/proc/thread-self/ns/net") == before

    def test_the_bridge_has_no_uplink_and_no_address(self, lab: Lab) -> None:
        network = lab.network()
        with lab.host("mx", bare_root("trixie"), network=network, systemd=False) as mx:
            links = json.loads(network.bridge.run(["ip", "-json", "-details", "link"]).stdout)
            assert sorted(link["ifname"] for link in links) == ["br0", "lo", "port1"]
            assert network.bridge.run(["ip", "-4", "route"]).stdout == ""
            addresses = json.loads(network.bridge.run(["ip", "-json", "-4", "address"]).stdout)
            assert {link["ifname"] for link in addresses} == {"lo"}
            links = json.loads(mx.run(["ip", "-json", "link"]).stdout)
            assert {link["ifname"] for link in links} == {"lo", "host0"}

    def test_no_address_of_the_machine_answers(self, pair: TwoHosts) -> None:
        """A listener that the machine itself reaches at each of its addresses, a host reaches at none."""
        with socket.create_server(("0.0.0.0", 0)) as listener:
            port = listener.getsockname()[1]
            addresses = machine_ipv4_addresses()
            assert "127.0.0.1" in addresses
            for address in addresses:
                socket.create_connection((address, port), 5).close()
                with pytest.raises(OSError, match=r"refused|No route|timed out|unreachable"):
                    pair.mx.connect(address, port, timeout_seconds=2)

    def test_a_host_without_network_has_only_itself(self, host: LabHost) -> None:
        links = json.loads(host.run(["ip", "-json", "link"]).stdout)
        assert [link["ifname"] for link in links] == ["lo"]
        assert host.run(["ip", "route"]).stdout == ""


def serve_once(address: str, greeting: bytes) -> socket.socket:
    """Listen on any port of `address` and greet the first that connects."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family)

    def greet() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(greeting)

    threading.Thread(target=greet, daemon=True).start()
    return listener


def machine_ipv4_addresses() -> list[str]:
    """Every IPv4 address of this machine."""
    links = json.loads(
        subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, check=True).stdout
    )
    return [address["local"] for link in links for address in link["addr_info"]]
