"""Reading `postqueue -j`: real listings, and whatever else may come."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeel.operate import queue
from mailkeel.operate.queue import QueuedMessage, QueuedRecipient

# Printed by Postfix 3.7.11 (bookworm) and 3.10.13 (trixie) alike.
REAL = (
    '{"queue_name": "deferred", "queue_id": "4083D1948B2", "arrival_time": 1795387327, "message_size": 291, '
    '"forced_expire": false, "sender": "alice@example.com", "recipients": [{"address": '
    '"who@nowhere.example.org", "delay_reason": "Host or domain name not found. Name service error for '
    'name=nowhere.example.org type=MX: Host not found, try again"}]}\n'
)
REASON = (
    "Host or domain name not found. Name service error for name=nowhere.example.org type=MX: "
    "Host not found, try again"
)


def line(**changes: object) -> str:
    """A message as Postfix lists it, with changes; a value of None leaves the field out."""
    fields = {**json.loads(REAL), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}) + "\n"


def test_a_real_listing_is_read() -> None:
    """Every field arrives as a value."""
    wanted = QueuedMessage(
        "4083D1948B2",
        "deferred",
        1795387327,
        291,
        "alice@example.com",
        (QueuedRecipient("who@nowhere.example.org", REASON),),
    )
    assert queue.read(REAL) == queue.Queue((wanted,))


def test_an_empty_queue_is_empty() -> None:
    """Postfix prints nothing at all then."""
    assert queue.read("") == queue.Queue()
    summary = queue.summarise(queue.read(""), 1000.0)
    assert (summary.total, summary.oldest_seconds, summary.reasons) == (0, 0.0, ())


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        '"text"',
        "null",
        "{}",
        '{"queue_id": 7}',
        "[" * 100_000,
        '{"queue_id": "A", "arrival_time": ' + "9" * 10_000 + "}",
        "postqueue: fatal: Queue report unavailable - mail system is down",
    ],
    ids=lambda text: text[:20],
)
def test_a_line_that_is_no_message_is_counted_and_left_out(broken: str) -> None:
    """The messages around it are read all the same."""
    found = queue.read(line(queue_id="ONE") + broken + "\n" + line(queue_id="TWO"))
    assert [message.queue_id for message in found.messages] == ["ONE", "TWO"]
    assert found.unreadable == 1


@pytest.mark.parametrize("odd", [True, -1, 1.5, "1795387327", None, 10**30, [], {}])
def test_a_number_that_cannot_be_one_is_zero(odd: object) -> None:
    """Neither a bool nor a text nor a negative number passes for a size or a time."""
    (message,) = queue.read(line(message_size=odd, arrival_time=odd)).messages
    assert (message.size, message.arrival_time) == (0, 0)


@pytest.mark.parametrize("odd", [None, 7, "text", {"address": "x"}, [None, 7, []]])
def test_recipients_that_are_no_list_of_objects_are_none(odd: object) -> None:
    """The message is there, with nobody to go to."""
    (message,) = queue.read(line(recipients=odd)).messages
    assert message.recipients == ()


def test_the_summary_counts_messages_sizes_and_reasons() -> None:
    """A reason that two recipients of a message share counts once for it; the most frequent comes first."""
    twice = [{"address": "a@x", "delay_reason": "slow"}, {"address": "b@x", "delay_reason": "slow"}]
    text = (
        line(queue_id="A", recipients=twice, arrival_time=900)
        + line(queue_id="B", recipients=twice[:1], arrival_time=400, queue_name="active")
        + line(queue_id="C", recipients=[{"address": "c@x", "delay_reason": "gone"}], arrival_time=5000)
        + line(queue_id="D", recipients=[{"address": "c@x"}], arrival_time=950)
    )
    summary = queue.summarise(queue.read(text), 1000.0)
    assert summary.total == 4
    assert summary.size == 4 * 291
    assert summary.by_queue == {"active": 1, "deferred": 3}
    assert summary.oldest_seconds == 600
    assert summary.reasons == (("slow", 2), ("gone", 1))


def test_stuck_messages_come_oldest_first_and_held_ones_are_left_out() -> None:
    """What a person holds on purpose is not stuck."""
    text = (
        line(queue_id="YOUNG", arrival_time=990)
        + line(queue_id="OLD", arrival_time=500)
        + line(queue_id="OLDER", arrival_time=100)
        + line(queue_id="HELD", arrival_time=1, queue_name="hold")
    )
    stuck = queue.stuck(queue.read(text), now=1000.0, seconds=300)
    assert [message.queue_id for message in stuck] == ["OLDER", "OLD"]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Every line that is not blank is a message or counted as unreadable."""
    found = queue.read(text)
    assert len(found.messages) + found.unreadable == sum(bool(part.strip()) for part in text.split("\n"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["address", "delay_reason"]), inner),
    )
)
def test_any_json_value_in_any_field_is_read(value: object) -> None:
    """A listing that another version of Postfix prints in another way does no harm."""
    for name in ("queue_name", "arrival_time", "message_size", "sender", "recipients"):
        (message,) = queue.read(line(**{name: value})).messages
        assert queue.summarise(queue.Queue((message,)), 0.0).total == 1
