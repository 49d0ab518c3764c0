"""A private network: a bridge in a namespace of its own, and one namespace for each host on it.

Nothing leads out. The bridge has no uplink, its namespace no address, and the hosts' default route points
at a neighbour that does not exist, so that what is tested is silence, not "no route to host".
"""

from __future__ import annotations

import ctypes
import itertools
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeVar

import attrs

from mailkeel.lab.commands import Completed, run
from mailkeel.lab.machine import cache_folder, locked
from mailkeel.lab.runs import NAMESPACES, Run, joining

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # sched.h
INTERFACE = "host0"
NOBODY = 254  # the host number of the gateway that does not exist

_libc = ctypes.CDLL(None, use_errno=True)


@attrs.frozen
class Namespace:
    """A network namespace: `name` as `ip netns` knows it, and its addresses ("" where it has only `lo`)."""

    name: str
    commands_cgroup: Path
    ipv4: str = ""
    ipv6: str = ""

    @property
    def path(self) -> str:
        """The file that stands for the namespace."""
        return str(NAMESPACES / self.name)

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` in a thread inside this namespace; returns what it returns, raises what it raises.

        A socket made there stays in the namespace, whichever thread uses it later. Names are resolved as
        on the machine, not as on the host: give addresses.
        """
        outcome: list[T] = []
        raised: list[BaseException] = []

        def enter_and_call() -> None:
            try:
                self._enter()
                outcome.append(function())
            except BaseException as error:  # noqa: BLE001 - carried over to the calling thread
                raised.append(error)

        thread = threading.Thread(target=enter_and_call, daemon=True)
        thread.start()
        thread.join()
        if raised:
            raise raised[0]
        return outcome[0]

    def connect(self, address: str, port: int, timeout_seconds: float = 10) -> socket.socket:
        """A TCP connection from this namespace to `address`; raises OSError where there is none."""
        return self.call(lambda: socket.create_connection((address, port), timeout_seconds))

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002 - the name that subprocess gives it
        check: bool = True,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command with the machine's files in this namespace's network."""
        return run(
            joining(self.commands_cgroup, ["nsenter", f"--net={self.path}", "--", *argv]),
            input=input,
            check=check,
            timeout=timeout,
            env=env,
            shown_argv=argv,
            where=self.name,
        )

    def _enter(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            if _libc.setns(descriptor, CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), self.path)
        finally:
            os.close(descriptor)


def isolated_namespace(lab_run: Run, key: str) -> Namespace:
    """A namespace with nothing but its own loopback."""
    name = lab_run.namespace(key)
    # The first `ip netns add` after boot mounts /run/netns, and two at once get in each other's way.
    with locked(cache_folder() / "runs" / ".netns.lock", timeout_seconds=60):
        run(["ip", "netns", "add", name])
    run(["ip", "-n", name, "link", "set", "lo", "up"])
    return Namespace(name, lab_run.commands_cgroup)


class Network:
    """A switch with 10.99.`number`.0/24 and fd99:`number`::/64 on it; its hosts count from 1."""

    def __init__(self, lab_run: Run, bridge: str, number: int = 0) -> None:
        self._run = lab_run
        self.number = number
        self.bridge = isolated_namespace(lab_run, bridge)
        self._ip(self.bridge, "link", "add", "br0", "type", "bridge")
        self._ip(self.bridge, "link", "set", "br0", "up")
        self._host_numbers = itertools.count(1)

    def attach(self, key: str) -> Namespace:
        """A namespace for one more host, with the next free address. `key` is unique in the run."""
        host_number = next(self._host_numbers)
        member = isolated_namespace(self._run, key)
        port = f"port{host_number}"
        veth = ["type", "veth", "peer", "name", INTERFACE, "netns", member.name]
        self._ip(self.bridge, "link", "add", port, *veth)
        self._ip(self.bridge, "link", "set", port, "master", "br0", "up")
        self._ip(member, "link", "set", INTERFACE, "up")
        return self._with_addresses(member, host_number)

    def _with_addresses(self, member: Namespace, host_number: int) -> Namespace:
        ipv4_net = IPv4Network(f"10.99.{self.number}.0/24")
        ipv6_net = IPv6Network(f"fd99:{self.number:x}::/64")
        ipv4, ipv6 = str(ipv4_net[host_number]), str(ipv6_net[host_number])
        self._ip(member, "address", "add", f"{ipv4}/24", "dev", INTERFACE)
        # nodad: the address is unique by construction, and usable at once.
        self._ip(member, "address", "add", f"{ipv6}/64", "dev", INTERFACE, "nodad")
        self._ip(member, "route", "add", "default", "via", str(ipv4_net[NOBODY]))
        self._ip(member, "-6", "route", "add", "default", "via", str(ipv6_net[NOBODY]))
        return attrs.evolve(member, ipv4=ipv4, ipv6=ipv6)

    @staticmethod
    def _ip(namespace: Namespace, *arguments: str) -> None:
        run(["ip", "-n", namespace.name, *arguments])
