"""The main job: one command makes a bare Debian host a mail server, another proves it, a third takes it back.

The tests of one host build on each other, in the order in which they stand here.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Iterator

import attrs
import pytest
from converged import names_root
from own_names import SILENT_DOMAIN, publish, serve
from servers import (
    APPLY_SECONDS,
    DAEMONS,
    LOG,
    PRIVATE_KEY,
    Snapshot,
    as_json,
    daemon_pids,
    from_checkout,
    mailkeel,
    said,
    snapshot,
    transactions,
    verdicts,
)

from checkout import REPOSITORY
from mailkeel.daemons.itself import LIBRARIES
from mailkeel.lab.commands import Completed
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.machine import wait_until
from mailkeel.lab.network import Network
from mailkeel.lab.roots import RESOLV_CONF, bare_root

COMMAND = "./mailkeel apply examples/local.toml --yes"
SPEC_WITH_ADDRESSES = "/root/with-addresses.toml"
CERTIFICATE = "/etc/ssl/mailkeel/mail.example.com.pem"

#: What cannot be seen on a host without DNS and without a mailbox elsewhere.
UNSEEN_WITHOUT_DNS = frozenset({"A4", "V2", "V3", "V4", "V5", "V6"})

ENVIRONMENTS = [
    pytest.param((release, systemd), id=name)
    for release in ("bookworm", "trixie")
    for systemd in (True, False)
    for name in [f"{release}-{'systemd' if systemd else 'plain'}"]
]


@attrs.frozen(eq=False)
class Server:
    """A host that was bare when the command of the README ran on it."""

    host: LabHost
    network: Network
    release: str
    before: Snapshot
    libraries: frozenset[str]
    applied: Completed


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def server(
    request: pytest.FixtureRequest, lab: Lab, checkout_on: Callable[[LabHost], str]
) -> Iterator[Server]:
    """The bare host, the command, and the checkout gone again."""
    release, systemd = request.param
    network = lab.network()
    with lab.host("mx", bare_root(release), network=network, systemd=systemd) as host:
        host.run(["useradd", "--create-home", "alice"])
        before, libraries = snapshot(host), _with_dependencies(host, LIBRARIES)
        checkout = checkout_on(host)
        applied = from_checkout(host, checkout, *COMMAND.split())
        host.run(["rm", "-r", checkout])
        yield Server(host, network, release, before, libraries, applied)


def _with_dependencies(host: LabHost, packages: tuple[str, ...]) -> frozenset[str]:
    simulated = host.run(["apt-get", "-s", "-q", "--no-install-recommends", "install", *packages]).stdout
    return frozenset(line.split()[1] for line in simulated.splitlines() if line.startswith("Inst "))


class TestApplied:
    def test_by_the_command_of_the_readme(self, server: Server) -> None:
        assert COMMAND in (REPOSITORY / "README.md").read_text()
        assert server.applied.status == 0, said(server.applied)

    def test_every_criterion_holds_that_can_be_seen_from_here(self, server: Server) -> None:
        completed = mailkeel(server.host, "prove", "--json")
        proof = as_json(completed)
        unknown = {id_ for id_, verdict in verdicts(proof).items() if verdict == "unknown"}
        failed = [criterion for criterion in proof["criteria"] if criterion["verdict"] == "fail"]
        assert failed == []
        assert unknown <= UNSEEN_WITHOUT_DNS
        assert (completed.status, proof["verdict"]) == (0, "pass")

    def test_a_proof_names_what_it_saw(self, server: Server) -> None:
        """No verdict without an observation; where it is no pass, what to do."""
        proof = json.loads(server.host.read("/var/lib/mailkeel/proof.json"))
        for criterion in proof["criteria"]:
            assert criterion["expected"], criterion
            assert criterion["observed"], criterion
            if criterion["verdict"] == "pass":
                assert criterion["evidence"], criterion
            else:
                assert {"cause", "solution", "prevention"} <= criterion.keys()
                assert criterion["solution"], criterion

    def test_a_stranger_is_refused_for_relaying_and_for_nothing_else(self, server: Server) -> None:
        """S2 would also hold on a server that refuses everything."""
        proof = as_json(mailkeel(server.host, "prove", "--json", "--only", "S2"))
        assert "Relay access denied" in proof["criteria"][0]["observed"]

    def test_nothing_is_left_to_do(self, server: Server) -> None:
        completed = mailkeel(server.host, "plan")
        assert completed.status == 0, said(completed)
        assert "Nothing to do" in completed.stdout

    def test_a_plan_in_json_has_the_documented_form(self, server: Server) -> None:
        plan = as_json(mailkeel(server.host, "plan", "--json"))
        assert plan["changes"] == []
        assert re.fullmatch("[0-9a-f]+", plan["fingerprint"])

    def test_a_second_apply_changes_and_restarts_nothing(self, server: Server) -> None:
        pids, history, was = daemon_pids(server.host), transactions(server.host), snapshot(server.host)
        assert set(DAEMONS) < pids.keys()
        completed = mailkeel(server.host, "apply", "--yes")
        assert completed.status == 0, said(completed)
        assert "Nothing was to do" in completed.stdout
        assert daemon_pids(server.host) == pids
        assert transactions(server.host) == history
        assert was.differences(snapshot(server.host)) == []

    def test_the_status_is_well(self, server: Server) -> None:
        completed = mailkeel(server.host, "status", "--json")
        assert completed.status == 0, said(completed)
        status = as_json(completed)
        assert status["well"] is True
        assert all(service["is_active"] for service in status["services"].values())

    def test_no_unit_failed(self, server: Server) -> None:
        assert snapshot(server.host).failed_units == ()

    def test_the_configuration_is_where_it_belongs(self, server: Server) -> None:
        """B6; and the daemons really read it there."""
        host = server.host
        assert host.run(["readlink", "-f", "/etc/opendkim.conf"]).stdout == "/etc/opendkim/opendkim.conf\n"
        assert host.run(["readlink", "-f", "/etc/opendmarc.conf"]).stdout == "/etc/opendmarc/opendmarc.conf\n"
        assert host.run(["postconf", "-h", "myhostname"]).stdout == "mail.example.com\n"
        key = host.run(["stat", "-c", "%U:%G %a", PRIVATE_KEY]).stdout
        assert key == "root:opendkim 640\n"


class TestTraces:
    def test_the_log_of_the_module_tells_what_was_done(self, server: Server) -> None:
        lines = server.host.read(LOG).splitlines()
        assert any(re.match(r"\d{4}-\d\d-\d\dT\S+Z INFO +applied \d+ changes", line) for line in lines)
        assert all(re.match(r"\S+Z (INFO|WARNING|ERROR) +\S", line) for line in lines)

    def test_deliveries_are_logged(self, server: Server) -> None:
        assert "status=sent" in server.host.read("/var/log/mail.log")

    def test_errors_have_a_log_of_their_own(self, server: Server) -> None:
        server.host.run(["logger", "-p", "mail.err", "what a person should see"])
        server.host.run(["logger", "-p", "mail.info", "what nobody need see"])
        seen = functools.partial(_text, server.host, "/var/log/mail.err")
        assert wait_until(lambda: "what a person should see" in seen(), 10)
        assert "what nobody need see" not in seen()

    def test_what_was_there_is_backed_up_for_root_alone(self, server: Server) -> None:
        folder = "/var/log/firstboot/mail-config.bak"
        listing = server.host.run(["find", folder, "-printf", "%M %u %p\n"]).stdout
        assert listing.startswith(f"drwx------ root {folder}\n")
        assert all(re.match(r"[d-]rw[x-]------ root ", line) for line in listing.splitlines())
        assert "NEW_FILES" in listing
        search = server.host.run(["grep", "-rlF", "PRIVATE KEY-----", folder], check=False)
        assert (search.status, search.stdout) == (1, "")

    def test_nothing_of_ours_lies_under_tmp(self, server: Server) -> None:
        names = server.host.run(["find", "/tmp", "/var/tmp", "-mindepth", "1", "-maxdepth", "1"]).stdout
        theirs = r"/(var/)?tmp/(systemd-private-.*|\.(X11|ICE|XIM|font)-unix)"
        assert [name for name in names.splitlines() if not re.fullmatch(theirs, name)] == []

    def test_no_private_key_is_anywhere_but_in_its_file(self, server: Server) -> None:
        host = server.host
        printed = mailkeel(host, "plan", "--json").stdout + server.applied.stdout + server.applied.stderr
        if host.has_systemd:
            printed += host.run(["journalctl", "--no-pager", "-o", "cat"]).stdout
        for path in (PRIVATE_KEY, CERTIFICATE.replace(".pem", ".key")):
            secret = _secret_lines(host.read(path))
            host.write("/run/needles", "\n".join(secret), 0o600)
            folders = ("/var/lib/mailkeel", "/var/log", "/etc", "/tmp", "/usr/local")
            found = host.run(["grep", "-rlFf", "/run/needles", *folders], check=False)
            assert found.stdout == f"{path}\n"
            assert not any(line in printed for line in secret)
        host.run(["rm", "/run/needles"])


def _secret_lines(pem: str) -> list[str]:
    """Lines of a private key that are not in its public half, where the modulus stands too."""
    body = [line for line in pem.splitlines() if not line.startswith("-----")]
    return [line for line in body[8:] if len(line) == 64]


class TestMail:
    def test_a_message_is_in_the_mailbox_within_5_seconds(self, server: Server) -> None:
        """P2, as a person would see it."""
        began = time.monotonic()
        server.host.sh("echo Hello | mail -s greetings alice")
        assert _arrives(server.host, "Subject: greetings", 5), server.host.run(["postqueue", "-p"]).stdout
        assert time.monotonic() - began < 5

    def test_a_bounce_from_outside_is_taken(self, server: Server) -> None:
        """Its envelope sender is empty: who refuses that never hears that mail was not delivered."""
        replies = _smtp(server.host, "MAIL FROM:<>", "RCPT TO:<alice@example.com>")
        assert [reply[:3] for reply in replies] == ["250", "250"], replies

    def test_a_sender_that_filters_read_differently_is_refused(self, server: Server) -> None:
        replies = _smtp(
            server.host, "MAIL FROM:<any@good.example(a.evil.example>", "RCPT TO:<alice@example.com>"
        )
        assert replies[-1].startswith("5"), replies


class TestWithoutDns:
    def test_the_spf_check_says_so(self, server: Server) -> None:
        completed = mailkeel_spf_check(server.host)
        assert completed.status in (1, 3)
        assert "no server answered" in completed.stdout + completed.stderr, said(completed)


@pytest.fixture(scope="module")
def names(server: Server, lab: Lab) -> Iterator[LabHost]:
    """A name server that has what the host asked for, the host that uses it, and `apply` run once more."""
    host = server.host
    with lab.host("names", names_root(), network=server.network, systemd=False) as names_host:
        spec = host.read("/etc/mailkeel/mail.toml")
        addresses = f'addresses = ["{host.ipv4}", "{host.ipv6}"]'
        host.write(SPEC_WITH_ADDRESSES, re.sub(r"(?m)^# addresses = .*$", addresses, spec))
        serve(names_host, _records(host, SPEC_WITH_ADDRESSES))
        _resolve_by(host, f"nameserver {names_host.ipv4}\n")
        yield names_host


def _resolve_by(host: LabHost, resolv_conf: str) -> None:
    """Put this into resolv.conf, which keeps its owner and mode."""
    host.run(["tee", "/etc/resolv.conf"], input=resolv_conf)


def _records(host: LabHost, *spec: str) -> str:
    completed = mailkeel(host, "dns", "records", *spec, "--format", "bind")
    assert completed.status == 0, said(completed)
    return completed.stdout


@pytest.mark.usefixtures("names")
class TestWithDns:
    def test_the_new_resolver_is_in_the_plan(self, server: Server, names: LabHost) -> None:
        completed = mailkeel(server.host, "plan", SPEC_WITH_ADDRESSES)
        assert completed.status == 2, said(completed)
        assert re.search(rf"\+Nameservers +{names.ipv4}\n", completed.stdout)

    def test_it_is_applied(self, server: Server) -> None:
        pids = daemon_pids(server.host)
        completed = mailkeel(server.host, "apply", SPEC_WITH_ADDRESSES, "--yes")
        assert completed.status == 0, said(completed)
        assert daemon_pids(server.host)["master.pid"] == pids["master.pid"], "a reload is enough for Postfix"

    def test_what_is_published_proves(self, server: Server) -> None:
        completed = mailkeel(server.host, "prove", "--json")
        assert completed.status == 0, said(completed)
        found = verdicts(as_json(completed))
        assert {id_: found[id_] for id_ in ("A4", "V2", "V3", "V4")} == dict.fromkeys(
            ("A4", "V2", "V3", "V4"), "pass"
        )
        assert {id_ for id_, verdict in found.items() if verdict == "unknown"} == {"V5", "V6"}

    def test_dns_check_agrees(self, server: Server) -> None:
        completed = mailkeel(server.host, "dns", "check")
        assert completed.status == 0, said(completed)

    @pytest.mark.parametrize(
        ("criterion", "published", "instead"),
        [
            ("A4", "10 mail.example.com.", "10 elsewhere.example.com."),
            ("V2", "p=MII", "p=MIJ"),
            ("V3", "v=spf1 a mx -all", "v=spf1 -all"),
            ("V4", "v=DMARC1; p=none", "v=DMARC1; p=reject"),
        ],
    )
    def test_a_changed_record_is_noticed(
        self, server: Server, names: LabHost, criterion: str, published: str, instead: str
    ) -> None:
        records = _records(server.host)
        assert published in records
        publish(names, records.replace(published, instead))
        completed = mailkeel(server.host, "prove", "--json", "--only", criterion)
        publish(names, records)
        (seen,) = as_json(completed)["criteria"]
        assert (completed.status, seen["verdict"]) == (3, "fail"), said(completed)
        assert seen["solution"]


@pytest.mark.usefixtures("names")
class TestCommandsOfV9:
    """As written in the requirement."""

    @pytest.mark.parametrize("daemon", ["postfix", "opendkim"])
    def test_status_of_the_service(self, server: Server, daemon: str) -> None:
        if server.host.has_systemd:
            assert "Active: active" in server.host.run(["systemctl", "status", daemon]).stdout
        else:
            server.host.run(["service", daemon, "status"])

    def test_mail_spf_check(self, server: Server) -> None:
        completed = mailkeel_spf_check(server.host)
        assert completed.status == 0, said(completed)
        assert "v=spf1 a mx -all" in completed.stdout
        assert server.host.ipv4 in completed.stdout

    def test_dig_spf(self, server: Server) -> None:
        assert '"v=spf1 a mx -all"' in server.host.run(["dig", "example.com", "TXT"]).stdout

    def test_dig_dkim(self, server: Server) -> None:
        assert '"v=DKIM1; ' in server.host.run(["dig", "default._domainkey.example.com", "TXT"]).stdout

    def test_openssl_s_client(self, server: Server) -> None:
        asked = ["openssl", "s_client", "-connect", "smtp.example.com:587", "-starttls", "smtp"]
        assert "subject=O = self-signed by mailkeel" in server.host.run(asked).stdout.replace("O=", "O = ")
        verified = [
            *asked,
            "-verify_return_error",
            "-verify_hostname",
            "smtp.example.com",
            "-CAfile",
            CERTIFICATE,
        ]
        assert "Verify return code: 0 (ok)" in server.host.run(verified).stdout

    def test_the_queue(self, server: Server) -> None:
        """`postqueue -p`, `postcat -q ID` and `postqueue -f`, with a message that cannot be delivered yet."""
        host = server.host
        assert "Mail queue is empty" in host.run(["postqueue", "-p"]).stdout
        host.sh(f"echo Waiting | mail -s patience someone@{SILENT_DOMAIN}")
        assert wait_until(lambda: _queue_ids(host) != [], 10)
        (queue_id,) = _queue_ids(host)
        assert queue_id in host.run(["postqueue", "-p"]).stdout
        shown = host.run(["postcat", "-q", queue_id]).stdout
        assert "Subject: patience" in shown
        assert "DKIM-Signature:" in shown
        host.run(["postqueue", "-f"])
        assert _queue_ids(host) == [queue_id]
        host.run(["postsuper", "-d", queue_id])
        assert wait_until(lambda: _queue_ids(host) == [], 40, interval_seconds=0.5)

    def test_opendkim_testkey(self, server: Server) -> None:
        asked = ["opendkim-testkey", "-d", "example.com", "-s", "default"]
        server.host.run(asked)
        assert "checking key 'default._domainkey.example.com'" in server.host.run([*asked, "-vvv"]).stderr

    def test_opendkim_testkey_notices_another_key(self, server: Server, names: LabHost) -> None:
        records = _records(server.host)
        publish(names, re.sub('p=MII[^ "]*', "p=", records))
        asked = ["opendkim-testkey", "-d", "example.com", "-s", "default"]
        completed = server.host.run(asked, check=False)
        publish(names, records)
        assert completed.status != 0

    def test_postfix_reload(self, server: Server) -> None:
        server.host.run(["postfix", "reload"])
        assert wait_until(lambda: _smtp(server.host, "NOOP")[0].startswith("250"), 10)


class TestUndo:
    def test_the_last_change_is_taken_back(self, server: Server) -> None:
        _resolve_by(server.host, RESOLV_CONF)
        completed = mailkeel(server.host, "undo", "--yes")
        assert completed.status == 0, said(completed)
        assert "addresses = [" not in re.sub("(?m)^#.*", "", server.host.read("/etc/mailkeel/mail.toml"))
        assert [entry["outcome"] for entry in transactions(server.host)][:2] == ["applied", "undone"]

    def test_the_host_is_as_before(self, server: Server) -> None:
        host = server.host
        key = host.read(PRIVATE_KEY)
        host.run(["rm", "-f", SPEC_WITH_ADDRESSES])
        completed = mailkeel(host, "undo", "--yes")
        assert completed.status == 0, said(completed)
        after = snapshot(host)
        of_libraries = host.run(["dpkg", "-L", *sorted(server.libraries)]).stdout.splitlines()
        explained = (*EXPLAINED, *map(re.escape, of_libraries))
        assert server.before.differences(after, *explained) == []
        assert {line.split()[0] for line in after.packages ^ server.before.packages} <= server.libraries
        assert server.before.accounts <= after.accounts
        left = {line.partition(":")[0] for line in after.accounts - server.before.accounts}
        assert left == LEFT_ACCOUNTS[server.release]
        assert after.daemons <= server.before.daemons
        assert after.failed_units == server.before.failed_units
        assert host.read(PRIVATE_KEY) == key
        assert host.run(["stat", "-c", "%U:%G %a", PRIVATE_KEY]).stdout == "root:root 600\n"

    def test_mail_stays(self, server: Server) -> None:
        assert "Subject: greetings" in server.host.read("/var/mail/alice")

    def test_it_can_be_applied_again_with_the_same_key(
        self, server: Server, checkout_on: Callable[[LabHost], str]
    ) -> None:
        key = server.host.read(PRIVATE_KEY)
        completed = from_checkout(server.host, checkout_on(server.host), *COMMAND.split())
        assert completed.status == 0, said(completed)
        assert server.host.read(PRIVATE_KEY) == key
        server.host.sh("echo Again | mail -s again alice")
        assert _arrives(server.host, "Subject: again", 10)


#: What undo leaves different, and why that is right.
EXPLAINED = {
    r"/etc/opendkim(/keys(/example\.com(/default\.(private|txt))?)?)?": "DKIM keys stay: they are published",
    r"/etc/ssl/mailkeel(/mail\.example\.com\.(key|pem))?": "so does the certificate: people have accepted it",
    r"/etc/ld\.so\.cache": "the linker's cache; each installation makes it anew",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-": "shadow's copy of the file before its last change",
    r"/etc/(passwd|group|shadow|gshadow)": "compared by their accounts, as lines may have moved",
    r"/etc/networks": "made by netbase, which a library needs, not by its package but by its script",
    r"/var/mail/(alice|mailkeel-probe)": "mail stays",
}

#: Users and groups that a purge leaves: Debian's scripts keep them, so that their numbers are not given to
#: another account while a file of theirs may be about.
LEFT_ACCOUNTS = {
    "bookworm": {"opendkim", "opendmarc", "policyd-spf", "ssl-cert"},
    "trixie": {"opendkim", "opendmarc", "policyd-spf", "postdrop", "postfix", "ssl-cert"},
}


def mailkeel_spf_check(host: LabHost) -> Completed:
    completed = host.run(["mail-spf-check", "example.com"], check=False, timeout=APPLY_SECONDS)
    assert "Traceback" not in completed.stderr
    return completed


def _arrives(host: LabHost, words: str, seconds: float) -> bool:
    return wait_until(lambda: words in _text(host, "/var/mail/alice"), seconds, interval_seconds=0.1)


def _text(host: LabHost, path: str) -> str:
    return host.run(["cat", path], check=False).stdout


def _queue_ids(host: LabHost) -> list[str]:
    listing = host.run(["postqueue", "-j"]).stdout
    return [json.loads(line)["queue_id"] for line in listing.splitlines()]


def _smtp(host: LabHost, *commands: str) -> list[str]:
    """The replies to these commands, after EHLO, to a client that is not on the host's loopback."""
    with host.connect(host.ipv4, 25) as connection, connection.makefile("rwb") as stream:
        connection.settimeout(30)

        def reply() -> str:
            lines = [stream.readline().decode()]
            while lines[-1][3:4] == "-":
                lines.append(stream.readline().decode())
            return lines[-1].strip()

        reply()
        replies = []
        for command in ("EHLO example.org", *commands):
            stream.write(f"{command}\r\n".encode())
            stream.flush()
            replies.append(reply())
        return replies[1:]
