"""Lookup tables of Postfix, as texts (regexp_table(5), texthash in DATABASE_README)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mailkeel.spec.model import Spec
from mailkeel.spec.rules import ROLES

FOLDER = "/etc/postfix/mailkeel"
ALIASES = f"{FOLDER}/aliases"
SENDER_LOGINS = f"{FOLDER}/sender_logins"
ENVELOPE_SENDERS = f"{FOLDER}/envelope_senders"
COMMANDS = f"{FOLDER}/commands"
PRIVATE_RECIPIENTS = f"{FOLDER}/private_recipients"
HEADER_CHECKS = f"{FOLDER}/header_checks"
SUBMISSION_HEADER_CHECKS = f"{FOLDER}/submission_header_checks"
PATHS = (
    ALIASES,
    SENDER_LOGINS,
    ENVELOPE_SENDERS,
    COMMANDS,
    PRIVATE_RECIPIENTS,
    HEADER_CHECKS,
    SUBMISSION_HEADER_CHECKS,
)

# A character of an ordinary local part, and a domain with its @ (RFC 5321 4.1.2).
_LOCAL = r"""[^][@"'(),:;<>\ [:cntrl:][:space:]]"""
_DOMAIN = r"@[-a-z0-9._]*[-a-z0-9]"
# What a display name is made of, and an address that Postfix may still have to complete (RFC 5322 3.4).
_QUOTED = r'"([^"\\]|\\.)*"'
_COMMENT = r"\(([^()\\]|\\.)*\)"
_WORD = r"""[^][()<>@:;"]"""
_AUTHOR = rf"({_LOCAL}|')+({_DOMAIN})?"


def aliases(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Give the recipients of each alias, the roles of RFC 2142 included. One of the person's own
    wins over a role."""
    result: dict[str, tuple[str, ...]] = dict.fromkeys((role for role in ROLES if role != "root"), ("root",))
    if spec.admin:
        result["root"] = (spec.admin,)
    result.update(spec.aliases)
    return result


def render_aliases(spec: Spec) -> str:
    """The alias table: local part, then its recipients."""
    rows = (f"{name:<20} {', '.join(targets)}" for name, targets in aliases(spec).items())
    return _text("Aliases: valid in every domain of this host (aliases(5), in texthash form).", rows)


def owners(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Give, for each alias, the logins that may send as it: the local accounts among its recipients,
    through other aliases too."""
    table = aliases(spec)
    return {name: tuple(sorted(_accounts(name, table, frozenset()))) for name in table}


def _accounts(name: str, table: Mapping[str, tuple[str, ...]], seen: frozenset[str]) -> set[str]:
    result: set[str] = set()
    for target in table.get(name, ()):
        if target in table and target not in seen:
            result |= _accounts(target, table, seen | {name})
        elif "@" not in target:
            result.add(target)
    return result


def render_sender_logins(spec: Spec) -> str:
    """Which login owns which envelope sender (smtpd_sender_login_maps): its own name in every domain,
    with any extension, and the aliases that lead to it."""
    rows = []
    names = [re.escape(name) for name in mail_names(spec)]
    # An alias with a plus sign is more than an extension of another one.
    for alias, logins in sorted(owners(spec).items(), key=lambda item: "+" not in item[0]):
        if logins:
            rows += [rf"/^{re.escape(alias)}(\+[^@]*)?@{name}$/  {','.join(logins)}" for name in names]
    rows += [rf"/^([^@+]+)(\+[^@]*)?@{name}$/  ${{1}}" for name in names]
    return _text("The login that owns each sender address; the first match counts.", rows)


def mail_names(spec: Spec) -> tuple[str, ...]:
    """The names after the @ that are local: the domains, and the host itself."""
    domains = tuple(domain.name for domain in spec.domains)
    return domains if spec.hostname in domains else (*domains, spec.hostname)


def render_envelope_senders() -> str:
    """Refuse envelope senders that programs behind us read in different ways.

    OpenDMARC and libspf2 take `<any@good.example(a.evil.example>` and its like for the wrong domain
    and grant dmarc=pass. Quoted local parts are legal (RFC 5321 4.1.2) but no real sender has them.
    """
    rows = (
        "# An ordinary address: one @, no quotes, comments, routes or brackets.",
        rf"/^{_LOCAL}+{_DOMAIN}$/  DUNNO",
        "# An apostrophe after a single letter, as in o'brien: to OpenDMARC what is before it is the domain,",
        "# and no domain ends in one letter.",
        rf"/^({_LOCAL}*\.)?[a-z]'{_LOCAL}+{_DOMAIN}$/  DUNNO",
        "# The null sender of a bounce, as Postfix looks it up (smtpd_null_access_lookup_key).",
        "/^<>$/  DUNNO",
        "# Anything else is refused.",
        "/./  553 5.1.7 Sender address is not an ordinary one (RFC 5321 4.1.2): local-part@domain expected",
    )
    return _text("Envelope senders, before any other program sees them.", rows)


def render_commands() -> str:
    """Refuse source routes and quoting in MAIL FROM (smtpd_command_filter).

    Postfix reduces `<@good.example,@x:any@evil.example>` to `any@evil.example` (RFC 5321 4.1.1.3) before
    it looks the sender up, but hands the milters what the client said: OpenDMARC grants dmarc=pass to
    good.example. So this looks at what the client said.
    """
    rows = (
        "# An ordinary address or none, then the parameters: taken as it is.",
        rf"/^(MAIL[[:space:]]+FROM:[[:space:]]*<({_LOCAL}|')*({_DOMAIN})?>([[:space:]].*)?)$/  ${{1}}",
        "# Anything else is answered with 501 5.1.7.",
        "/^MAIL[[:space:]]+FROM:/  MAIL FROM:not-ordinary",
    )
    return _text("What clients say, before Postfix itself reads it.", rows)


def render_private_recipients(accounts: Iterable[str]) -> str:
    """Refuse accounts that nobody outside has business with, in the words for one that does not exist.
    A key that ends in @ stands for every domain, and for every extension (access(5))."""
    rows = (f"{account + '@':<20} 550 5.1.1 User unknown in local recipient table" for account in accounts)
    return _text("Recipients that only this host and its users may write to.", rows)


def render_header_checks(spec: Spec) -> str:
    """Take out verdicts that a message brings about itself (RFC 8601 5): only our own filters,
    which add theirs later, may speak for this host."""
    host = re.escape(spec.hostname)
    rows = (
        rf"/^Authentication-Results[[:space:]]*:.*{host}/  IGNORE",
        '/^Authentication-Results[[:space:]]*:[^;]*["\\\\(]/  IGNORE',
        "/^Received-SPF[[:space:]]*:/  IGNORE",
    )
    return _text("Forged verdicts are removed before the filters see the message.", rows)


def render_submission_header_checks() -> str:
    """Hide the author's address and program from the world, and refuse an author that cannot be read.

    OpenDKIM neither signs a message whose From it cannot parse nor runs its script, which sees that the
    author's address is the login's. Submission only: changing a relayed message would break its signature.
    """
    rows = (
        "# From has an address in angle brackets after a name, all of whose quotes and comments are closed,",
        "# or an address alone.",
        "if /^From[[:space:]]*:/",
        rf"/^From[[:space:]]*:({_QUOTED}|{_COMMENT}|{_WORD})*<{_AUTHOR}>({_COMMENT}|[[:space:]])*$/  DUNNO",
        rf"/^From[[:space:]]*:({_COMMENT}|[[:space:]])*{_AUTHOR}({_COMMENT}|[[:space:]])*$/  DUNNO",
        "/./  REJECT 5.7.1 The From header must hold one address that your login owns",
        "endif",
        r"/^Received: from [^;]*(by [^[:space:]]+ \(Postfix\).*)$/  REPLACE Received: from submission $1",
        "/^(User-Agent|X-Mailer|X-Originating-IP|X-Enigmail|Mime-Version: .*Apple)[[:space:]]*:/  IGNORE",
    )
    return _text("What a submitted message need not tell the world.", rows)


def _text(title: str, rows: Iterable[str]) -> str:
    return "\n".join((f"# {title} Written by mailkeel; change the specification instead.", *rows)) + "\n"
