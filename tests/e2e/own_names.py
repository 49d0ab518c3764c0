"""A name server for the domain under test: it serves what `mailkeel dns records --format bind` prints."""

from __future__ import annotations

from mailkeel.lab.hosts import LabHost
from mailkeel.lab.machine import wait_until

#: A mail domain whose server never answers: mail for it stays in the queue.
SILENT_DOMAIN = "silent.test"

_ZONE = "/etc/bind/example.com.zone"
_CONFIGURATION = f"""\
options {{
    directory "/var/cache/bind"; listen-on {{ any; }}; listen-on-v6 {{ any; }};
    recursion yes; allow-recursion {{ any; }}; allow-query {{ any; }};
    dnssec-validation no; empty-zones-enable no;
}};
zone "example.com" {{ type master; file "{_ZONE}"; }};
zone "." {{ type master; file "/etc/bind/root.zone"; }};
"""
# A second: what a test changes is seen by its next question.
_HEAD = "$TTL 1\n@ SOA ns.{zone} root.{zone} 1 3600 600 86400 1\n@ NS ns.{zone}\nns.{zone} A {address}\n"


def serve(host: LabHost, records: str) -> None:
    """Answer for example.com with these records, and for the root: nothing else exists."""
    host.write("/etc/bind/named.conf", _CONFIGURATION)
    silent = f"{SILENT_DOMAIN}. A {host.ipv4.rpartition('.')[0]}.254\n"
    host.write("/etc/bind/root.zone", _HEAD.format(zone="test.", address=host.ipv4) + silent)
    publish(host, records)
    host.run(["named", "-u", "bind", "-c", "/etc/bind/named.conf"])
    assert wait_until(lambda: _answers(host), 20, interval_seconds=0.1), "named does not answer"


def publish(host: LabHost, records: str) -> None:
    """Replace the zone's records; a server that runs is told."""
    host.write(_ZONE, _HEAD.format(zone="example.com.", address=host.ipv4) + records)
    host.run(["named-checkzone", "-q", "example.com", _ZONE])
    if host.run(["rndc", "status"], check=False).status == 0:
        host.run(["rndc", "reload"])


def _answers(host: LabHost) -> bool:
    try:
        host.connect(host.ipv4, 53).close()
    except OSError:
        return False
    return True
