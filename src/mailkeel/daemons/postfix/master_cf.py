"""master.cf as typed entries, merged into what is there.

mailkeel manages the listeners and the services it adds. The other standard services are added only
where they are missing, so that what the person tuned stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from mailkeel.daemons.postfix.main_cf import Conflict
from mailkeel.daemons.postfix.managed_block import comments, logical_lines, text, wrap

_HEADER = """\
# Written by mailkeel. Between these marks every change is made by `mailkeel apply`. Services of your
# own, and other standard services, may stand outside them: mailkeel leaves them alone.
# service type  private unpriv  chroot  wakeup  maxproc command + args
"""

#: Names that /etc/services gives to a port we manage: a listener of the person's under such a name is
#: the same listener.
_PORT_NAMES = {
    "smtp": "25",
    "submission": "587",
    "submissions": "465",
    "smtps": "465",
    "urd": "465",
    "ssmtp": "465",
}


@attrs.frozen
class Entry:
    """One service of master.cf (master(5)). `options` are `-o` overrides, `reason` a comment."""

    service: str
    type: str
    command: str
    private: str = "-"
    unprivileged: str = "-"
    chroot: str = "y"
    wakeup: str = "-"
    maxproc: str = "-"
    options: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def key(self) -> str:
        """What makes two entries the same service."""
        return _key(self.service, self.type)

    @property
    def line(self) -> str:
        """The logical line without the service's name and type; an option's value stands in braces,
        so that spaces in it are safe."""
        columns = (self.private, self.unprivileged, self.chroot, self.wakeup, self.maxproc)
        options = "".join(f"\n  -o {{ {name} = {value} }}" for name, value in self.options)
        return "".join(f"{column:<8}" for column in columns) + self.command + options

    def render(self) -> str:
        """The entry as it stands in master.cf, its reason in front."""
        comment = f"\n# {self.reason}\n" if self.reason else ""
        return f"{comment}{self.service:<19}{self.type:<11}{self.line}\n"


#: What Debian's Postfix ships besides the SMTP listener; chroot as Debian sets it.
STANDARD = (
    Entry("pickup", "unix", "pickup", private="n", wakeup="60", maxproc="1"),
    Entry("cleanup", "unix", "cleanup", private="n", maxproc="0"),
    Entry("qmgr", "unix", "qmgr", private="n", chroot="n", wakeup="300", maxproc="1"),
    Entry("tlsmgr", "unix", "tlsmgr", wakeup="1000?", maxproc="1"),
    Entry("rewrite", "unix", "trivial-rewrite"),
    Entry("bounce", "unix", "bounce", maxproc="0"),
    Entry("defer", "unix", "bounce", maxproc="0"),
    Entry("trace", "unix", "bounce", maxproc="0"),
    Entry("verify", "unix", "verify", maxproc="1"),
    Entry("flush", "unix", "flush", private="n", wakeup="1000?", maxproc="0"),
    Entry("proxymap", "unix", "proxymap", chroot="n"),
    Entry("proxywrite", "unix", "proxymap", chroot="n", maxproc="1"),
    Entry("smtp", "unix", "smtp"),
    Entry("relay", "unix", "smtp", options=(("syslog_name", "postfix/relay"),)),
    Entry("showq", "unix", "showq", private="n"),
    Entry("error", "unix", "error"),
    Entry("retry", "unix", "error"),
    Entry("discard", "unix", "discard"),
    Entry("local", "unix", "local", unprivileged="n", chroot="n"),
    Entry("virtual", "unix", "virtual", unprivileged="n", chroot="n"),
    Entry("lmtp", "unix", "lmtp"),
    Entry("anvil", "unix", "anvil", maxproc="1"),
    Entry("scache", "unix", "scache", maxproc="1"),
    Entry("postlog", "unix-dgram", "postlogd", private="n", chroot="n", maxproc="1"),
)


def merge(current: str, managed: Sequence[Entry], standard: Sequence[Entry] = STANDARD) -> str:
    """Give the text of master.cf: the managed entries, then all that was there and is not ours."""
    ours = {entry.key for entry in managed}
    kept = [comments(line) if _entry(line)[0] in ours else line for line in logical_lines(current)]
    there = {_entry(line)[0] for line in kept}
    block = _HEADER + "".join(entry.render() for entry in managed)
    added = "".join(entry.render() for entry in standard if entry.key not in there)
    if added:
        block += f"\n# Postfix's standard services, as Debian ships them.\n{added}"
    return wrap(block, "".join(kept))


def conflicts(current: str, managed: Iterable[Entry]) -> tuple[Conflict, ...]:
    """Name the person's entries that a merge would replace; Debian's own listener is none."""
    wanted = {entry.key: entry for entry in managed}
    found = (_entry(line) for line in logical_lines(current))
    return tuple(
        Conflict(f"service {key}", value, " ".join(wanted[key].line.split()))
        for key, value in found
        if key in wanted and (key, value) not in _STOCK
    )


def _entry(line: str) -> tuple[str, str]:
    """Key and remaining fields of a logical line; the key is empty where there is no service."""
    fields = text(line).split(None, 2)
    if len(fields) < 3:
        return "", ""
    return _key(fields[0], fields[1]), " ".join(fields[2].split())


def _key(service: str, type_: str) -> str:
    """`25/inet` for `smtp inet`; with an address in front it is another listener."""
    return f"{_PORT_NAMES.get(service, service) if type_ == 'inet' else service}/{type_}"


_STOCK = {("25/inet", "n - y - - smtpd")}
