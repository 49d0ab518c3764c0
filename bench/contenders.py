"""Three Postfix on one host, which differ in who signs: nobody, mailkeel's OpenDKIM, rspamd.

`bare` and `rspamd` are instances of their own on Debian's stock configuration; `mailkeel` is the host's
Postfix as `mailkeel apply` left it. Of each, only where mail goes is changed: to a sink on the loopback.
"""

from __future__ import annotations

import attrs

from bench.roots import CHECKOUT, DOMAIN
from mailkeel.errors import HostError, Problem
from mailkeel.lab.hosts import LabHost

SINK_PORT = 2525


@attrs.frozen
class Contender:
    """A Postfix that takes mail on 127.0.0.1:`port`."""

    name: str
    port: int
    milters: str = ""


BARE = Contender("bare", 10025)
MAILKEEL = Contender("mailkeel", 25)
RSPAMD = Contender("rspamd", 10026, "inet:localhost:11332")
ALL = (BARE, MAILKEEL, RSPAMD)

_SIGNING = f"""\
selector = "default";
path = "/var/lib/rspamd/dkim/$domain.key";
domain {{ {DOMAIN} {{ selector = "default"; path = "/var/lib/rspamd/dkim/default.key"; }} }}
"""
#: As fast as it goes: it signs and does nothing else, in the process that speaks to Postfix.
_SIGN_ONLY = """\
sign_only { priority = high; ip = ["127.0.0.1", "::1"]; apply { symbols_enabled = ["DKIM_SIGNED"]; } }
"""
_PROXY = 'milter = yes;\ntimeout = 120s;\ncount = 2;\nupstream "local" { default = yes; self_scan = yes; }\n'


def set_up(host: LabHost) -> None:
    """Start all three. Raises HostError where one does not sign as it should."""
    for contender in (BARE, RSPAMD):
        _start_stock(host, contender)
    _set_up_rspamd(host)
    host.run([f"{CHECKOUT}/mailkeel", "apply", f"{CHECKOUT}/examples/local.toml", "--yes"], timeout=300)
    host.run(["postconf", "-e", f"relayhost=[127.0.0.1]:{SINK_PORT}"])
    host.run(["systemctl", "restart", "postfix"])


def check_signed(name: str, messages: list[str]) -> None:
    """Raises HostError unless every message bears a signature of our domain, or none for `bare`."""
    signed = [message for message in messages if _is_signed(message)]
    if not messages or len(signed) != (0 if name == BARE.name else len(messages)):
        said = f"{len(signed)} of {len(messages)} messages are signed"
        raise HostError(Problem(name, said, "see /var/log/mail.log on the host"))


def _is_signed(message: str) -> bool:
    header = message.replace("\r\n", "\n").partition("\n\n")[0]
    return "DKIM-Signature:" in header and f"d={DOMAIN};" in header


def _start_stock(host: LabHost, contender: Contender) -> None:
    """A second instance on a copy of Debian's configuration, with a queue of its own."""
    folder, queue = f"/etc/postfix-{contender.name}", f"/var/spool/postfix-{contender.name}"
    settings = [f"queue_directory={queue}", f"data_directory=/var/lib/postfix-{contender.name}"]
    settings += [f"syslog_name=postfix-{contender.name}", f"relayhost=[127.0.0.1]:{SINK_PORT}"]
    settings += [f"smtpd_milters={contender.milters}"] if contender.milters else []
    host.sh(f"cp -a /etc/postfix {folder}; cp -a /var/spool/postfix {queue}; rm -f {queue}/pid/*")
    host.run(["postconf", "-c", folder, "-e", *settings])
    host.run(["postconf", "-c", folder, "-MX", "smtp/inet"])
    service = f"127.0.0.1:{contender.port}/inet"
    entry = f"127.0.0.1:{contender.port} inet n - y - - smtpd"
    host.run(["postconf", "-c", folder, "-M", f"{service}={entry}"])
    host.run(["postfix", "-c", folder, "start"])


def _set_up_rspamd(host: LabHost) -> None:
    host.write("/etc/rspamd/local.d/dkim_signing.conf", _SIGNING)
    host.write("/etc/rspamd/local.d/settings.conf", _SIGN_ONLY)
    host.write("/etc/rspamd/local.d/worker-proxy.inc", _PROXY)
    folder = "/var/lib/rspamd/dkim"
    make = f"rspamadm dkim_keygen -b 2048 -s default -d {DOMAIN} -k {folder}/default.key"
    host.sh(f"mkdir -p {folder}; {make}; chown -R _rspamd: {folder}; systemctl restart rspamd")
