"""Dovecot, as the one who checks passwords for Postfix's submission (SASL), against the host's accounts.

It listens on a UNIX socket only. Debian's dovecot-core brings no IMAP or POP3, and a Dovecot that the
person set up keeps all its settings: these are drop-ins.
"""

from __future__ import annotations

from mailkeel.facts import HostFacts
from mailkeel.resources import Check, Desired, Directory, File, Package, Probe, Service, Symlink

#: Read before Debian's own passdb, so that it refuses first.
DENY = "/etc/dovecot/conf.d/05-mailkeel-deny.conf"
CONF = "/etc/dovecot/conf.d/99-mailkeel.conf"
DENIED = "/etc/dovecot/mailkeel.denied"

_PRIVATE = "/etc/dovecot/private"
_SOCKET = "/var/spool/postfix/private/auth"

#: The socket as Postfix, in its chroot, names it.
SASL_SOCKET = "private/auth"


def desired(facts: HostFacts, key: str, certificate: str) -> Desired:
    """What checking passwords needs. `key` and `certificate` are paths."""
    deny, conf = _DIALECTS[facts.debian]
    return Desired(
        packages=(
            Package(
                "dovecot-core",
                "checks passwords for submission (SASL)",
                leaves=("/etc/dovecot", "/var/lib/dovecot"),
            ),
        ),
        files=(
            File(DENIED, b"root\n", "accounts whose password is never taken over the network"),
            File(DENY, deny.encode(), "refuses those accounts before any password is looked at"),
            File(CONF, conf.encode(), "the socket on which Postfix asks about passwords"),
        ),
        directories=(Directory(_PRIVATE, "Dovecot's certificate, for root only", mode=0o700),),
        # Debian's 10-ssl.conf names these files, and Dovecot does not start without them; its package links
        # them to ssl-cert's only where that has made some, which images often have not.
        symlinks=(
            Symlink(f"{_PRIVATE}/dovecot.pem", certificate, "Dovecot will not start without", True),
            Symlink(f"{_PRIVATE}/dovecot.key", key, "Dovecot will not start without", True),
        ),
        services=(
            Service(
                "dovecot",
                unit="dovecot.service",
                init_script="dovecot",
                pid_file="/run/dovecot/master.pid",
                process="dovecot",
                why="password check for submission",
                reload_on=frozenset({DENIED}),
                restart_on=frozenset({DENY, CONF}),
                probes=(Probe(_SOCKET, b"VERSION\t"),),
            ),
        ),
        checks=(
            Check("doveconf -n", ("doveconf", "-n", "-c", "{root}/etc/dovecot/dovecot.conf"), "/etc/dovecot"),
        ),
    )


_SERVICE = """\
# The password itself goes to PAM, so an account's password here is its login password.
auth_mechanisms = plain login

service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
"""

_TITLE = "# Written by mailkeel; change /etc/mailkeel/mail.toml instead.\n"

#: Dovecot 2.3 and 2.4 say the same in two languages. `alice`, `Alice` and `alice@example.com` are one login.
_DIALECTS = {
    12: (
        f"{_TITLE}passdb {{\n  driver = passwd-file\n  args = {DENIED}\n  deny = yes\n}}\n",
        f"{_TITLE}auth_username_format = %Ln\n{_SERVICE}",
    ),
    13: (
        f"{_TITLE}passdb mailkeel_denied {{\n"
        f"  driver = passwd-file\n  passwd_file_path = {DENIED}\n  deny = yes\n}}\n",
        f"{_TITLE}auth_username_format = %{{user | username | lower}}\n{_SERVICE}",
    ),
}
