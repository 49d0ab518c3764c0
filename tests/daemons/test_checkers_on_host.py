"""What is rendered, before the real daemons' own checkers and tables, on both Debian releases."""

from __future__ import annotations

import base64
import io
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping

import attrs
import pytest

from hosts import installed_root
from mailkeel import daemons
from mailkeel.daemons.postfix import tables
from mailkeel.facts import HostFacts
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.resources import Desired, File
from mailkeel.spec.model import Spec
from mailkeel.spec.reader import read

DEBIAN = {"bookworm": 12, "trixie": 13}

LABEL = "a" * 63
LONG_DOMAIN = ".".join([LABEL, LABEL, LABEL, "b" * 40, "example"])
LONG_SELECTOR = "s"
LONG_LOCAL_PART = "l" * 64


def spec_of(domains: str, rest: str = "") -> Spec:
    """A specification of local mode."""
    return read(f'mode = "local"\nhostname = "mx.example.com"\n{rest}\n{domains}')


def domain(name: str, selector: str = "default") -> str:
    """One domain's table."""
    return f'[[domain]]\nname = "{name}"\n[domain.dkim]\nselector = "{selector}"\n'


ALIASES = """\
admin = "alice"
[aliases]
sales = ["alice", "bob"]
team = ["sales", "carol@elsewhere.example"]
away = ["someone@elsewhere.example"]
"a+b" = ["carol"]
"""

SPECS = {
    "one domain": spec_of(domain("example.com")),
    "three domains with aliases": spec_of(
        domain("example.com") + domain("example.org", "mail2026") + domain("mail.example.net", "a.b"), ALIASES
    ),
    "200 domains": spec_of("".join(domain(f"d{number}.example") for number in range(200)), ALIASES),
    "an internationalised name": spec_of(
        domain("bücher.example") + domain("例え.テスト"), 'admin = "zoe@bücher.example"'
    ),
    "names at their longest": read(
        f'mode = "local"\nhostname = "{"h" * 63}.{"i" * 63}.{"j" * 63}.{"k" * 53}.example"\n'
        f'[aliases]\n{LONG_LOCAL_PART} = ["{LONG_LOCAL_PART[1:]}m", "{"n" * 60}@{LONG_DOMAIN[:193]}"]\n'
        f'"_under-score.dot+plus" = ["root"]\n'
        + domain(LONG_DOMAIN, LONG_SELECTOR)
        + domain("1.2.3.example", "0")
        + domain("xn--p1ai.example", "x" * 63)
    ),
}


@pytest.fixture(scope="module")
def host(lab: Lab, release: str) -> Iterator[LabHost]:
    """A host on which the mail packages are installed."""
    with lab.host("checkers", installed_root(release)) as booted:
        yield booted


@pytest.fixture
def debian(release: str) -> int:
    """The release's number."""
    return DEBIAN[release]


def put(host: LabHost, desired: Desired) -> None:
    """Write every folder, file, link and (throwaway) key on the host."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in desired.directories:
            archive.addfile(_entry(folder.path, tarfile.DIRTYPE, folder.mode, folder.owner, folder.group))
        for path, content, mode, group in _files(host, desired):
            entry = _entry(path, tarfile.REGTYPE, mode, "root", group)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for link in desired.symlinks:
            entry = _entry(link.path, tarfile.SYMTYPE, 0o777, "root", "root")
            entry.linkname = link.target
            archive.addfile(entry)
    host.run(["tar", "-x", "-p", "-C", "/"], input=packed.getvalue())


def _entry(path: str, kind: bytes, mode: int, owner: str, group: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode, entry.uname, entry.gname = kind, mode, owner, group
    return entry


def _files(host: LabHost, desired: Desired) -> Iterator[tuple[str, bytes, int, str]]:
    for file in desired.files:
        if not file.path.endswith(".pyz"):
            yield file.path, _content(host, file), file.mode, file.group
    pem = host.run(["openssl", "genrsa", "-traditional", "2048"]).stdout.encode()
    for key in desired.keys:
        yield key.path, pem, key.mode, key.group
        yield key.public_path, b"", 0o644, "root"


def _content(host: LabHost, file: File) -> bytes:
    if isinstance(file.content, bytes):
        return file.content
    done = host.run(["base64", file.path], check=False)
    return file.content(base64.b64decode(done.stdout) if done.status == 0 else None)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_rendered_file_passes_its_daemons_checker(host: LabHost, debian: int, spec: Spec) -> None:
    """Exit status 0, and not a word on standard error."""
    desired = daemons.desired(spec, HostFacts(debian))
    put(host, desired)
    complaints = {}
    for check in desired.checks:
        argv = [argument.replace("{root}", "") for argument in check.argv]
        done = host.run(argv, check=False)
        if done.status != 0 or done.stderr.strip():
            complaints[check.name] = (done.status, done.stdout[-500:], done.stderr[-500:])
    assert complaints == {}


def test_the_checkers_find_what_is_wrong(host: LabHost, debian: int) -> None:
    """Each complains of a typing error in its daemon's file; otherwise their silence would mean nothing."""
    desired = daemons.desired(SPECS["one domain"], HostFacts(debian))
    spoiled = {
        "/etc/postfix/main.cf": "smtpd_tls_chain_filez = x\n",
        "/etc/postfix/master.cf": "broken inet\n",
        "/etc/opendkim/opendkim.conf": "Spoiled yes\n",
        "/etc/opendmarc/opendmarc.conf": "Spoiled yes\n",
        "/etc/dovecot/conf.d/99-mailkeel.conf": "spoiled = yes\n",
    }
    silent = []
    for path, line in spoiled.items():
        put(host, desired)
        host.run(["tee", "-a", path], input=line)
        for check in desired.checks:
            argv = [argument.replace("{root}", "") for argument in check.argv]
            done = host.run(argv, check=False)
            if done.status != 0 or (check.stderr_is_error and done.stderr.strip()):
                break
        else:
            silent.append(path)
    put(host, desired)
    assert silent == []


