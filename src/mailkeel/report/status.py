"""The status as text, JSON and Prometheus metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import attrs

from mailkeel.operate.status import Status
from mailkeel.report.screen import paint


def as_json(status: Status) -> dict[str, Any]:
    """Stable keys, named as in `Status`; `well` is the verdict."""
    return {"well": status.is_well, **attrs.asdict(status)}


def render(status: Status) -> str:
    """One screen."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Status) -> Iterator[str]:
    yield f"Mode      {status.mode}, as {status.hostname}"
    more = f" and {len(status.domains) - 5} more" if len(status.domains) > 5 else ""
    yield f"Domains   {', '.join(status.domains[:5])}{more}"
    for name, state in status.services.items():
        word = paint("runs", "pass") if state.is_active else paint("does not run", "fail")
        yield f"Daemon    {name}: {word}{'' if state.is_enabled else ', not enabled at boot'}"
    yield f"Queue     {'cannot be read' if status.queued is None else f'{status.queued} messages'}"
    deliveries = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in status.deliveries.items())
    yield f"Last day  {deliveries}"
    lost = [name for name, is_there in status.keys.items() if not is_there]
    yield f"Keys      {len(status.keys) - len(lost)} of {len(status.keys)} there" + (
        f"; missing: {lost[0]}" if lost else ""
    )
    yield from _proof_lines(status)
    yield (
        f"Changed   {_when(status.last_change_at)}, transaction {status.last_change}"
        if status.last_change
        else "Changed   never by mailkeel"
    )
    for transaction in status.interrupted:
        yield paint(f"Interrupted: {transaction}. `mailkeel apply` takes it back first.", "fail")


def _proof_lines(status: Status) -> Iterator[str]:
    if status.proof is None:
        yield "Proof     none yet: run `mailkeel prove`"
        return
    criteria = status.proof.get("criteria", [])
    failed = [criterion["id"] for criterion in criteria if criterion["verdict"] == "fail"]
    unknown = [criterion["id"] for criterion in criteria if criterion["verdict"] == "unknown"]
    words = paint(f"failed: {', '.join(failed)}", "fail") if failed else paint("none failed", "pass")
    words += f"; unknown: {', '.join(unknown)}" if unknown else ""
    yield f"Proof     {_when(status.proof.get('at', 0))}: {words}"


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def metrics(status: Status) -> str:
    """Prometheus' text format (node_exporter's textfile collector reads it too)."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    up = Gauge(
        "mailkeel_daemon_up", "Whether a daemon of the mail server runs", ["daemon"], registry=registry
    )
    for name, state in status.services.items():
        up.labels(name).set(state.is_active)
    if status.queued is not None:
        Gauge("mailkeel_queue_messages", "Messages in Postfix's queue", registry=registry).set(status.queued)
    day = Gauge("mailkeel_deliveries_last_day", "What the mail log says", ["outcome"], registry=registry)
    for outcome, count in status.deliveries.items():
        day.labels(outcome).set(count)
    Gauge("mailkeel_dkim_keys_missing", "DKIM keys that are not there", registry=registry).set(
        sum(not is_there for is_there in status.keys.values())
    )
    Gauge("mailkeel_transaction_interrupted", "Whether a change was cut off", registry=registry).set(
        bool(status.interrupted)
    )
    if status.proof:
        at = Gauge("mailkeel_proof_timestamp_seconds", "When the last proof was made", registry=registry)
        at.set(status.proof.get("at", 0))
        verdicts = Gauge(
            "mailkeel_criterion_state",
            "A criterion's last verdict",
            ["criterion", "verdict"],
            registry=registry,
        )
        for criterion in status.proof.get("criteria", []):
            verdicts.labels(criterion["id"], criterion["verdict"]).set(1)
    return generate_latest(registry).decode()
