"""Hosts in the states that a transaction may start from, and ways to break what it does there."""

from __future__ import annotations

import functools
from collections.abc import Callable

import attrs

from fake_debian import bare, nobody, with_postfix
from mailkeel.engine import make_plan, transaction
from mailkeel.engine.plan import Plan
from mailkeel.host.fake import FakeHost, State
from mailkeel.host.interface import Entry, Kind
from mailkeel.resources import Package
from mailkeel.spec.model import Spec
from mailkeel.spec.reader import read

ONE = read('mode = "local"\nhostname = "mx.example.com"\nadmin = "alice"\n[[domain]]\nname = "example.com"\n')
TWO = read(
    'mode = "local"\nhostname = "mx.example.com"\nadmin = "alice"\n'
    '[[domain]]\nname = "example.com"\n[[domain]]\nname = "example.org"\n'
)

#: What mailkeel keeps for itself, whatever becomes of a transaction.
OWN = ("/var/lib/mailkeel", "/var/log/firstboot")

MY_MAIN_CF = (
    "# My notes.\nmyhostname = old.example.net\nmessage_size_limit = 1000\n"
    "smtp_bind_address = 192.0.2.1\n# A list\ndebug_peer_list =\n    192.0.2.7,\n    192.0.2.8\n"
)
MY_MASTER_CF = (
    "smtp inet n - y - 10 smtpd\n  -o smtpd_tls_security_level=none\n"
    "2525 inet n - y - - smtpd\nsmtp unix - - n - 5 smtp\n"
)
MY_DOVECOT = b"# mine\nmail_location = maildir:~/Maildir\n"


@attrs.frozen
class World:
    """A state to start from, the specification that comes, and the commands that came before it."""

    name: str
    make: Callable[[], FakeHost]
    spec: Spec = ONE

    def __str__(self) -> str:
        return self.name

    def host(self) -> FakeHost:
        """A new host in that state."""
        host = self.make()
        host.state = _states(self).copy()
        host.actions.clear()
        host.keys_made = 10 if self is CONVERGED else 0
        return host


def _converged() -> FakeHost:
    host = with_postfix()
    apply(host, ONE)
    return host


def _person() -> FakeHost:
    """Postfix and Dovecot run, set up by a person; a policy-rc.d of theirs is there; OpenDKIM is stopped."""
    host = with_postfix()
    host.install([Package("dovecot-core", ""), Package("opendkim", "")], nobody)
    host.state.services["opendkim"] = attrs.evolve(
        host.state.services["opendkim"], is_active=False, is_enabled=False
    )
    host.state.entries |= {
        "/etc/postfix/main.cf": Entry(Kind.FILE, MY_MAIN_CF.encode(), mode=0o640, group="postfix"),
        "/etc/postfix/master.cf": Entry(Kind.FILE, MY_MASTER_CF.encode()),
        "/etc/dovecot/conf.d/10-mail.conf": Entry(Kind.FILE, MY_DOVECOT),
        "/etc/aliases": Entry(Kind.FILE, b"root: bob\n"),
        "/etc/opendkim.conf": Entry(Kind.LINK, target="/srv/opendkim.conf", mode=0o777),
        "/usr/sbin/policy-rc.d": Entry(Kind.FILE, b"#!/bin/sh\nexit 101\n", mode=0o755),
    }
    return host


def _exim() -> FakeHost:
    """Another mail server runs, which must go."""
    host = bare()
    host.install([Package("exim4", "")], nobody)
    return host


NOTHING = World("nothing installed", bare)
STOCK = World("Debian's Postfix", with_postfix)
PERSON = World("a person's own set-up", _person)
EXIM = World("exim4", _exim)
CONVERGED = World("a domain more", _converged, TWO)
WORLDS = (NOTHING, STOCK, PERSON, EXIM, CONVERGED)


@functools.cache
def _states(world: World) -> State:
    return world.make().snapshot()


@functools.cache
def plan_of(world: World) -> Plan:
    """The plan for the world as it is."""
    return make_plan(world.host(), world.spec)


def apply(host: FakeHost, spec: Spec) -> str:
    """Plan and apply, as the command does."""
    return transaction.apply(host, make_plan(host, spec), lambda: make_plan(host, spec), "a test", nobody)


def comparable(state: State) -> State:
    """A state without what mailkeel keeps for itself."""
    entries = {path: entry for path, entry in state.entries.items() if not path.startswith(OWN)}
    return attrs.evolve(state, entries=entries)


def difference(one: State, other: State) -> str:
    """What differs, for a person; empty where nothing does."""
    found = []
    for path in sorted({*one.entries, *other.entries}):
        if one.entries.get(path) != other.entries.get(path):
            found.append(f"{path}: {one.entries.get(path)} / {other.entries.get(path)}")
    for name in ("packages", "accounts", "services"):
        if getattr(one, name) != getattr(other, name):
            found.append(f"{name}: {getattr(one, name)} / {getattr(other, name)}")
    return "\n".join(found)


@attrs.define
class Trap:
    """Raises at the `at`-th moment (before, within or after a change of the host), once; counts them all."""

    at: int
    error: Callable[[], BaseException]
    seen: int = 0
    where: str = ""

    def arm(self, host: FakeHost) -> Trap:
        """Lay it on a host."""
        host.before = lambda name: self._meet(f"before {name}")
        host.after = lambda name: self._meet(f"after {name}")
        return self

    def _meet(self, moment: str) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.where = moment
            raise self.error()


def disarm(host: FakeHost) -> None:
    """The machine is up again: nothing stands in the way."""
    host.before = host.after = lambda _: None


def reboot(host: FakeHost) -> None:
    """Every service that is enabled comes up, with whatever configuration there is."""
    for name, state in host.state.services.items():
        host.state.services[name] = attrs.evolve(state, is_active=state.is_enabled)


def moments(host: FakeHost, work: Callable[[FakeHost], object]) -> int:
    """How many moments some work has."""
    trap = Trap(0, RuntimeError).arm(host)
    work(host)
    disarm(host)
    return trap.seen
