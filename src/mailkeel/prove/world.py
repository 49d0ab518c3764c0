"""Criteria about what the world sees: the records in DNS, and what a receiver would make of our mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mailkeel.dns.compare import Finding, Standing, compare
from mailkeel.dns.records import DnsRecord
from mailkeel.dns.spf import check
from mailkeel.dns.text import printable
from mailkeel.prove.context import Context
from mailkeel.prove.evidence import Evidence, Verdict
from mailkeel.prove.message import verify_signature

_VERDICTS = {
    Standing.PRESENT: Verdict.PASS,
    Standing.MISSING: Verdict.FAIL,
    Standing.DIFFERS: Verdict.FAIL,
    Standing.UNKNOWN: Verdict.UNKNOWN,
}

#: The worst counts.
_RANK = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS)

_PUBLISH = "`mailkeel dns records` shows the records ready to paste at your DNS provider"
_KEEP = "let `mailkeel prove` run by a timer: it sees when a record goes"


def dkim_records(context: Context) -> Evidence:
    """V2: the DKIM record of each domain is in DNS and holds the public half of the key on this host; and
    our own message verifies with what DNS holds."""
    if context.key_problems:
        problem = "; ".join(context.key_problems.values())
        return _evidence(
            "V2", _DKIM, Verdict.FAIL, "a key, and its record", problem, {}, problem, "run `mailkeel apply`"
        )
    found = _compared(context, lambda record: "._domainkey." in record.name)
    verdict, observed, raw = _summed(found)
    if verdict is Verdict.PASS and context.message.has_arrived:
        wrong = verify_signature(context.message.raw, _txt(context))
        raw["test_message"] = wrong or "verified by dkimpy with the record in DNS"
        verdict = Verdict.FAIL if wrong else Verdict.PASS
        observed = f"{observed}; our message: {raw['test_message']}"
    return _evidence(
        "V2",
        _DKIM,
        verdict,
        "the public half of each key at SELECTOR._domainkey.DOMAIN",
        observed,
        raw,
        *_why(found),
    )


def spf_records(context: Context) -> Evidence:
    """V3: the SPF record is there and authorises this host's addresses, by pyspf's verdict."""
    found = _compared(context, lambda record: record.value.startswith("v=spf1"))
    verdict, observed, raw = _summed(found)
    cause, solution = _why(found)
    if verdict is not Verdict.UNKNOWN and context.addresses:
        results = {
            f"{domain.name} from {address}": check(domain.name, ip=address, resolver=context.resolver)
            for domain in context.spec.domains[:50]
            for address in context.addresses
        }
        raw["verdicts"] = {who: report.result for who, report in results.items()}
        bad = {who: report for who, report in results.items() if not report.is_pass}
        verdict = Verdict.FAIL if bad else verdict
        for who, report in list(bad.items())[:1]:
            observed, cause, solution = f"{who}: {report.result}", report.explanation, report.remedy
    elif verdict is Verdict.PASS:
        verdict = Verdict.UNKNOWN
        cause = "the address the world sees this host at is not known here"
        solution = 'set addresses = ["..."] in the specification'
    title = "The SPF record is in DNS and authorises this host"
    return _evidence(
        "V3", title, verdict, "one v=spf1 record, and pass for this host", observed, raw, cause, solution
    )


def dmarc_records(context: Context) -> Evidence:
    """V4: a DMARC policy for each domain."""
    found = _compared(context, lambda record: record.name.startswith("_dmarc."))
    verdict, observed, raw = _summed(found)
    title = "A DMARC policy is in DNS"
    return _evidence(
        "V4", title, verdict, "one v=DMARC1 record as specified at _dmarc.DOMAIN", observed, raw, *_why(found)
    )


def other_records(context: Context) -> Evidence:
    """A4: MX and addresses, without which nobody can write to us."""
    found = _compared(context, lambda record: record.type in ("MX", "A", "AAAA", "CNAME"))
    verdict, observed, raw = _summed(found)
    title = "MX and address records lead here"
    return _evidence(
        "A4", title, verdict, "MX of each domain, addresses of this host's name", observed, raw, *_why(found)
    )


def reaches_outside(context: Context) -> Evidence:
    """V5: needs a mailbox elsewhere."""
    return _unseen(
        context, "V5", "A test message reaches another domain", "accepted by the receiver's server"
    )


def verifies_outside(context: Context) -> Evidence:
    """V6: likewise."""
    return _unseen(context, "V6", "Its signature verifies at the receiver", "dkim=pass at the receiver")


def _unseen(context: Context, id_: str, title: str, expected: str) -> Evidence:
    cause = "what a receiver elsewhere sees cannot be seen from here"
    solution = f"write from {context.spec.primary.name} to an address elsewhere and read the headers there"
    return _evidence(id_, title, Verdict.UNKNOWN, expected, "nothing was sent", {}, cause, solution)


def relay_accepts(context: Context) -> Evidence:
    """V8: a question of relay mode."""
    title, cause = "The relay accepts our credentials", "mail leaves straight to the recipient's server"
    observed = f"there is no relay in mode {context.spec.mode.value}"
    return _evidence("V8", title, Verdict.NOT_APPLICABLE, "a relay", observed, {}, cause, "nothing to do")


_DKIM = "DKIM keys and their DNS records match"
_DKIM_EXPECTED = "the public half of each key at SELECTOR._domainkey.DOMAIN"


def _compared(context: Context, is_asked: Callable[[DnsRecord], bool]) -> tuple[Finding, ...]:
    return compare((record for record in context.records if is_asked(record)), context.resolver)


def _summed(findings: Iterable[Finding]) -> tuple[Verdict, str, dict[str, Any]]:
    found = list(findings)
    verdicts = [_VERDICTS[finding.verdict] for finding in found] or [Verdict.UNKNOWN]
    worst = min(verdicts, key=_RANK.index)
    telling = [one for one in found if _VERDICTS[one.verdict] is worst]
    reasons = list(dict.fromkeys(one.what or one.verdict.value for one in telling))
    names = [f"{one.record.name} {one.record.type}" for one in telling]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    observed = f"{shown}: {'; '.join(reasons[:2])}" if telling else ""
    raw = {
        "records": [
            {
                "name": one.record.name,
                "type": one.record.type,
                "wanted": one.record.value,
                "seen": [printable(value) for value in one.seen],
                "server": one.where,
                "standing": one.verdict.value,
            }
            for one in found[:200]
        ]
    }
    return worst, observed or "no such record is wanted, as no address of this host is known", raw


def _why(findings: Iterable[Finding]) -> tuple[str, str]:
    """Cause and remedy of the worst finding."""
    bad = sorted((f for f in findings if f.remedy), key=lambda f: _RANK.index(_VERDICTS[f.verdict]))
    return (bad[0].what, bad[0].remedy) if bad else ("it is not published", _PUBLISH)


def _txt(context: Context) -> Callable[[str], bytes | None]:
    def look_up(name: str) -> bytes | None:
        values = context.resolver.lookup(name, "TXT").values
        return values[0].encode(errors="surrogateescape") if values else None

    return look_up


def _evidence(
    id_: str,
    title: str,
    verdict: Verdict,
    expected: str,
    observed: str,
    raw: dict[str, Any],
    cause: str,
    solution: str,
) -> Evidence:
    return Evidence(id_, title, verdict, expected, observed, raw, cause, solution, _KEEP)
