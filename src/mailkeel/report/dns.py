"""DNS records as table, zone text and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailkeel.dns.compare import Finding
from mailkeel.dns.records import DnsRecord
from mailkeel.dns.text import printable
from mailkeel.report.screen import paint


def render(records: Iterable[DnsRecord]) -> str:
    """Each record ready to paste into a provider's form: type, name, value; and why it is there."""
    blocks = []
    for record in records:
        head = f"{paint(f'{record.type:<5}', 'bold')} {record.name}"
        blocks.append(f"{head}\n      {record.value}\n      {paint(record.why, 'dim')}\n")
    return "\n".join(blocks)


def as_json(records: Iterable[DnsRecord]) -> list[dict[str, Any]]:
    """Stable keys: name, type, value, ttl, why, pending."""
    return [
        {
            "name": record.name,
            "type": record.type,
            "value": record.value,
            "ttl": record.ttl_seconds,
            "why": record.why,
            "pending": record.pending,
        }
        for record in records
    ]


def render_findings(findings: Iterable[Finding]) -> str:
    """How each record stands in the world."""
    lines = []
    for finding in findings:
        style = {"present": "pass", "unknown": "unknown"}.get(finding.verdict.value, "fail")
        head = f"{paint(f'{finding.verdict.value:<8}', style)} {finding.record.type:<5} {finding.record.name}"
        lines.append(head)
        lines += [f"           seen: {printable(value)}" for value in finding.seen[:4]]
        lines += [f"           {printable(finding.what)}"] if finding.what else []
        lines += [f"           do: {printable(finding.remedy)}"] if finding.remedy else []
    return "\n".join(lines) + "\n"


def findings_as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Each finding with the record wanted and the values seen."""
    return [
        {
            "name": finding.record.name,
            "type": finding.record.type,
            "wanted": finding.record.value,
            "standing": finding.verdict.value,
            "seen": [printable(value) for value in finding.seen],
            "server": finding.where,
            "what": printable(finding.what),
            "remedy": printable(finding.remedy),
        }
        for finding in findings
    ]
