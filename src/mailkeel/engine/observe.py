"""What a host is like now: the facts that rendering needs, and all that is desired. Reads only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

import attrs

from mailkeel.errors import Problem, Refused
from mailkeel.facts import HostFacts
from mailkeel.host.interface import Entry, Host, Kind, ServiceState
from mailkeel.host.keys import covers
from mailkeel.resources import Desired, Key, KeyKind

_RESOLV_CONF = "/etc/resolv.conf"
_LIVE = "/etc/letsencrypt/live"


@attrs.frozen
class Observed:
    """The state of everything that a `Desired` names, as it was at one moment.

    `serving_keys` are the paths of the keys that are there and do what they are for; `holders` the
    programs that hold ports which a service of ours, not running yet, will need.
    """

    packages: frozenset[str]
    accounts: frozenset[str]
    entries: Mapping[str, Entry | None]
    services: Mapping[str, ServiceState]
    serving_keys: frozenset[str]
    holders: Mapping[int, str]


def read_facts(host: Host) -> HostFacts:
    """Read what the daemons must know beforehand. Raises Refused where this is not Debian."""
    resolv_conf = _text(host, _RESOLV_CONF)
    nameservers = tuple(re.findall(r"^\s*nameserver\s+([0-9A-Fa-f:.]+)", resolv_conf, re.MULTILINE))[:3]
    is_local = all(_is_loopback(server) for server in nameservers)
    return HostFacts(
        debian=_debian(host),
        has_systemd=host.entry("/run/systemd/system") is not None,
        has_ipv6=bool(_text(host, "/proc/net/if_inet6")),
        nameservers=nameservers or ("127.0.0.1",),
        has_trusted_resolver=is_local
        or bool(re.search(r"^\s*options\b.*\btrust-ad\b", resolv_conf, re.MULTILINE)),
        addresses=_addresses(host),
        lets_encrypt=tuple(name for name in host.names(_LIVE) if host.entry(f"{_LIVE}/{name}/fullchain.pem")),
    )


def observe(host: Host, desired: Desired) -> Observed:
    """Look at everything that is desired."""
    paths = [
        *(directory.path for directory in desired.directories),
        *(file.path for file in desired.files),
        *(link.path for link in desired.symlinks),
        *(path for key in desired.keys for path in (key.path, key.public_path)),
    ]
    entries = {path: host.entry(path) for path in paths}
    services = host.service_states(desired.services)
    return Observed(
        packages=host.installed(package.name for package in desired.packages),
        accounts=frozenset(account.name for account in desired.accounts if host.has_account(account.name)),
        entries=entries,
        services=services,
        serving_keys=frozenset(key.path for key in desired.keys if _serves(key, entries, host.now())),
        holders=_holders(host, desired, services),
    )


def _debian(host: Host) -> int:
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', _text(host, "/etc/os-release"), re.MULTILINE))
    if release.get("ID") != "debian" or not release.get("VERSION_ID", "").isdigit():
        name = release.get("PRETTY_NAME", "an unknown system")
        raise Refused(Problem("/etc/os-release", f"this is {name}", "use a host with Debian 12 or 13"))
    return int(release["VERSION_ID"])


def _text(host: Host, path: str) -> str:
    entry = host.entry(path)
    for _ in range(8):
        if entry is None or entry.kind is not Kind.LINK:
            break
        path = entry.target if entry.target.startswith("/") else f"{path.rpartition('/')[0]}/{entry.target}"
        entry = host.entry(path)
    return entry.content.decode(errors="replace") if entry else ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _addresses(host: Host) -> tuple[str, ...]:
    """The host's own addresses that the world can reach. A private one is not: then the specification
    must say what is in front."""
    shown = (
        host.run(["ip", "-o", "address", "show", "scope", "global"]) if host.entry("/usr/sbin/ip") else None
    )
    found = re.findall(r"\binet6? ([0-9a-f:.]+)/", shown.stdout) if shown else []
    return tuple(address for address in found if ipaddress.ip_address(address).is_global)


def _serves(key: Key, entries: Mapping[str, Entry | None], now: float) -> bool:
    private, public = entries[key.path], entries[key.public_path]
    if private is None or not private.content:
        return False
    if key.kind is KeyKind.TLS_SELF_SIGNED:
        return public is not None and covers(public.content, key.names, now)
    return True


def _holders(host: Host, desired: Desired, services: Mapping[str, ServiceState]) -> dict[int, str]:
    """Only for ports whose service is not running: looking through all processes takes a while."""
    result = {}
    for port in desired.ports:
        if not services[port.service].is_active:
            holder = host.port_holder(port.number)
            if holder and holder.split(" ")[0] not in port.programs:
                result[port.number] = holder
    return result
