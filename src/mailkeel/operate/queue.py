"""Postfix's queue, as `postqueue -j` lists it: one JSON object a line (postqueue(1))."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

#: A queue listing is written by strangers in part; no recipient, sender or reason is longer than this.
_MAX_TEXT_CHARACTERS = 2048


@attrs.frozen
class QueuedRecipient:
    """Who a message is still for. `delay_reason` is empty where no delivery was tried yet."""

    address: str
    delay_reason: str = ""


@attrs.frozen
class QueuedMessage:
    """A message that waits. `queue` is Postfix's name of it (incoming, active, deferred, hold, maildrop,
    corrupt), `arrival_time` in seconds since the epoch, `size` in octets; the sender of a bounce is empty."""

    queue_id: str
    queue: str
    arrival_time: float
    size: int
    sender: str
    recipients: tuple[QueuedRecipient, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it waits: each reason once, in the order of the recipients."""
        return tuple(dict.fromkeys(one.delay_reason for one in self.recipients if one.delay_reason))


@attrs.frozen
class Queue:
    """The queue at one moment. `unreadable` counts the lines that were no message."""

    messages: tuple[QueuedMessage, ...] = ()
    unreadable: int = 0


@attrs.frozen
class QueueSummary:
    """How much waits, in which queue, for how long (of the oldest, in seconds), and for which reasons
    with the number of messages each, the most frequent first."""

    total: int
    size: int
    by_queue: Mapping[str, int]
    oldest_seconds: float
    reasons: tuple[tuple[str, int], ...]
    unreadable: int = 0


def read(text: str) -> Queue:
    """Read the output of `postqueue -j`; a line that is no message is counted and left out."""
    lines = [line for line in text.split("\n") if line.strip()]
    messages = tuple(message for line in lines if (message := _message(line)))
    return Queue(messages, len(lines) - len(messages))


def summarise(queue: Queue, now: float) -> QueueSummary:
    """Sum the queue up; `now` in seconds since the epoch. A message from the future counts as new."""
    messages = queue.messages
    return QueueSummary(
        total=len(messages),
        size=sum(message.size for message in messages),
        by_queue=dict(sorted(Counter(message.queue for message in messages).items())),
        oldest_seconds=max((max(0.0, now - message.arrival_time) for message in messages), default=0.0),
        reasons=tuple(Counter(reason for message in messages for reason in message.reasons).most_common()),
        unreadable=queue.unreadable,
    )


def stuck(queue: Queue, now: float, seconds: float) -> tuple[QueuedMessage, ...]:
    """Give the messages that have waited longer than `seconds`, the oldest first; those that a person
    holds are left out."""
    waiting = (m for m in queue.messages if m.queue != "hold" and now - m.arrival_time > seconds)
    return tuple(sorted(waiting, key=lambda message: message.arrival_time))


def _message(line: str) -> QueuedMessage | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not _text(fields, "queue_id"):
        return None
    return QueuedMessage(
        _text(fields, "queue_id"),
        _text(fields, "queue_name"),
        _number(fields, "arrival_time"),
        _number(fields, "message_size"),
        _text(fields, "sender"),
        tuple(_recipients(fields.get("recipients"))),
    )


def _recipients(listed: object) -> Iterable[QueuedRecipient]:
    for fields in listed if isinstance(listed, list) else ():
        if isinstance(fields, dict):
            yield QueuedRecipient(_text(fields, "address"), _text(fields, "delay_reason"))


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value[:_MAX_TEXT_CHARACTERS] if isinstance(value, str) else ""


def _number(fields: Mapping[str, object], name: str) -> int:
    """A count of seconds or octets; 0 for anything that cannot be one."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0
