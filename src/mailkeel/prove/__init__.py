"""The criteria (V1, V2, ... and our own), each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import attrs

from mailkeel.dns.lookup import Resolver
from mailkeel.engine.observe import read_facts
from mailkeel.errors import MailkeelError, Problem
from mailkeel.host.interface import Host, Progress
from mailkeel.prove import doors, here, world
from mailkeel.prove.context import Context, gather
from mailkeel.prove.evidence import Evidence, Proof, Verdict
from mailkeel.prove.message import deliver
from mailkeel.spec.model import Spec

__all__ = ["IDS", "Evidence", "Proof", "Verdict", "prove"]

#: In the order in which they are shown: first what runs, then what it does, then what the world sees.
_CRITERIA: dict[str, Callable[[Context], Evidence]] = {
    "V1": here.postfix_runs,
    "O1": here.daemons_run,
    "P1": here.starts_quickly,
    "B6": here.keys_are_safe,
    "I3": here.certificate_fits,
    "M2": here.delivered_here,
    "A2": here.signed,
    "P3": here.signing_is_quick,
    "A1": doors.spf_is_checked,
    "S1": doors.passwords_only_inside_tls,
    "S2": doors.no_open_relay,
    "P4": here.queue_moves,
    "V7": here.log_is_clean,
    "V8": world.relay_accepts,
    "A4": world.other_records,
    "V2": world.dkim_records,
    "V3": world.spf_records,
    "V4": world.dmarc_records,
    "V5": world.reaches_outside,
    "V6": world.verifies_outside,
}

IDS = tuple(_CRITERIA)

#: Criteria that look at a test message.
_NEEDING_MESSAGE = frozenset({"M2", "A2", "P3", "V2"})


def prove(host: Host, spec: Spec, resolver: Resolver, progress: Progress, only: Iterable[str] = ()) -> Proof:
    """Look at every criterion, or at those asked for. Raises MailkeelError for an unknown id."""
    asked = tuple(only) or IDS
    unknown = [id_ for id_ in asked if id_ not in _CRITERIA]
    if unknown:
        known = ", ".join(IDS)
        raise MailkeelError(
            Problem("--only", f"there is no criterion {', '.join(unknown)}", f"use one of {known}")
        )
    return Proof(tuple(_look(host, spec, resolver, progress, asked)))


def _look(
    host: Host, spec: Spec, resolver: Resolver, progress: Progress, asked: tuple[str, ...]
) -> Iterator[Evidence]:
    context = gather(host, spec, read_facts(host), resolver)
    if _NEEDING_MESSAGE & set(asked):
        progress("sending a test message to this host")
        context = attrs.evolve(context, message=deliver(host, spec))
    for id_ in (id_ for id_ in IDS if id_ in asked):
        yield attrs.evolve(_CRITERIA[id_](context), at=host.now())
