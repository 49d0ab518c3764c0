"""A specification written down reads back as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeel.spec.dump import dump
from mailkeel.spec.model import (
    Dkim,
    Dmarc,
    DmarcPolicy,
    Domain,
    Limits,
    Mode,
    Relay,
    RelayTls,
    Spec,
    Spf,
    Tls,
)
from mailkeel.spec.reader import load, read

_labels = st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True)
_names = st.builds("{}.{}".format, _labels, st.sampled_from(["com", "org", "net"]))
_locals = st.from_regex(r"[a-z][a-z0-9.]{0,6}[a-z0-9]", fullmatch=True).filter(lambda text: ".." not in text)
_reports = st.lists(st.builds("{}@{}".format, _locals, _names), max_size=2, unique=True).map(tuple)
_dmarc = st.builds(
    Dmarc, st.sampled_from(DmarcPolicy), st.none() | st.sampled_from(DmarcPolicy), _reports, _reports
)
_domains = st.builds(
    Domain,
    _names,
    st.builds(Spf, st.sampled_from(["v=spf1 a mx -all", "v=spf1 include:_spf.example.org ~all"])),
    st.builds(Dkim, _labels, st.sampled_from([2048, 3072, 4096])),
    _dmarc,
)
_specs = st.builds(
    Spec,
    st.just(Mode.LOCAL),
    _names.map("mail.{}".format),
    st.lists(_domains, min_size=1, max_size=4, unique_by=lambda domain: domain.name).map(tuple),
    st.none() | st.just("alice"),
    st.sampled_from([(), ("8.8.8.8",), ("8.8.8.8", "2620:fe::fe")]),
    st.sampled_from([(), (("sales", ("alice", "bob@example.org")),)]),
    st.sampled_from([Tls(), Tls("/etc/ssl/a.pem", "/etc/ssl/a.key")]),
    st.none(),
    st.builds(Limits, st.integers(65536, 10**9), st.integers(60, 10**6), st.integers(1, 10000)),
)


@given(_specs)
def test_what_is_written_reads_back(spec: Spec) -> None:
    """Nothing is lost, nothing is added."""
    assert read(dump(spec)) == spec


def test_a_relay_is_written_too() -> None:
    """Its credentials as a path only."""
    relay = Relay("smtp.example.net", 465, RelayTls.IMPLICIT, "/etc/mailkeel/relay")
    spec = Spec(Mode.RELAY, "mail.example.com", (Domain("example.com"),), relay=relay)
    assert read(dump(spec)) == spec


@pytest.mark.parametrize("mode", ["local", "full"])
def test_the_environment_alone_is_a_specification_that_can_be_kept(mode: str) -> None:
    """Unattended first boot leaves a file that says the same."""
    spec = load(None, {"MAILKEEL_MODE": mode, "MAILKEEL_DOMAINS": "example.com, example.org"})
    assert read(dump(spec)) == spec
