"""The state of a mail server on one screen, and as values for other programs (O4, O5)."""

from __future__ import annotations

import json
from typing import Any

import attrs

from mailkeel import daemons
from mailkeel.engine.journal import read_all
from mailkeel.engine.observe import read_facts
from mailkeel.engine.transaction import interrupted
from mailkeel.host.interface import Host, ServiceState
from mailkeel.operate import queue
from mailkeel.operate.delivery_log import summarise
from mailkeel.prove.context import dkim_keys
from mailkeel.spec.model import Spec

_LOG_OCTETS = 4 * 1024 * 1024
_A_DAY = 24 * 3600.0

#: Where the last proof is kept, for `status`, `metrics` and other programs.
PROOF_FILE = "/var/lib/mailkeel/proof.json"


@attrs.frozen
class Status:
    """What `status` shows.

    `queued` is the number of messages in the queue, None where Postfix cannot tell. `deliveries` counts what
    the mail log says of the last day: sent, deferred, bounced, rejected, auth_failures. `keys` maps
    `SELECTOR._domainkey.DOMAIN` to whether the key is there. `proof` is the last proof as JSON with the time
    it was made, or None.
    """

    mode: str
    hostname: str
    domains: tuple[str, ...]
    services: dict[str, ServiceState]
    queued: int | None
    deliveries: dict[str, int]
    keys: dict[str, bool]
    proof: dict[str, Any] | None
    interrupted: tuple[str, ...]
    last_change: str
    last_change_at: float

    @property
    def is_well(self) -> bool:
        """Every daemon runs, nothing is half done, and the last proof held."""
        runs = all(state.is_active for state in self.services.values())
        holds = self.proof is not None and self.proof.get("verdict") == "pass"
        return runs and holds and not self.interrupted and all(self.keys.values())


def read_status(host: Host, spec: Spec) -> Status:
    """Look at the daemons, the queue, the keys and the last proof. Changes nothing, asks no DNS."""
    services = daemons.desired(spec, read_facts(host)).services
    halves, problems = dkim_keys(host, spec)
    records = list(read_all(host))
    return Status(
        spec.mode.value,
        spec.hostname,
        tuple(domain.name for domain in spec.domains),
        host.service_states(services),
        _queued(host),
        _deliveries(host),
        {f"{key[1]}._domainkey.{key[0]}": key in halves for key in (*halves, *problems)},
        last_proof(host),
        interrupted(host),
        records[-1].id if records else "",
        records[-1].began_at if records else 0.0,
    )


def last_proof(host: Host) -> dict[str, Any] | None:
    """The last proof as JSON, or None if there is none that can be read."""
    entry = host.entry(PROOF_FILE)
    try:
        proof = json.loads(entry.content) if entry else None
    except ValueError:
        return None
    return proof if isinstance(proof, dict) else None


def _queued(host: Host) -> int | None:
    if host.entry("/usr/sbin/postqueue") is None:
        return None
    done = host.run(["postqueue", "-j"])
    return None if done.status else len(queue.read(done.stdout).messages)


def _deliveries(host: Host) -> dict[str, int]:
    log = host.tail("/var/log/mail.log", _LOG_OCTETS) or b""
    seen = summarise(log.decode(errors="replace"), host.now() - _A_DAY, host.now(), shown=0)
    return {
        name: getattr(seen, name) for name in ("sent", "deferred", "bounced", "rejected", "auth_failures")
    }
