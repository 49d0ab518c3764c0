"""The hosts of a mail test. A test module gets them with `pytest_plugins = ("mail_hosts",)`."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest
from converged import CHECKOUT, DOMAIN, SPEC, converged_root, names_root
from mail_world import World
from smtp_sink import Sink, server_tls
from strangers import ATTACKER, HONEST, SPARE, serve_names

from mailkeel.lab.hosts import LabHost
from mailkeel.lab.machine import wait_until
from mailkeel.lab.network import INTERFACE


@pytest.fixture(scope="module")
def world(release: str, two_hosts: Callable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One pair of hosts for all tests of a module on a release."""
    hosts = two_hosts(converged_root(release), names_root())
    mx, outside = hosts.mx, hosts.outside
    outside.sh("".join(_addition(address) for address in (*HONEST, *ATTACKER, *SPARE)))
    records = mx.run([f"{CHECKOUT}/mailkeel", "dns", "records", SPEC, "--format", "bind"]).stdout
    serve_names(outside, records, DOMAIN)
    sink = Sink([listening(outside)], server_tls(tmp_path_factory.mktemp("sink")))
    made = World(mx, outside, sink)
    wait_for_mail_server(made)
    yield made
    sink.close()


def _addition(address: str) -> str:
    suffix = "/64 nodad" if ":" in address else "/24"
    return f"ip address add {address}{suffix} dev {INTERFACE}\n"


def listening(host: LabHost) -> socket.socket:
    """A listening socket on the host's port 25."""
    return host.in_network(lambda: socket.create_server((host.ipv4, 25)))


def wait_for_mail_server(world: World) -> None:
    """Wait until all that mail goes through is up."""
    sockets = [
        "/var/spool/postfix/opendkim/opendkim.sock",
        "/var/spool/postfix/opendmarc/opendmarc.sock",
        "/var/spool/postfix/private/auth",
    ]
    script = " && ".join(f"test -S {path}" for path in sockets)
    assert wait_until(lambda: world.mx.run(["sh", "-c", script], check=False).status == 0, 20)
    with contextlib.closing(world.smtp()) as smtp:
        assert smtp.noop()[0] == 250
