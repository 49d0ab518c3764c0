"""An SPF check for people and for programs. Nothing from DNS reaches the screen unescaped."""

from __future__ import annotations

from collections.abc import Iterator

from mailkeel.dns.spf import SpfReport
from mailkeel.dns.spf_walk import MAX_LOOKUPS, SpfLookup, flatten
from mailkeel.dns.text import printable

# More than that of one name says nothing new on a screen; JSON has them all.
SHOWN_VALUES = 4


def render_text(report: SpfReport) -> str:
    """Show who was checked, the record, each lookup with the running count, notes, verdict, remedy."""
    return "\n".join(_lines(report)) + "\n"


def as_json(report: SpfReport) -> dict[str, object]:
    """Return the report as plain values with stable keys; characters that steer a terminal are escaped."""
    identity = report.identity
    return {
        "domain": identity.domain,
        "identity": identity.kind,
        "sender": printable(identity.sender),
        "helo": identity.helo,
        "ip": identity.ip,
        "result": report.result,
        "explanation": printable(report.explanation),
        "mechanism": report.mechanism and printable(report.mechanism),
        "records": [printable(record) for record in report.records],
        "lookups": [_lookup_json(lookup) for lookup in report.lookups],
        "lookup_count": report.lookup_count,
        "void_lookup_count": report.void_lookups,
        "notes": [printable(note) for note in report.notes],
        "remedy": printable(report.remedy),
    }


def _lines(report: SpfReport) -> Iterator[str]:
    identity = report.identity
    who = f"MAIL FROM {identity.sender}" if identity.sender else f"HELO {identity.helo} (null sender)"
    yield f"Checked   {printable(who)} from {identity.ip or 'an address that is not known'}"
    for record in report.records:
        yield f'Record    {identity.domain} TXT "{printable(record)}"'
    if not report.records:
        yield f"Record    none at {identity.domain}"
    if len(report.records) == 1:
        yield f"Lookups   {report.lookup_count} of {MAX_LOOKUPS}"
    for depth, lookup in flatten(report.lookups):
        yield _lookup_line(depth, lookup)
    for note in report.notes:
        yield f"Note      {printable(note)}"
    yield from _verdict_lines(report)


def _lookup_line(depth: int, lookup: SpfLookup) -> str:
    found = [printable(value) for value in lookup.found[:SHOWN_VALUES]]
    if len(lookup.found) > SHOWN_VALUES:
        found.append(f"and {len(lookup.found) - SHOWN_VALUES} more")
    said = ", ".join(found)
    note = printable(lookup.note)
    return f"  {lookup.count:>3}  {'  ' * depth}{printable(lookup.term)}" + "".join(
        f"  {part}" for part in (said and f"-> {said}", note and f"({note})") if part
    )


def _verdict_lines(report: SpfReport) -> Iterator[str]:
    matched = f" by {printable(report.mechanism)}" if report.mechanism else ""
    explanation = f": {printable(report.explanation)}" if report.explanation else ""
    yield f"Verdict   {report.result}{matched}{explanation}"
    if report.remedy:
        yield f"Remedy    {printable(report.remedy)}"


def _lookup_json(lookup: SpfLookup) -> dict[str, object]:
    return {
        "term": printable(lookup.term),
        "target": printable(lookup.target),
        "count": lookup.count,
        "cost": lookup.cost,
        "status": str(lookup.status),
        "found": [printable(value) for value in lookup.found],
        "note": printable(lookup.note),
        "lookups": [_lookup_json(child) for child in lookup.children],
    }
