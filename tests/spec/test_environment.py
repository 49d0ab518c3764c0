"""The environment of an unattended first boot, alone and over a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mailkeel.errors import SpecError
from mailkeel.spec.environment import VARIABLES, from_environment
from mailkeel.spec.model import Dkim, Dmarc, DmarcPolicy, Domain, Mode, Relay, RelayTls, Spec, Spf
from mailkeel.spec.reader import load

ALL = {
    "MAILKEEL_MODE": "relay",
    "MAILKEEL_HOSTNAME": "mx.example.com",
    "MAILKEEL_DOMAINS": "example.com, bücher.example",
    "MAILKEEL_ADMIN": "alice@example.org",
    "MAILKEEL_SPF_POLICY": "v=spf1 mx -all",
    "MAILKEEL_DKIM_SELECTOR": "boot",
    "MAILKEEL_DMARC_POLICY": "reject",
    "MAILKEEL_DMARC_RUA": "a@example.com b@example.com",
    "MAILKEEL_RELAY_HOST": "smtp.example.net",
    "MAILKEEL_RELAY_PORT": "465",
    "MAILKEEL_RELAY_CREDENTIALS_FILE": "/run/relay.secret",
}
LEAST = {"MAILKEEL_MODE": "local", "MAILKEEL_DOMAINS": "example.com"}
SECRET = "write user:password to a root-only file, and its path to MAILKEEL_RELAY_CREDENTIALS_FILE"

BAD: list[tuple[dict[str, str], list[str]]] = [
    ({}, [
        "/etc/mailkeel/mail.toml: there is neither a file nor a variable that says what you want; "
        "run `mailkeel init`, or set MAILKEEL_MODE and MAILKEEL_DOMAINS",
    ]),
    ({"MAILKEEL_MODE": "relay"}, [
        "$MAILKEEL_DOMAINS: is not set; set it, for example to example.com,example.org",
        "$MAILKEEL_RELAY_HOST: is not set; set it, for example to smtp.example.net",
    ]),
    ({"MAILKEEL_ADMIN": "alice"}, [
        "$MAILKEEL_MODE: is not set; set it, for example to local",
        "$MAILKEEL_DOMAINS: is not set; set it, for example to example.com,example.org",
    ]),
    (LEAST | {"MAILKEEL_MODE": "locl"}, [
        "$MAILKEEL_MODE: 'locl' is not one of relay, local, full; use local",
    ]),
    (LEAST | {"MAILKEEL_DOMAINS": "example.com,com"}, [
        "$MAILKEEL_DOMAINS: 'com' is a single label; write the full name, such as example.com",
    ]),
    (LEAST | {"MAILKEEL_DOMAINS": "example.com EXAMPLE.com"}, [
        "$MAILKEEL_DOMAINS: example.com is already domain[0]; remove one of the two",
    ]),
    (LEAST | {"MAILKEEL_DOMAINS": ","}, [
        "$MAILKEEL_DOMAINS: names nothing; separate entries by commas or blanks",
    ]),
    (LEAST | {"MAILKEEL_DMARC_RUA": "a@example.com,x"}, [
        "$MAILKEEL_DMARC_RUA: 'x' is not an address; write it as name@example.com",
    ]),
    (LEAST | {"MAILKEEL_RELAY_PORT": "smtp"}, [
        "$MAILKEEL_RELAY_PORT: 'smtp' is not a whole number; use digits only",
    ]),
    (LEAST | {"MAILKEEL_RELAY_HOST": "smtp.example.net"}, [
        'relay: is for mode relay only, and mode is local; remove [relay], or write mode = "relay"',
    ]),
    (ALL | {"MAILKEEL_RELAY_CREDENTIALS_FILE": "user:hunter2"}, [
        "$MAILKEEL_RELAY_CREDENTIALS_FILE: is not an absolute path; "
        "write user:password to a root-only file and give its path",
    ]),
    (ALL | {"MAILKEEL_RELAY_CREDENTIALS_FILE": "/a:hunter2"}, [
        "$MAILKEEL_RELAY_CREDENTIALS_FILE: holds what looks like a secret; "
        "put user:password in a file that only root can read, and write its path here",
    ]),
    (LEAST | {"MAILKEEL_RELAY_PASSWORD": "hunter2"}, [
        f"$MAILKEEL_RELAY_PASSWORD: a secret does not belong in the environment; {SECRET}",
    ]),
    (LEAST | {"MAILKEEL_RELAY_CREDENTIALS": "hunter2"}, [
        f"$MAILKEEL_RELAY_CREDENTIALS: a secret does not belong in the environment; {SECRET}",
    ]),
    (LEAST | {"MAILKEEL_DOMAIN": "example.org"}, [
        "$MAILKEEL_DOMAIN: is not a known variable; did you mean MAILKEEL_DOMAINS?",
    ]),
    (LEAST | {"MAILKEEL_\x1b": "x"}, [
        f"$'MAILKEEL_\\x1b': is not a known variable; unset it; known are {', '.join(VARIABLES)}",
    ]),
]  # fmt: skip


def test_the_environment_alone_is_a_specification() -> None:
    """Every variable finds its place; the policies hold for every domain."""
    parts = (
        Spf("v=spf1 mx -all"),
        Dkim("boot"),
        Dmarc(DmarcPolicy.REJECT, rua=("a@example.com", "b@example.com")),
    )
    assert load(None, ALL) == Spec(
        mode=Mode.RELAY,
        hostname="mx.example.com",
        domains=(Domain("example.com", *parts), Domain("xn--bcher-kva.example", *parts)),
        admin="alice@example.org",
        relay=Relay("smtp.example.net", 465, RelayTls.IMPLICIT, "/run/relay.secret"),
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A domain that both name keeps what the file says of it; one that only the file names is gone."""
    path = tmp_path / "mail.toml"
    path.write_text(
        'mode = "local"\nadmin = "bob"\n[dkim]\nbits = 4096\n[[domain]]\nname = "Example.com"\n'
        '[domain.dkim]\nselector = "own"\n[[domain]]\nname = "gone.example"\n'
    )
    spec = load(
        str(path), {"MAILKEEL_MODE": "full", "MAILKEEL_DOMAINS": "new.example example.com", "PATH": "/bin"}
    )
    assert spec.mode is Mode.FULL
    assert spec.admin == "bob"
    names_and_keys = [(domain.name, domain.dkim) for domain in spec.domains]
    assert names_and_keys == [("new.example", Dkim("default", 4096)), ("example.com", Dkim("own", 4096))]


