"""The file that `mailkeel init` writes, and the examples, which are the same."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from mailkeel.errors import SpecError
from mailkeel.spec.model import Dmarc, Domain, Mode, Relay, RelayTls, Spec
from mailkeel.spec.reader import read
from mailkeel.spec.sample import sample

EXAMPLES = Path(__file__).parents[2] / "examples"
UPSTREAM = Relay("smtp.example.net", 587, RelayTls.STARTTLS, "/etc/mailkeel/relay.secret")
RELAYS = {Mode.RELAY: UPSTREAM, Mode.LOCAL: None, Mode.FULL: None}


@pytest.mark.parametrize("mode", Mode)
def test_what_was_asked_for_reads_back(mode: Mode) -> None:
    """With every default where nothing was asked for."""
    relay = RELAYS[mode]
    text = sample(mode, "example.com", "mx.example.com", "alice", relay=relay, rua=["d@example.com"])
    domain = Domain("example.com", dmarc=Dmarc(rua=("d@example.com",)))
    assert read(text) == Spec(mode, "mx.example.com", (domain,), admin="alice", relay=relay)
    assert read(sample(mode, "bücher.example", relay=relay)).hostname == "mail.xn--bcher-kva.example"


@pytest.mark.parametrize("mode", Mode)
def test_the_examples_are_what_init_writes(mode: Mode) -> None:
    """Byte for byte."""
    expected = sample(mode, "example.com", "mail.example.com", "alice", relay=RELAYS[mode])
    assert (EXAMPLES / f"{mode.value}.toml").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("mode", Mode)
def test_every_commented_key_may_be_put_to_use(mode: Mode) -> None:
    """With all comment signs before keys and headers gone the file is sound."""
    text = sample(mode, "example.com", relay=RELAYS[mode])
    spec = read(re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE))
    assert spec.primary.dkim.selector == "other"
    assert spec.admin == "alice"
    assert spec.tls.key
    assert spec.aliases
    assert spec.addresses


@pytest.mark.parametrize("mode", Mode)
def test_every_key_says_why(mode: Mode) -> None:
    """The line above each key, in use or not, is its reason; no line is long."""
    lines = sample(mode, "example.com", relay=RELAYS[mode]).splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"(# )?\w+ = ", line):
            assert before.startswith("# "), line
        assert len(line) <= 110


@pytest.mark.parametrize(
    ("mode", "domain", "hostname", "place"),
    [
        (Mode.LOCAL, 'a"\nb', None, "hostname"),
        (Mode.LOCAL, "example.com", "mail", "hostname"),
        (Mode.LOCAL, "\x7f", "mail.example.com", "domain[0].name"),
        (Mode.RELAY, "example.com", None, "relay"),
    ],
)
def test_what_would_not_read_back_is_refused(
    mode: Mode, domain: str, hostname: str | None, place: str
) -> None:
    """Before anything is written."""
    with pytest.raises(SpecError) as refusal:
        sample(mode, domain, hostname)
    assert refusal.value.problems[0].where == place
