"""Postfix: the packages, files, service, checks and ports of the mail transfer agent."""

from __future__ import annotations

from functools import partial

from mailkeel.daemons.postfix import local_mode, main_cf, master_cf, tables
from mailkeel.daemons.postfix.checkers import unknown_table_types
from mailkeel.daemons.postfix.inputs import Inputs, Milter, PolicyService
from mailkeel.daemons.postfix.managed_block import logical_lines, wrap
from mailkeel.facts import HostFacts
from mailkeel.resources import Check, Desired, Directory, File, Package, Port, Probe, Service
from mailkeel.spec.model import Spec

__all__ = ["MAIN_CF", "MASTER_CF", "Inputs", "Milter", "PolicyService", "desired"]

MAIN_CF = "/etc/postfix/main.cf"
MASTER_CF = "/etc/postfix/master.cf"
MAILUTILS_CONF = "/etc/mailutils.conf"
QUEUE_DIRECTORY = "/var/spool/postfix"

#: Debian 12's postfix.service is a dummy that is "active" whatever happens; the instance tells.
_WATCHED_UNIT = {12: "postfix@-.service", 13: "postfix.service"}

#: Made by its maintainer scripts, and still there after a purge.
_LEAVES = ("/etc/aliases", "/etc/aliases.db", "/etc/mailname")


def desired(spec: Spec, facts: HostFacts, inputs: Inputs) -> Desired:
    """What local mode wants of Postfix."""
    return Desired(
        packages=_packages(spec),
        directories=(Directory(tables.FOLDER, "Postfix's lookup tables that mailkeel writes"),),
        files=_files(spec, facts, inputs),
        services=(_service(facts, inputs),),
        checks=_checks(),
        ports=tuple(Port(number, "postfix", ("master", "smtpd")) for number in (25, 465, 587)),
    )


def _packages(spec: Spec) -> tuple[Package, ...]:
    preseed = (
        "postfix postfix/main_mailer_type select Internet Site",
        f"postfix postfix/mailname string {spec.primary.name}",
    )
    return (
        Package("postfix", "the mail transfer agent", preseed, _LEAVES),
        Package("mailutils", "mail(1), to read and send mail on this host"),
        Package("ca-certificates", "the authorities that receivers' certificates are checked against"),
    )


def _files(spec: Spec, facts: HostFacts, inputs: Inputs) -> tuple[File, ...]:
    sections = local_mode.sections(spec, facts, inputs)
    entries = local_mode.listeners(spec, inputs)
    return (
        File(tables.ALIASES, tables.render_aliases(spec).encode(), "who gets mail for roles and aliases"),
        File(
            tables.SENDER_LOGINS, tables.render_sender_logins(spec).encode(), "which login may send as whom"
        ),
        File(
            tables.ENVELOPE_SENDERS,
            tables.render_envelope_senders().encode(),
            "which envelope senders are sane",
        ),
        File(tables.COMMANDS, tables.render_commands().encode(), "which commands are read as they are"),
        File(
            tables.PRIVATE_RECIPIENTS,
            tables.render_private_recipients(inputs.private_accounts).encode(),
            "which accounts the world may not write to",
        ),
        File(tables.HEADER_CHECKS, tables.render_header_checks(spec).encode(), "removes forged verdicts"),
        File(
            tables.SUBMISSION_HEADER_CHECKS,
            tables.render_submission_header_checks().encode(),
            "hides the author's address and program",
        ),
        File("/etc/mailname", f"{spec.primary.name}\n".encode(), "the mail name that other programs read"),
        File(
            MAILUTILS_CONF,
            partial(_merge_mailutils, spec.primary.name),
            "mail(1) writes as somebody of the mail domain",
        ),
        File(
            MASTER_CF,
            partial(_merge_master, entries),
            "which listeners and services Postfix runs",
            remarks=partial(_master_remarks, entries),
        ),
        File(
            MAIN_CF,
            partial(_merge_main, sections),
            "Postfix's configuration",
            remarks=partial(_main_remarks, sections),
        ),
    )


def _merge_main(sections: tuple[main_cf.Section, ...], current: bytes | None) -> bytes:
    return main_cf.merge(_text(current), sections, local_mode.SUPERSEDED).encode(errors="surrogateescape")


def _main_remarks(sections: tuple[main_cf.Section, ...], current: bytes | None) -> tuple[str, ...]:
    return tuple(map(str, main_cf.conflicts(_text(current), sections, local_mode.SUPERSEDED)))


def _merge_master(entries: tuple[master_cf.Entry, ...], current: bytes | None) -> bytes:
    return master_cf.merge(_text(current), entries).encode(errors="surrogateescape")


def _master_remarks(entries: tuple[master_cf.Entry, ...], current: bytes | None) -> tuple[str, ...]:
    return tuple(map(str, master_cf.conflicts(_text(current), entries)))


def _text(current: bytes | None) -> str:
    return (current or b"").decode(errors="surrogateescape")


def _merge_mailutils(domain: str, current: bytes | None) -> bytes:
    """The settings of mail(1), the person's own after ours: the last one counts."""
    block = (
        "# Written by mailkeel. Without it the author is somebody at the host's own name, which need not be\n"
        "# a mail domain: such mail is not signed, and answers get lost.\n"
        f"address {{\n  email-domain {domain};\n}};\n"
    )
    text = (current or b"").decode(errors="surrogateescape")
    return wrap(block, "".join(logical_lines(text))).encode(errors="surrogateescape")


def _service(facts: HostFacts, inputs: Inputs) -> Service:
    return Service(
        "postfix",
        unit="postfix.service",
        watched_unit=_WATCHED_UNIT[facts.debian],
        init_script="postfix",
        pid_file=f"{QUEUE_DIRECTORY}/pid/master.pid",
        process="master",
        why="mail transfer agent",
        reload_on=frozenset({MAIN_CF, MASTER_CF, inputs.key, inputs.certificate, *tables.PATHS}),
        probes=(
            Probe("127.0.0.1:25", b"220 "),
            Probe("127.0.0.1:587", b"220 "),
            Probe("127.0.0.1:465", b"220 ", tls=True),
        ),
    )


def _checks() -> tuple[Check, ...]:
    folder = "{root}/etc/postfix"
    return (
        Check(
            "postconf reads main.cf", ("postconf", "-c", folder, "-n"), "/etc/postfix", stderr_is_error=True
        ),
        Check(
            "postconf reads master.cf", ("postconf", "-c", folder, "-M"), "/etc/postfix", stderr_is_error=True
        ),
        Check(
            "the types of Postfix's tables",
            ("sh", "-c", f"postconf -m && echo && postconf -c {folder} -n"),
            "/etc/postfix",
            judge=unknown_table_types,
        ),
        Check("postfix check", ("postfix", "-c", folder, "check"), "/etc/postfix"),
    )
