"""OpenDKIM: signs what leaves (RFC 6376), verifies what comes in, and sees that the author's address
is one that can be judged, or, on submission, one that the login owns."""

from __future__ import annotations

from mailkeel.daemons.opendkim.script import render_script
from mailkeel.facts import HostFacts
from mailkeel.resources import (
    Check,
    Desired,
    Directory,
    File,
    Key,
    KeyKind,
    Package,
    Probe,
    Service,
    Symlink,
)
from mailkeel.spec.model import Domain, Spec

FOLDER = "/etc/opendkim"
CONF = f"{FOLDER}/opendkim.conf"
KEYS = f"{FOLDER}/keys"
KEY_TABLE = f"{FOLDER}/KeyTable"
SIGNING_TABLE = f"{FOLDER}/SigningTable"
INTERNAL_HOSTS = f"{FOLDER}/InternalHosts"
SCRIPT = f"{FOLDER}/author.lua"
DROP_IN = "/etc/systemd/system/opendkim.service.d/mailkeel.conf"

_DROP_IN_FOLDER = DROP_IN.rpartition("/")[0]
_SOCKET_FOLDER = "/var/spool/postfix/opendkim"
_SOCKET = f"{_SOCKET_FOLDER}/opendkim.sock"

#: The socket as Postfix, in its chroot, names it.
MILTER_SOCKET = "opendkim/opendkim.sock"


def desired(spec: Spec, facts: HostFacts, owners: dict[str, tuple[str, ...]]) -> Desired:
    """What signing and verifying need. `owners`: the logins that may send as each alias."""
    return Desired(
        packages=(
            Package("opendkim", "signs and verifies mail (DKIM)"),
            Package("opendkim-tools", "opendkim-testkey, to check a published key"),
        ),
        directories=_directories(spec, facts),
        keys=tuple(_key(domain) for domain in spec.domains),
        files=_files(spec, facts, owners),
        symlinks=(Symlink("/etc/opendkim.conf", CONF, "where Debian's OpenDKIM reads its configuration"),),
        services=(_service(spec),),
        checks=(Check("opendkim -n", ("opendkim", "-n", "-x", "{root}" + CONF), FOLDER),),
    )


def key_path(domain: str, selector: str) -> str:
    """Where the private key of a domain's selector lives."""
    return f"{KEYS}/{domain}/{selector}.private"


def _directories(spec: Spec, facts: HostFacts) -> tuple[Directory, ...]:
    folders = (
        Directory(FOLDER, "OpenDKIM's configuration"),
        Directory(KEYS, "DKIM private keys", group="opendkim", mode=0o750),
        *(
            Directory(f"{KEYS}/{d.name}", f"keys of {d.name}", group="opendkim", mode=0o750)
            for d in spec.domains
        ),
        # setgid: the socket gets the group postfix. Adding postfix to the group opendkim instead, as is
        # often advised, makes OpenDKIM refuse its keys ("key data is not secure").
        Directory(
            _SOCKET_FOLDER, "OpenDKIM's socket, inside Postfix's chroot", "opendkim", "postfix", 0o2750
        ),
    )
    return (*folders, Directory(_DROP_IN_FOLDER, "supervision by systemd")) if facts.has_systemd else folders


def _key(domain: Domain) -> Key:
    path = key_path(domain.name, domain.dkim.selector)
    return Key(
        KeyKind.DKIM_RSA,
        path,
        path.removesuffix(".private") + ".txt",
        (domain.dkim.selector, domain.name),
        domain.dkim.bits,
        f"signs the mail of {domain.name}",
        group="opendkim",
        mode=0o640,
    )


def _files(spec: Spec, facts: HostFacts, owners: dict[str, tuple[str, ...]]) -> tuple[File, ...]:
    files = (
        File(KEY_TABLE, _key_table(spec).encode(), "which private key a signature is made with"),
        File(SIGNING_TABLE, _signing_table(spec).encode(), "whose mail is signed with which key"),
        File(INTERNAL_HOSTS, b"127.0.0.0/8\n::1\n", "whose mail is signed without a password: this host's"),
        File(SCRIPT, render_script(spec, owners).encode(), "which authors' addresses are accepted"),
        File(CONF, _configuration(spec, facts).encode(), "OpenDKIM's configuration"),
    )
    return (
        (*files, File(DROP_IN, _DROP_IN.encode(), "supervision by systemd")) if facts.has_systemd else files
    )


