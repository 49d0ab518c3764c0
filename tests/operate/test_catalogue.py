"""The catalogue: real lines are told apart, healthy ones are left alone, and no line takes long."""

from __future__ import annotations

import re
import time
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeel.operate.catalogue import ALL, KnownError, Topic, by_id, explain, in_row, nearest, recognise
from mailkeel.operate.criteria import CRITERIA
from mailkeel.prove import IDS


@attrs.frozen
class Sample:
    """A line of log_lines.txt: who printed it, and the id of its error ("-": none)."""

    origin: str
    id: str
    line: str


def read_samples() -> tuple[Sample, ...]:
    """Read log_lines.txt: `# ORIGIN` heads a group, then one `ID | LINE` each."""
    found: list[Sample] = []
    origin = ""
    for text in (Path(__file__).parent / "log_lines.txt").read_text().split("\n"):
        if text.startswith("# "):
            origin = text.removeprefix("# ")
        elif text:
            id_, _, line = text.partition(" | ")
            found.append(Sample(origin, id_, line))
    return tuple(found)


SAMPLES = read_samples()


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{one.origin}: {one.id}" for one in SAMPLES])
def test_a_line_is_recognised_as_what_it_is(sample: Sample) -> None:
    """Real lines of both releases, and lines from documentation."""
    found = recognise(sample.line)
    assert (found.id if found else "-") == sample.id


def test_every_error_has_a_line_that_shows_it() -> None:
    """No entry is out of reach of the entries before it."""
    assert {error.id for error in ALL} - {sample.id for sample in SAMPLES} == set()


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_most_lines_come_from_real_daemons(release: str) -> None:
    """At least forty errors were provoked on each release."""
    real = {one.id for one in SAMPLES if release in one.origin and "documentation" not in one.origin}
    assert len(real) > 40


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.id)
def test_every_entry_is_complete(error: KnownError) -> None:
    """An id to type, a row, and the three answers; nothing that only a screen of some width shows whole."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error.id)
    assert error.row in {"E1", "E2", "E3", "E4"}
    for text in (error.title, error.cause, error.solution, error.prevention):
        assert text
        assert text.isprintable()
        assert "  " not in text
        assert not text.endswith(".")


def test_ids_are_unique_and_none_is_a_row_or_a_criterion() -> None:
    """Each text that can be asked for has one meaning."""
    ids = [error.id for error in ALL]
    assert len(set(ids)) == len(ids) >= 35


def test_no_expression_repeats_without_bound() -> None:
    """`.*` and its like are bounded, so that the time for a line grows in proportion to its length."""
    for error in ALL:
        bare = re.sub(r"\\.|\[[^]]*\]", "x", error.expression.replace(r"\d+", "").replace(r"\w+", ""))
        assert not re.search(r"\.[*+]|x\*", bare), error.id


@pytest.mark.parametrize(
    "line",
    [
        "mail postfix/smtp[7]: A1B2C: to=<spam@greylist.example>, relay=barracuda.example[192.0.2.1]:25, "
        "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: not spam, queued as blacklist)",
        "mail postfix/smtpd[7]: connect from zen.spamhaus.org[192.0.2.1]",
        "mail postfix/cleanup[7]: A1B2C: message-id=<dkim=fail@user-unknown.example>",
        "mail postfix/qmgr[7]: A1B2C: from=<over-quota@blocklist.example>, size=451, nrcpt=1 (queue active)",
        "mail opendmarc[7]: OpenDMARC Filter v1.4.2 starting ()",
        "mail opendkim[7]: A1B2C: DKIM-Signature field added (s=default, d=example.com)",
        "",
        "hello",
    ],
)
def test_a_healthy_line_is_no_error(line: str) -> None:
    """Whatever words are in addresses, names of hosts and replies to a delivery."""
    assert recognise(line) is None


def test_an_address_does_not_choose_the_explanation() -> None:
    """The reply does."""
    line = (
        "mail postfix/smtp[7]: A1B2C: to=<spamhaus@greylisted.example>, relay=dmarc.example[192.0.2.1]:25, "
        "delay=1, delays=0/0/0/1, dsn=5.2.2, status=bounced (host mx.spamcop.example[192.0.2.1] said: "
        "552 5.2.2 <greylisted@spam.example> mailbox is full)"
    )
    found = recognise(line)
    assert found is not None
    assert found.id == "mailbox-full"


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "<",
        "status=deferred (",
        "relay=",
        "host ",
        "milter-reject: ",
        "SSL error:",
        "<a",
        "5.7.1 ",
        "opendkim[1]: s=x d=y ",
    ],
)
def test_a_megabyte_is_looked_at_at_once(unit: str) -> None:
    """Only the first 4,096 characters count, and no expression runs away on them."""
    began = time.monotonic()
    recognise(unit * (1_000_000 // len(unit)))
    nearest(unit * (1_000_000 // len(unit)))
    explain(unit * (1_000_000 // len(unit)))
    assert time.monotonic() - began < 2


@given(st.text() | st.binary().map(lambda octets: octets.decode(errors="surrogateescape")))
def test_any_text_gets_an_answer_that_is_safe_to_show(text: str) -> None:
    """Nothing that was asked reaches the terminal unescaped."""
    answer = explain(text)
    assert answer.asked.isprintable() or not answer.asked
    assert answer.title
    assert answer.cause
    assert answer.solution


def test_an_error_is_explained_by_its_id() -> None:
    """In whatever case, with blanks around it."""
    answer = explain("  Postfix-PORT-taken ")
    assert (answer.topic, answer.id) == (Topic.ERROR, "postfix-port-taken")
    assert "ss -ltnp" in answer.solution


@pytest.mark.parametrize("id_", IDS)
def test_every_criterion_of_the_proof_is_explained(id_: str) -> None:
    """With the command that looks again."""
    answer = explain(id_.lower())
    assert (answer.topic, answer.id) == (Topic.CRITERION, id_)
    assert f"--only {id_}" in answer.solution
    assert answer.cause
    assert answer.prevention


def test_the_titles_of_criteria_are_those_of_the_proof() -> None:
    """A person finds in `explain` the words that `prove` showed."""
    folder = Path(__file__).parents[2] / "src/mailkeel/prove"
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    assert [one.title for one in CRITERIA if f'"{one.title}"' not in source] == []


@pytest.mark.parametrize("row", ["E1", "E2", "E3", "E4"])
def test_a_row_lists_its_errors(row: str) -> None:
    """All of them, none twice."""
    answer = explain(row.lower())
    assert answer.topic is Topic.ROW
    assert answer.entries == in_row(row)
    assert len(answer.entries) >= 8


def test_a_log_line_is_explained() -> None:
    """The topic tells that it was a line."""
    answer = explain(
        "Nov 22 12:00:00 mail postfix/master[7]: fatal: bind 0.0.0.0 port 25: Address already in use"
    )
    assert (answer.topic, answer.id) == (Topic.LOG_LINE, "postfix-port-taken")


def test_a_misspelt_id_gets_suggestions() -> None:
    """The nearest first."""
    answer = explain("postfix-port-takn")
    assert not answer.is_known
    assert answer.entries[0].id == "postfix-port-taken"


def test_unknown_words_get_the_errors_that_share_most_of_them() -> None:
    """A question in plain words leads somewhere."""
    assert by_id("certificate-expired") in nearest("my certificate has expired, what now?")
