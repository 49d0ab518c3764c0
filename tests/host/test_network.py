"""Who listens, and what answers."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailkeel.host import network
from mailkeel.host.network import port_holder, probe
from mailkeel.resources import Probe

Serve = Callable[..., str]
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(*parts, family, context)`: a server that sends the parts to each client; gives its target."""
    with ExitStack() as stack:

        def start(*parts: bytes, family: int = socket.AF_INET, context: ssl.SSLContext | None = None) -> str:
            listener = stack.enter_context(socket.socket(family))
            address = str(tmp_path / "socket") if family == socket.AF_UNIX else ("127.0.0.1", 0)
            listener.bind(address)
            listener.listen()
            threading.Thread(target=_answer, args=(listener, parts, context), daemon=True).start()
            name = listener.getsockname()
            return name if isinstance(name, str) else f"127.0.0.1:{name[1]}"

        yield start


def _answer(listener: socket.socket, parts: tuple[bytes, ...], context: ssl.SSLContext | None) -> None:
    client, _ = listener.accept()
    with client, contextlib.suppress(OSError):  # a client that goes away, or speaks no TLS
        wrapped = context.wrap_socket(client, server_side=True) if context else client
        for part in parts:
            wrapped.sendall(part)
        if context:
            wrapped.unwrap()


def test_a_greeting_is_what_counts(serve: Serve) -> None:
    """In one piece or in many."""
    assert probe(Probe(serve(b"220 mx.example.com ESMTP\r\n"), b"220 ")) is None
    assert probe(Probe(serve(b"2", b"20", b" mx"), b"220 ")) is None


def test_another_greeting_is_shown(serve: Serve) -> None:
    """Also none at all; bytes that a terminal must not see are escaped."""
    seen = probe(Probe(serve(b"421 \x1b[31mno\r\n"), b"220 "))
    assert seen is not None
    assert "421 \\x1b[31mno" in seen
    assert "b'220 '" in seen
    assert "it said b''" in (probe(Probe(serve(), b"220 ")) or "")


def test_a_connection_is_all_there_is_where_the_client_speaks_first(serve: Serve) -> None:
    """As with a milter's socket."""
    assert probe(Probe(serve(family=socket.AF_UNIX))) is None


def test_a_unix_socket_may_greet(serve: Serve) -> None:
    """As Dovecot's does."""
    assert probe(Probe(serve(b"VERSION\t1\t2\n", family=socket.AF_UNIX), b"VERSION\t")) is None


def test_nobody_there_is_told_with_the_systems_reason(tmp_path: Path) -> None:
    """A closed port, and a socket that is no more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert probe(Probe(f"127.0.0.1:{port}", b"220 ")) == f"127.0.0.1:{port}: Connection refused"
    path = str(tmp_path / "absent")
    assert probe(Probe(path)) == f"{path}: No such file or directory"


def test_silence_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing."""
    monkeypatch.setattr(network, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert "timed out" in (probe(Probe(f"127.0.0.1:{listener.getsockname()[1]}", b"220 ")) or "")


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """A server's, with a self-signed certificate."""
    pair = str(tmp_path / "pair.pem")
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-noenc",
        "-subj",
        "/CN=mx",
        "-keyout",
        pair,
        "-out",
    ]
    subprocess.run([*argv, f"{pair}.crt"], check=True, capture_output=True)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{pair}.crt", pair)
    return made


def test_tls_is_spoken_first_where_it_is_asked_for(serve: Serve, context: ssl.SSLContext) -> None:
    """Without a look at the certificate: whether it is good is a question for a proof."""
    assert probe(Probe(serve(b"220 mx\r\n", context=context), b"220 ", tls=True)) is None
    assert probe(Probe(serve(b"220 mx\r\n"), b"220 ", tls=True)) is not None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_who_listens_on_a_port_is_named_with_its_process(family: socket.AddressFamily) -> None:
    """On any address, IPv4 or IPv6; a connection that is no listener is not taken for one."""
    with socket.create_server(("", 0), family=family) as listener:
        port = listener.getsockname()[1]
        holder = port_holder(port)
        assert holder is not None
        assert holder.endswith(f" (pid {os.getpid()})")
        with socket.create_connection((LOOPBACK[family], port)) as client:
            assert port_holder(client.getsockname()[1]) is None
    assert port_holder(port) is None
