"""OpenDMARC: judges mail from outside by its author's domain's policy (RFC 7489), with an SPF check of
its own, and records what it saw for reports."""

from __future__ import annotations

from mailkeel.facts import HostFacts
from mailkeel.resources import Check, Desired, Directory, File, Package, Probe, Service, Symlink
from mailkeel.spec.model import Spec

FOLDER = "/etc/opendmarc"
CONF = f"{FOLDER}/opendmarc.conf"
IGNORE_HOSTS = f"{FOLDER}/ignore.hosts"
HISTORY = "/var/lib/opendmarc/history.dat"
ROTATION = "/etc/logrotate.d/mailkeel-opendmarc"
DROP_IN = "/etc/systemd/system/opendmarc.service.d/mailkeel.conf"

_DROP_IN_FOLDER = DROP_IN.rpartition("/")[0]
_SOCKET_FOLDER = "/var/spool/postfix/opendmarc"
_SOCKET = f"{_SOCKET_FOLDER}/opendmarc.sock"

#: The socket as Postfix, in its chroot, names it.
MILTER_SOCKET = "opendmarc/opendmarc.sock"


def desired(spec: Spec, facts: HostFacts) -> Desired:
    """What judging mail from outside needs."""
    return Desired(
        packages=(
            Package(
                "opendmarc",
                "judges mail from outside (DMARC)",
                ("opendmarc opendmarc/dbconfig-install boolean false",),
            ),
            Package("dbconfig-no-thanks", "keeps OpenDMARC's package from asking for a database"),
            Package("publicsuffix", "tells where an organisation's domain starts"),
        ),
        directories=_directories(facts),
        files=_files(spec, facts),
        symlinks=(Symlink("/etc/opendmarc.conf", CONF, "where Debian's OpenDMARC reads its configuration"),),
        services=(_service(),),
        checks=(Check("opendmarc -n", ("opendmarc", "-n", "-c", "{root}" + CONF), FOLDER),),
    )


def _directories(facts: HostFacts) -> tuple[Directory, ...]:
    folders = (
        Directory(FOLDER, "OpenDMARC's configuration"),
        Directory("/var/lib/opendmarc", "what OpenDMARC saw", "opendmarc", "opendmarc", 0o750),
        # setgid: the socket gets the group postfix.
        Directory(
            _SOCKET_FOLDER, "OpenDMARC's socket, inside Postfix's chroot", "opendmarc", "postfix", 0o2750
        ),
    )
    return (*folders, Directory(_DROP_IN_FOLDER, "supervision by systemd")) if facts.has_systemd else folders


def _files(spec: Spec, facts: HostFacts) -> tuple[File, ...]:
    files = (
        File(IGNORE_HOSTS, b"127.0.0.0/8\n::1\n", "whose mail is not judged: this host's"),
        File(CONF, _configuration(spec).encode(), "OpenDMARC's configuration"),
        File(ROTATION, _ROTATION.encode(), "keeps the record for reports small"),
    )
    return (
        (*files, File(DROP_IN, _DROP_IN.encode(), "supervision by systemd")) if facts.has_systemd else files
    )


def _configuration(spec: Spec) -> str:
    return "".join(f"# {why}\n{name:<28}{value}\n\n" for name, value, why in _settings(spec))


def _settings(spec: Spec) -> tuple[tuple[str, str, str], ...]:
    suffixes = "/usr/share/publicsuffix/public_suffix_list.dat"
    return (
        (
            "AuthservID",
            spec.hostname,
            "Written by mailkeel; change /etc/mailkeel/mail.toml instead. Our verdicts' name.",
        ),
        ("TrustedAuthservIDs", spec.hostname, "Whose DKIM verdicts count: OpenDKIM's on this host."),
        ("SPFIgnoreResults", "true", "SPF verdicts in headers can be forged;"),
        ("SPFSelfValidate", "true", "so SPF is checked anew, from the connection itself."),
        ("RejectFailures", "true", "p=reject is obeyed."),
        (
            "HoldQuarantinedMessages",
            "false",
            "p=quarantine is marked and delivered: the hold queue is where mail is forgotten.",
        ),
        ("RequiredHeaders", "true", "One From, one Date: without them there is no verdict (RFC 5322 3.6)."),
        ("RejectMultiValueFrom", "true", "Two authors of two domains cannot be judged."),
        ("PublicSuffixList", suffixes, "Without it a subdomain would not inherit its organisation's policy."),
        ("IgnoreAuthenticatedClients", "true", "Our users' mail has not come from our public address."),
        ("IgnoreHosts", IGNORE_HOSTS, "Neither has mail of this host."),
        ("HistoryFile", HISTORY, "What reports are made of."),
        ("FailureReports", "false", "They would send people's mail to strangers."),
        ("Socket", f"local:{_SOCKET}", "A UNIX socket, inside Postfix's chroot."),
        ("PidFile", "/run/opendmarc/opendmarc.pid", "Where Debian's unit and init script look."),
        ("Syslog", "true", "To mail.log."),
        ("UMask", "007", "The socket is for its group, Postfix, only."),
        ("UserID", "opendmarc", "Never root."),
    )


_ROTATION = f"""\
# Written by mailkeel. OpenDMARC appends to this file for each message and never shortens it.
{HISTORY} {{
    weekly
    rotate 4
    missingok
    notifempty
    compress
    su opendmarc opendmarc
}}
"""

_DROP_IN = """\
# Written by mailkeel.
[Service]
# OpenDMARC is known to crash on odd input: it comes back by itself, meanwhile mail waits.
Restart=always
RestartSec=1
# It takes 3 s to stop by itself; mail that is in its hands is tried again.
KillSignal=SIGKILL
# So a stop is no failure, and does not leave a failed unit behind.
SuccessExitStatus=SIGKILL
"""


def _service() -> Service:
    return Service(
        "opendmarc",
        unit="opendmarc.service",
        init_script="opendmarc",
        pid_file="/run/opendmarc/opendmarc.pid",
        process="opendmarc",
        why="DMARC milter",
        restart_on=frozenset({CONF, IGNORE_HOSTS, "/etc/opendmarc.conf", DROP_IN, _SOCKET_FOLDER}),
        probes=(Probe(_SOCKET),),
    )
