"""Looking records up: as this host does, and at each server that is authoritative.

A lookup takes a bounded time and never raises: what the world does wrong is an `Answer`.
"""

from __future__ import annotations

import concurrent.futures
import ipaddress
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import attrs

from mailkeel.dns.wire import Answer, Server, Status, ask

__all__ = [
    "Answer",
    "AuthoritativeResolver",
    "EveryServer",
    "Resolver",
    "Server",
    "Status",
    "SystemResolver",
    "ancestors",
    "authoritative_servers",
    "lookup_at",
]

RESOLV_CONF = Path("/etc/resolv.conf")
LIFETIME_SECONDS = 5.0
TRY_SECONDS = 2.0
ROUNDS = 2
# glibc reads no more from resolv.conf (MAXNS), and neither do the daemons.
MAX_NAMESERVERS = 3
# The thirteen names of the largest delegations, each with two addresses.
MAX_SERVERS = 26


class Resolver(Protocol):
    """Whatever can look a name up: the system, a lab, a test's table."""

    def lookup(self, name: str, rdtype: str) -> Answer:
        """Return what is known about the name; never raises for what DNS holds or does."""
        ...


@runtime_checkable
class EveryServer(Protocol):
    """A resolver that can tell what each of several servers answers."""

    def lookup_each(self, name: str, rdtype: str) -> tuple[Answer, ...]:
        """Return one answer for each server, at least one."""
        ...


@attrs.define
class SystemResolver:
    """The recursive servers of /etc/resolv.conf, or those given (I2), asked in their order.

    `lifetime_seconds` bounds a whole lookup, `try_seconds` one question to one server.
    """

    nameservers: Sequence[str] | None = None
    port: int = 53
    lifetime_seconds: float = LIFETIME_SECONDS
    try_seconds: float = TRY_SECONDS
    resolv_conf: Path = RESOLV_CONF

    def lookup(self, name: str, rdtype: str) -> Answer:
        """Ask until a server answers; SERVFAIL, refusal and silence of all of them is `no_answer`."""
        servers, remark = self._servers()
        deadline = time.monotonic() + self.lifetime_seconds
        failures: dict[str, str] = {}
        for server in servers * ROUNDS:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            answer = ask(server, name, rdtype, min(left, self.try_seconds), recursive=True)
            if answer.status is not Status.NO_ANSWER:
                return answer
            failures[str(server)] = answer.detail
        said = [remark] if remark else []
        said += [f"{server}: {detail}" for server, detail in failures.items()]
        return Answer(name, rdtype, detail="; ".join(said), server=", ".join(failures))

    def _servers(self) -> tuple[list[Server], str]:
        if self.nameservers is not None:
            given = [Server(address, address, self.port) for address in self.nameservers]
            return given, "" if given else "no name server is given"
        try:
            text = self.resolv_conf.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            text, remark = "", f"{self.resolv_conf}: {error.strerror}"
        else:
            remark = ""
        addresses = list(_nameserver_lines(text))[:MAX_NAMESERVERS]
        if not addresses:
            # As resolv.conf(5) has it, and as the daemons do.
            addresses = ["127.0.0.1"]
            remark = remark or f"{self.resolv_conf} names no name server, so this host itself was asked"
        return [Server(address, address, self.port) for address in addresses], remark


@attrs.define
class AuthoritativeResolver:
    """Asks the servers that hold the zone, all of them, without any cache between.

    `system` finds those servers, and follows aliases that lead out of the zone. `port` is theirs.
    """

    system: Resolver = attrs.field(factory=SystemResolver)
    port: int = 53
    lifetime_seconds: float = LIFETIME_SECONDS
    _known: dict[str, tuple[Server, ...]] = attrs.field(factory=dict, init=False)

    def lookup(self, name: str, rdtype: str) -> Answer:
        """Return the answer of the server that is furthest behind: what all agree on, or what one of
        them does not have yet (`detail` then says that they disagree)."""
        answers = self.lookup_each(name, rdtype)
        definite = [answer for answer in answers if answer.status is not Status.NO_ANSWER]
        if not definite:
            detail = "; ".join(f"{answer.server or 'nobody'}: {answer.detail}" for answer in answers)
            return attrs.evolve(answers[0], detail=detail)
        behind = min(definite, key=lambda answer: (answer.status is Status.FOUND, len(answer.values)))
        if len({(answer.status, answer.values) for answer in definite}) > 1:
            return attrs.evolve(behind, detail="the authoritative servers disagree: a change is spreading")
        return behind

    def lookup_each(self, name: str, rdtype: str) -> tuple[Answer, ...]:
        """Ask every authoritative server at the same time; if none is known, say why instead."""
        servers = self._servers(name)
        if not servers:
            return (self._without_servers(name, rdtype),)
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(servers)) as pool:
            return tuple(pool.map(lambda server: self._ask(server, name, rdtype), servers))

    def _servers(self, name: str) -> tuple[Server, ...]:
        if name not in self._known:
            found = authoritative_servers(name, self.system, self.port)
            if not found:
                return ()
            self._known[name] = found
        return self._known[name]

    def _ask(self, server: Server, name: str, rdtype: str) -> Answer:
        answer = lookup_at(server, name, rdtype, self.lifetime_seconds)
        if answer.alias and answer.status is not Status.FOUND:
            target = self.system.lookup(answer.alias, rdtype)
            return attrs.evolve(target, name=name, alias=answer.alias, server=answer.server)
        return answer

    def _without_servers(self, name: str, rdtype: str) -> Answer:
        """NXDOMAIN from the system's resolver stands; anything else is not known."""
        answer = self.system.lookup(name, rdtype)
        if answer.status is Status.NO_DOMAIN:
            return answer
        detail = answer.detail or "the resolver answers, but names no server of the zone that can be reached"
        return Answer(name, rdtype, server=answer.server, detail=detail)


def lookup_at(
    server: Server | str, name: str, rdtype: str, lifetime_seconds: float = LIFETIME_SECONDS
) -> Answer:
    """Ask one authoritative server (an address, or a `Server`) without recursion. A server that has no
    authority for the name gives `no_answer`."""
    target = Server(server, server) if isinstance(server, str) else server
    return ask(target, name, rdtype, lifetime_seconds, recursive=False)


def authoritative_servers(domain: str, resolver: Resolver, port: int = 53) -> tuple[Server, ...]:
    """Find the servers of the zone that holds the domain, by its name or the nearest one above it.

    Returns nothing where they cannot be found out.
    """
    for zone in ancestors(domain):
        answer = resolver.lookup(zone, "NS")
        if answer.status is Status.NO_ANSWER:
            return ()
        if answer.status is Status.FOUND and not answer.alias:
            found = [server for name in answer.values for server in _addresses(name, resolver, port)]
            return tuple(dict.fromkeys(found))[:MAX_SERVERS]
    return ()


def ancestors(name: str) -> Iterator[str]:
    """Yield the name, then each name above it, down to a single label."""
    while name:
        yield name
        name = name.partition(".")[2]


def _addresses(name: str, resolver: Resolver, port: int) -> Iterator[Server]:
    for rdtype in ("A", "AAAA"):
        for address in resolver.lookup(name, rdtype).values:
            yield Server(name, address, port)


def _nameserver_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]):
            yield words[1]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
