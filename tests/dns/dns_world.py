"""A small DNS for the tests: a table that stands in for a resolver, and a real BIND with hostile zones."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import dns.flags
import dns.message
import dns.name
import dns.rcode

from mailkeel.dns.lookup import Answer, Server, Status, SystemResolver
from mailkeel.dns.text import character_strings
from mailkeel.dns.wire import ask

NAMED = "/usr/sbin/named"
START_SECONDS = 20.0


@attrs.frozen
class Table:
    """A resolver that knows only what it is given; names in `silent` are never answered."""

    records: Mapping[tuple[str, str], tuple[str, ...]]
    silent: frozenset[str] = frozenset()
    ttl_seconds: int = 300

    def lookup(self, name: str, rdtype: str) -> Answer:
        """Answer as a server would that holds exactly these records."""
        key = name.lower().removesuffix(".")
        if key in self.silent:
            return Answer(name, rdtype, detail="timed out", server="192.0.2.53")
        values = self.records.get((key, rdtype), ())
        if values:
            return Answer(name, rdtype, values, Status.FOUND, "192.0.2.53", self.ttl_seconds)
        exists = any(owner == key or owner.endswith(f".{key}") for owner, _ in self.records)
        return Answer(name, rdtype, (), Status.NO_DATA if exists else Status.NO_DOMAIN, "192.0.2.53")


@attrs.frozen
class Bind:
    """A running BIND on 127.0.0.1, and beside it, on 127.0.0.2, a server that is behind or lame."""

    port: int

    def resolver(self, lifetime_seconds: float = 5.0) -> SystemResolver:
        """Return the system's resolver, pointed at this server."""
        return SystemResolver(("127.0.0.1",), port=self.port, lifetime_seconds=lifetime_seconds)