def _key_table(spec: Spec) -> str:
    rows = (
        f"{d.name} {d.name}:{d.dkim.selector}:{key_path(d.name, d.dkim.selector)}\n" for d in spec.domains
    )
    return "".join(rows)


def _signing_table(spec: Spec) -> str:
    """Exact names, looked up by hashing: with `refile:` each message would walk through all of them."""
    table = {domain.name: domain.name for domain in spec.domains}
    table.setdefault(spec.hostname, _domain_of(spec))
    return "".join(f"{name} {key}\n" for name, key in table.items())


def _domain_of(spec: Spec) -> str:
    """The domain that signs for the host's own name (bounces): the longest that it lies under, so that
    the signature is aligned (RFC 7489 3.1.1)."""
    above = [d.name for d in spec.domains if spec.hostname.endswith(f".{d.name}")]
    return max(above, key=len, default=spec.primary.name)


def _configuration(spec: Spec, facts: HostFacts) -> str:
    return "".join(f"# {why}\n{name:<24}{value}\n\n" for name, value, why in _settings(spec, facts))


def _settings(spec: Spec, facts: HostFacts) -> tuple[tuple[str, str, str], ...]:
    return (
        ("Mode", "sv", "Written by mailkeel; change /etc/mailkeel/mail.toml instead. Sign and verify."),
        ("UserID", "opendkim", "Never root."),
        ("UMask", "007", "The socket is for its group, Postfix, only."),
        (
            "Socket",
            f"local:{_SOCKET}",
            "A UNIX socket: a TCP one costs 86 ms a message (delayed acknowledgements).",
        ),
        ("PidFile", "/run/opendkim/opendkim.pid", "Where Debian's unit and init script look."),
        ("Syslog", "yes", "To mail.log."),
        ("SyslogSuccess", "yes", "Each signature made is in the log."),
        ("KeyTable", f"file:{KEY_TABLE}", "Key name, domain, selector, private key."),
        ("SigningTable", f"file:{SIGNING_TABLE}", "Author's domain to key name."),
        ("InternalHosts", f"file:{INTERNAL_HOSTS}", "Signed without a password: programs on this host."),
        ("ExternalIgnoreList", f"file:{INTERNAL_HOSTS}", "No warnings for these."),
        (
            "Canonicalization",
            "relaxed/relaxed",
            "Survives the harmless changes that relays make (RFC 6376 3.4).",
        ),
        ("SignatureAlgorithm", "rsa-sha256", "The one that every receiver verifies (RFC 8301)."),
        (
            "On-SignatureError",
            "tempfail",
            "What cannot be signed waits; refused, mail by sendmail(1) and its bounce would both be lost.",
        ),
        ("MinimumKeyBits", "1024", "Shorter keys prove nothing (RFC 8301 3.2)."),
        ("OversignHeaders", "From", "A second From added on the way breaks the signature."),
        ("AuthservID", spec.hostname, "The name our verdicts bear (RFC 8601 2.5); the same in OpenDMARC."),
        ("AlwaysAddARHeader", "yes", "A verdict also where there is no signature."),
        (
            "FinalPolicyScript",
            SCRIPT,
            "Refuses authors' addresses that cannot be judged or are not the login's.",
        ),
        (
            "Nameservers",
            ",".join(facts.nameservers),
            "The system's resolver; OpenDKIM would ask the root servers by itself otherwise.",
        ),
    )


_DROP_IN = """\
# Written by mailkeel.
[Service]
# Comes back by itself: with OpenDKIM down, mail waits.
Restart=always
RestartSec=1
# It takes 4 s to stop by itself; mail that is in its hands is tried again.
KillSignal=SIGKILL
# So a stop is no failure, and does not leave a failed unit behind.
SuccessExitStatus=SIGKILL
"""


def _service(spec: Spec) -> Service:
    keys = frozenset(key_path(domain.name, domain.dkim.selector) for domain in spec.domains)
    return Service(
        "opendkim",
        unit="opendkim.service",
        init_script="opendkim",
        pid_file="/run/opendkim/opendkim.pid",
        process="opendkim",
        why="DKIM milter",
        reload_on=frozenset({KEY_TABLE, SIGNING_TABLE, SCRIPT, INTERNAL_HOSTS}) | keys,
        restart_on=frozenset({CONF, "/etc/opendkim.conf", DROP_IN, _SOCKET_FOLDER}),
        probes=(Probe(_SOCKET),),
    )