def test_empty_and_foreign_variables_count_as_absent() -> None:
    """`VARIABLE=${OTHER:-}` is how scripts leave one out."""
    environ = LEAST | {"MAILKEEL_ADMIN": "", "MAILKEEL_SPEC": "/x", "MAILKEEL_DEBUG": "1", "HOME": "/root"}
    assert load(None, environ) == load(None, LEAST)
    assert from_environment(LEAST)
    assert not from_environment({"MAILKEEL_MODE": " ", "MAILKEEL_DEBUG": "1", "HOME": "/root"})


@pytest.mark.parametrize(("environ", "expected"), BAD)
def test_a_wrong_environment_is_told_which_variable(environ: Mapping[str, str], expected: list[str]) -> None:
    """With the whole text of every problem; no secret is repeated."""
    with pytest.raises(SpecError) as refusal:
        load(None, environ)
    assert [str(problem) for problem in refusal.value.problems] == expected
    assert "hunter2" not in str(refusal.value)


def test_a_file_keeps_its_own_places(tmp_path: Path) -> None:
    """Only what a variable said is told of the variable."""
    path = tmp_path / "mail.toml"
    path.write_text(
        'mode = "local"\nhostname = "x"\n[[domain]]\nname = "example.com"\n[domain.dkim]\nbits = 1\n'
    )
    with pytest.raises(SpecError) as refusal:
        load(str(path), {"MAILKEEL_DOMAINS": "example.com", "MAILKEEL_ADMIN": "@"})
    places = [problem.where for problem in refusal.value.problems]
    assert places == ["hostname", "domain[0].dkim.bits", "$MAILKEEL_ADMIN"]