# --- the tables, asked by Postfix's own postmap


def lookups(host: LabHost, table: str, keys: tuple[str, ...]) -> dict[str, str]:
    """What a regexp table of Postfix says to each key; empty where it says nothing."""
    script = 'for key; do printf "%s\\0" "$(postmap -q "$key" "$table" 2>&1)"; done'
    done = host.run(["sh", "-c", script, "sh", *keys], env={"table": f"regexp:{table}"})
    return dict(zip(keys, done.stdout.split("\0")[:-1], strict=True))


@pytest.fixture
def ask(host: LabHost, debian: int) -> Callable[[str, Mapping[str, str]], None]:
    """`ask(table, expected)`: puts the tables of three domains on the host and compares what they say."""
    put(host, daemons.desired(SPECS["three domains with aliases"], HostFacts(debian)))

    def compare(table: str, expected: Mapping[str, str]) -> None:
        assert lookups(host, table, tuple(expected)) == dict(expected)

    return compare


Ask = Callable[[str, Mapping[str, str]], None]


def test_each_sender_address_belongs_to_its_login(ask: Ask) -> None:
    """By name, with any extension, in any case; aliases belong to those they lead to."""
    ask(
        tables.SENDER_LOGINS,
        {
            "alice@example.com": "alice",
            "alice+x@example.com": "alice",
            "alice+x+y@example.org": "alice",
            "Alice@example.com": "Alice",
            "ALICE@MX.EXAMPLE.COM": "ALICE",
            "o.neill_1-2@mail.example.net": "o.neill_1-2",
            "sales@example.com": "alice,bob",
            "Sales+2026@example.org": "alice,bob",
            "team@mail.example.net": "alice,bob",
            "postmaster@example.com": "alice",
            "a+b@example.com": "carol",
            "alice@other.org": "",
            "alice@sub.example.com": "",
            "alice@example.community": "",
            "alice@examplexcom": "",
            "alice@example.com.evil.example": "",
            "alice": "",
            "@example.com": "",
            "alice@mallory@example.com": "",
        },
    )


ORDINARY_SENDERS = (
    "alice@example.org", "Alice.B+c-d_e@sub.example.org", "o'brien@example.org",
    "a.o'neill@example.org", "SRS0=a=b=c.org=d@e.org",
    "prvs=123=a@b.org", "bounce-1#2%3@list.example", "a@xn--bcher-kva.example", "{a|b}~^`?*&$!@c.org",
)  # fmt: skip
# OpenDMARC takes an apostrophe for a quote and reads on: `legit.example'a@attack.example`.
ODD_SENDERS = (
    "legit.example'a@attack.example",
    "any@legit(a.attack", "any@legit'@any.attack", '"a b"@x.org', '"a"@x.org', "@a,@b:c@d.org", "a@b@c", "a",
    "a\tb@c.org", "a@b\tc.org", "a b@c.org", "a@b c.org", "a@b.org(c", "(c)a@b.org", "a@[192.0.2.1]",
    "a<b@c.org", "a@b>c.org", "a;b@c.org", "a:b@c.org", "a\\b@c.org", "a@b.org,c@d.org", "a@", "@b.org",
    "a\x01b@c.org", "a[b@c.org", "a]b@c.org", "a\nb@c.org", "a@b.org\n", "a@b.org\nx", "\n\na@b.org",
)  # fmt: skip


