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
from mailkeel.prove.message import Delivered, deliver
from mailkeel.spec.model import Spec

__all__ = ["IDS", "Evidence", "Proof", "Verdict", "prove"]

Criterion = Callable[[Context, Delivered], Evidence]

#: In the order in which they are shown: first what runs, then what it does, then what the world sees.
_CRITERIA: dict[str, Criterion] = {
    "V1": lambda context, _: here.postfix_runs(context),
    "O1": lambda context, _: here.daemons_run(context),
    "P1": lambda context, _: here.starts_quickly(context),
    "B6": lambda context, _: here.keys_are_safe(context),
    "I3": lambda context, _: here.certificate_fits(context),
    "M2": here.delivered_here,
    "A2": here.signed,
    "P3": here.signing_is_quick,
    "A1": lambda context, _: doors.spf_is_checked(context),
    "S1": lambda context, _: doors.passwords_only_inside_tls(context),
    "S2": lambda context, _: doors.no_open_relay(context),
    "P4": lambda context, _: here.queue_moves(context),
    "V7": lambda context, _: here.log_is_clean(context),
    "V8": lambda context, _: world.relay_accepts(),
    "A4": lambda context, _: world.other_records(context),
    "V2": world.dkim_records,
    "V3": lambda context, _: world.spf_records(context),
    "V4": lambda context, _: world.dmarc_records(context),
    "V5": lambda context, _: world.outside_delivery()[0],
    "V6": lambda context, _: world.outside_delivery()[1],
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
    message = Delivered("", "no message was sent")
    if _NEEDING_MESSAGE & set(asked):
        progress("sending a test message to this host")
        message = deliver(host, spec)
    for id_ in (id_ for id_ in IDS if id_ in asked):
        progress(f"looking at {id_}")
        yield attrs.evolve(_CRITERIA[id_](context, message), at=host.now())