@contextlib.contextmanager
def running_bind(folder: Path) -> Iterator[Bind]:
    """Run named with the zones below until the block ends."""
    port = _free_port()
    (folder / "named.conf").write_text(_configuration(folder, port))
    for name, text in ZONES.items():
        (folder / name).write_text(text)
    command = [NAMED, "-f", "-c", str(folder / "named.conf")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait_until_answering(process, port, folder / "log")
            with udp_server(_late, "127.0.0.2", port):
                yield Bind(port)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


@contextlib.contextmanager
def udp_server(
    reply: Callable[[bytes], bytes | None], address: str = "127.0.0.1", port: int = 0
) -> Iterator[int]:
    """Answer every packet as told, until the block ends; gives the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind((address, port))
        ending = threading.Event()

        def serve() -> None:
            while True:
                packet, sender = listening.recvfrom(4096)
                if ending.is_set():
                    return
                answer = reply(packet)
                if answer is not None:
                    listening.sendto(answer, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ending.set()
            listening.sendto(b"", listening.getsockname())
            thread.join(timeout=5)


def _late(packet: bytes) -> bytes:
    """Answer as a secondary of spreading.test that has no record yet, and as a stranger to other zones."""
    response = dns.message.make_response(dns.message.from_wire(packet))
    if response.question[0].name.is_subdomain(dns.name.from_text("spreading.test")):
        response.flags |= dns.flags.AA
        response.set_rcode(dns.rcode.NXDOMAIN)
    else:
        response.set_rcode(dns.rcode.REFUSED)
    return response.to_wire()


def _wait_until_answering(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    server = Server("ns", "127.0.0.1", port)
    while time.monotonic() < deadline and process.poll() is None:
        if ask(server, "good.test", "SOA", 0.5, recursive=True).status is Status.FOUND:
            return
        time.sleep(0.05)
    raise AssertionError(f"named does not answer: {log.read_text(errors='replace')}")


def _free_port() -> int:
    """Find a port that is free for UDP and TCP on the addresses that BIND will use."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, contextlib.ExitStack() as stack:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                for address in ("127.0.0.1", "127.0.0.2"):
                    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    udp.bind((address, port))
            except OSError:
                continue
            return port


def _configuration(folder: Path, port: int) -> str:
    zones = "".join(f'zone "{name}" {{ type primary; file "{folder}/{name}"; }};\n' for name in ZONES)
    return f"""
options {{
    directory "{folder}"; pid-file none; session-keyfile none; lock-file none;
    managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; allow-query {{ any; }}; empty-zones-enable no;
}};
controls {{ }};
logging {{ category default {{ default_stderr; }}; }};
{zones}
"""


def txt(name: str, *values: str) -> str:
    """Write TXT records, one for each value."""
    lines = []
    for value in values:
        strings = " ".join('"' + text.replace('"', '\\"') + '"' for text in character_strings(value))
        lines.append(f"{name} IN TXT {strings}\n")
    return "".join(lines)


def zone(*records: str, servers: tuple[str, ...] = ("127.0.0.1",)) -> str:
    """Write a zone file with an SOA, and a name server for each address."""
    head = "$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n"
    for number, address in enumerate(servers, 1):
        head += f"@ IN NS ns{number}\nns{number} IN A {address}\n"
    return head + "".join(record if record.endswith("\n") else record + "\n" for record in records)


KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "Ab3/" * 90 + "IDAQAB"
HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202eevil\r\n"

_GOOD = zone(
    "@ IN MX 10 mail",
    "mail IN A 192.0.2.10",
    "mail IN AAAA 2001:db8::10",
    "smtp IN A 192.0.2.10",
    "smtp IN AAAA 2001:db8::10",
    txt("mail", "v=spf1 a -all"),
    txt("@", "v=spf1 a mx -all", "another text"),
    txt("default._domainkey", f"v=DKIM1; h=sha256; k=rsa; p={KEY}"),
    txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:postmaster@good.test"),
    "alias IN CNAME mail",
    "dangling IN CNAME nowhere",
    "away IN CNAME mail.other.test.",
)

_BAD = zone(
    "@ IN MX 10 mail.elsewhere.test.",
    "mail IN A 192.0.2.99",
    txt("@", "v=spf1 mx -all", "v=spf1 a -all"),
    txt("default._domainkey", "v=DKIM1; h=sha256; k=rsa; p="),
    txt("_dmarc.bad.test", "v=DMARC1; p=reject"),
)

_SPF = zone(
    "@ IN A 192.0.2.1",
    "@ IN MX 10 mx.spf.test.",
    "mx IN A 192.0.2.2",
    "mx IN AAAA 2001:db8::2",
    "host IN A 192.0.2.3",
    "host IN AAAA 2001:db8::3",
    txt("@", "v=spf1 a mx -all"),
    txt("host", "v=spf1 a -all"),
    txt("soft", "v=spf1 ip4:192.0.2.1 ~all"),
    txt("neutral", "v=spf1 ?all"),
    txt("empty", "v=spf1"),
    txt("other", "google-site-verification=x"),
    txt("nearly", '"v=spf1 a -all"'),
    txt("ip6", "v=spf1 ip6:2001:db8::/48 -all"),
    txt("a6", "v=spf1 a:host.spf.test//64 -all"),
    txt("cidr", "v=spf1 a:host.spf.test/24 -all"),
    txt("redirect", "v=spf1 redirect=soft.spf.test"),
    txt("shouted", "V=SPF1 REDIRECT=soft.spf.test"),
    txt("nowhere", "v=spf1 redirect=void1.spf.test"),
    txt("include", "v=spf1 include:soft.spf.test -all"),
    txt("bounced", "v=spf1 include:other.spf.test -all"),
    txt("macro", "v=spf1 exists:%{ir}.%{v}._spf.%{d} -all"),
    "1.2.0.192.in-addr._spf.macro IN A 127.0.0.2",
    txt("local", "v=spf1 exists:%{l}.who.%{d2} -all"),
    "alice.who.spf.test. IN A 127.0.0.2",
    txt("helo", "v=spf1 exists:%{h}.helo.%{d2} -all"),
    "mx.spf.test.helo.spf.test. IN A 127.0.0.2",
    txt("explained", "v=spf1 -all exp=why.spf.test"),
    txt("why", "%{i} may not send for %{d}"),
    txt("evil", "v=spf1 -all exp=evilwhy.spf.test"),
    'evilwhy IN TXT "\\027]0;owned\\007 no"',
    txt("ptr", "v=spf1 ptr:spf.test -all"),
    txt("twice", "v=spf1 a -all", "v=spf1 mx -all"),
    txt("typo", "v=spf1 ipv4:192.0.2.1 -all"),
    txt("badip", "v=spf1 ip4:192.0.2.300 -all"),
    txt("badmacro", "v=spf1 exists:%{z}.spf.test -all"),
    txt("bigmacro", "v=spf1 exists:%{d" + "9" * 2000 + "}.spf.test -all"),
    txt("loop", "v=spf1 include:loop2.spf.test -all"),
    txt("loop2", "v=spf1 include:loop.spf.test -all"),
    txt("voids", "v=spf1 a:void1.spf.test a:void2.spf.test a:void3.spf.test ip4:192.0.2.1 -all"),
    txt("twovoids", "v=spf1 a:void1.spf.test a:void2.spf.test ip4:192.0.2.1 -all"),
    txt("many", "v=spf1 include:many1.spf.test include:many2.spf.test mx ip4:192.0.2.1 -all"),
    txt("many1", "v=spf1 " + "a:host.spf.test " * 5 + "-all"),
    txt("many2", "v=spf1 " + "mx:spf.test " * 4 + "-all"),
    txt("ten", "v=spf1 " + "a:host.spf.test " * 10 + "ip4:192.0.2.1 -all"),
    txt("long", "v=spf1 " + " ".join(f"ip4:198.51.100.{n}" for n in range(100)) + " ip4:192.0.2.1 -all"),
    txt("endless", "v=spf1 " + "ip4:198.51.100.1 " * 300 + "-all"),
    txt("servfail", "v=spf1 include:any.broken.test -all"),
    txt("anyone", "v=spf1 +all"),
    txt("chain", "v=spf1 include:include.spf.test ?all"),
    'octets IN TXT "v=spf1 ip4:192.0.2.1 \\255\\254 -all"',
    "target IN CNAME soft",
)

ZONES = {
    "good.test": _GOOD,
    "bad.test": _BAD,
    "spf.test": _SPF,
    "other.test": zone("mail IN A 192.0.2.77"),
    # A zone that does not load: BIND answers SERVFAIL for it.
    "broken.test": "this is no zone\n",
    "spreading.test": zone(txt("_dmarc", "v=DMARC1; p=none"), servers=("127.0.0.1", "127.0.0.2")),
    "lame.test": zone(txt("@", "v=spf1 a -all"), servers=("127.0.0.1", "127.0.0.2")),
    "silent.test": zone(txt("@", "v=spf1 a -all"), servers=("127.0.0.1", "127.0.0.3")),
    "2.0.192.in-addr.arpa": zone("1 IN PTR spf.test.", "9 IN PTR liar.spf.test."),
}