def test_odd_envelope_senders_are_refused(host: LabHost, ask: Ask) -> None:
    """Those that filters behind us would read as another domain; ordinary ones go on to the next check."""
    ask(tables.ENVELOPE_SENDERS, dict.fromkeys(ORDINARY_SENDERS, "DUNNO"))
    odd = lookups(host, tables.ENVELOPE_SENDERS, ODD_SENDERS)
    assert {key: said for key, said in odd.items() if not said.startswith("553 5.1.7 ")} == {}


FORGED = (
    "Authentication-Results: mx.example.com; spf=pass",
    "authentication-results: MX.Example.COM; spf=pass",
    "AUTHENTICATION-RESULTS:mx.example.com;spf=pass",
    "Authentication-Results : mx.example.com; spf=pass",
    "Authentication-Results\t:\tmx.example.com; spf=pass",
    "Authentication-Results:\n mx.example.com; spf=pass",
    "Authentication-Results:\n\t\n mx.example.com;\n\tspf=pass",
    "Authentication-Results: (comment) mx.example.com; spf=pass",
    "Authentication-Results:\n (a\n (nested)) mx.example.com 1; spf=pass",
    'Authentication-Results: "mx.example.com"; spf=pass',
    'Authentication-Results: "mx.ex\\ample.com"; spf=pass',
    "Authentication-Results: mx(x).example.com; spf=pass",
    "Authentication-Results: mx.example.com/1; spf=pass",
    "Received-SPF: pass (mx.example.com: domain of a@b.org)",
    "received-spf : pass",
    "Received-SPF:\n pass",
)
NOT_OURS = (
    "Authentication-Results: mx.other.example; dkim=pass (2048-bit key) header.d=a.org",
    "Authentication-Results: mxyexample.com; spf=pass",
    "ARC-Authentication-Results: i=1; mx.example.com; spf=pass",
    "X-Authentication-Results: mx.example.com; spf=pass",
    "Subject: Authentication-Results: mx.example.com",
    "X-Received-SPF: pass",
    "Received: from mx.example.com",
)


def test_forged_verdicts_are_taken_out_and_those_of_others_kept(ask: Ask) -> None:
    """In any case, folding, quoting, with comments in front."""
    ask(tables.HEADER_CHECKS, {**dict.fromkeys(FORGED, "IGNORE"), **dict.fromkeys(NOT_OURS, "")})


RECEIVED = """\
Received: from laptop.home.example (dynamic-7.isp.example [203.0.113.5])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)
\t(No client certificate requested)
\tby mx.example.com (Postfix) with ESMTPSA id 4ZxYz12345
\tfor <bob@example.org>; Sun, 22 Nov 2026 22:15:00 +0000 (UTC)"""

HIDDEN = """\
Received: from submission by mx.example.com (Postfix) with ESMTPSA id 4ZxYz12345
\tfor <bob@example.org>; Sun, 22 Nov 2026 22:15:00 +0000 (UTC)"""


def test_a_submitted_message_does_not_tell_where_its_author_is(ask: Ask) -> None:
    """Postfix's own Received header, and what mail programs say of themselves."""
    ask(
        tables.SUBMISSION_HEADER_CHECKS,
        {
            RECEIVED: f"REPLACE {HIDDEN}",
            "User-Agent: Mail/1": "IGNORE",
            "X-Mailer: Mail/1": "IGNORE",
            "X-Originating-IP: [203.0.113.5]": "IGNORE",
            "Subject: X-Mailer: x": "",
            "MIME-Version: 1.0": "",
        },
    )


def test_a_long_header_is_looked_up_in_no_long_time(host: LabHost, ask: Ask) -> None:
    """As long as Postfix lets a header be (header_size_limit)."""
    filling = (
        "a" * 100_000,
        " " * 100_000,
        "a@b, " * 20_000,
        "(" * 100_000,
        '"' * 100_000,
        "<" * 100_000,
        "\\" * 100_000,
    )
    for table in (tables.HEADER_CHECKS, tables.SUBMISSION_HEADER_CHECKS):
        for field in ("From", "Authentication-Results", "Received: from", "X"):
            for part in filling:
                began = time.monotonic()
                lookups(host, table, (f"{field}: {part}",))
                assert time.monotonic() - began < 2, (table, field, part[:5])


def test_aliases_are_found_and_lead_to_those_named(host: LabHost, ask: Ask) -> None:
    """As local(8) asks: by the local part alone."""
    done = host.run(["postmap", "-q", "sales", f"texthash:{tables.ALIASES}"])
    assert done.stdout == "alice, bob\n"
    done = host.run(["postmap", "-q", "postmaster", f"texthash:{tables.ALIASES}"])
    assert done.stdout == "root\n"


def test_specs_are_at_the_limits_they_claim() -> None:
    """The longest names are as long as they may be."""
    longest = SPECS["names at their longest"]
    assert len(longest.hostname) == 253
    assert len(f"{LONG_SELECTOR}._domainkey.{longest.primary.name}") == 253
    assert attrs.asdict(longest)
