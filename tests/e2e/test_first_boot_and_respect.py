"""First boot without a person, on a host where somebody had a Postfix of their own: it stays theirs.

The tests of one host build on each other: first boot, certificates from elsewhere, and all of it undone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import attrs
import pytest
from servers import LOG, PRIVATE_KEY, Snapshot, as_json, from_checkout, mailkeel, said, snapshot, transactions

from hosts import installed_root
from mailkeel.lab.commands import Completed
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.machine import wait_until
from mailkeel.lab.roots import RELEASES

MAIN_CF, MASTER_CF = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
SPEC = "/etc/mailkeel/mail.toml"
MODULES = "/etc/firstboot/modules"
TRACE = "/run/trace"

OWN_SETTINGS = """
# Our provider wants it so.
smtp_bind_address = 127.0.0.1
relocated_maps = texthash:/etc/postfix/moved
message_size_limit = 1234567
"""
OWN_SERVICE = """\
# For the scanner on the second floor.
2525      inet  n       -       y       -       -       smtpd
  -o syslog_name=postfix/scanner
"""
OWN_TABLE = "old@example.com new@example.net\n"

#: The whole configuration of an unattended first boot.
ENVIRONMENT = {"MAILKEEL_MODE": "local", "MAILKEEL_DOMAINS": "example.com", "MAILKEEL_ADMIN": "alice"}

GIVEN_CERTIFICATE, GIVEN_KEY = "/etc/ssl/mail.pem", "/etc/ssl/private/mail.key"
LIVE = "/etc/letsencrypt/live/mail.example.com"
ARCHIVE = "/etc/letsencrypt/archive/mail.example.com"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/mailkeel"


@attrs.frozen(eq=False)
class Theirs:
    """A host with a Postfix that somebody set up, as it was before mailkeel came."""

    host: LabHost
    checkout: str
    before: Snapshot

    def first_boot(self) -> Completed:
        """Run the module as a first-boot sequence does: nobody is there, all it has is the environment.

        Each command that it runs is noted in TRACE with all its arguments.
        """
        trace = ["strace", "-f", "-qq", "-e", "trace=execve", "-s", "65536", "-o", TRACE]
        words = ["setsid", "--wait", *trace, "./9-mail_config"]
        return from_checkout(self.host, self.checkout, *words, env=ENVIRONMENT)


@pytest.fixture(scope="module", params=RELEASES)
def theirs(
    request: pytest.FixtureRequest, lab: Lab, checkout_on: Callable[[LabHost], str]
) -> Iterator[Theirs]:
    """One host of each release, with settings, a service and a table of the person's own."""
    with lab.host("mx", installed_root(request.param), hostname="mail.example.com") as host:
        host.run(["useradd", "--create-home", "alice"])
        host.write("/etc/postfix/moved", OWN_TABLE)
        host.run(["tee", "-a", MAIN_CF], input=OWN_SETTINGS)
        host.run(["tee", "-a", MASTER_CF], input=OWN_SERVICE)
        host.run(["systemctl", "restart", "postfix"])
        yield Theirs(host, checkout_on(host), snapshot(host))


class TestFirstBoot:
    def test_a_module_that_is_not_switched_on_does_nothing(self, theirs: Theirs) -> None:
        host = theirs.host
        host.run(["mkdir", "-p", MODULES])
        was = snapshot(host)
        completed = theirs.first_boot()
        assert completed.status == 0, said(completed)
        assert "disabled" in completed.stdout
        assert re.search(r"(?m)^\S+Z INFO +disabled: ", host.read(LOG))
        assert was.differences(snapshot(host)) == []

    def test_a_module_that_is_switched_on_makes_the_mail_server(self, theirs: Theirs) -> None:
        host = theirs.host
        host.write(f"{MODULES}/9-mail_config.enabled", "")
        completed = theirs.first_boot()
        assert completed.status == 0, said(completed)
        log = host.read(LOG)
        assert re.search(r"(?m)^\S+Z INFO +mail configuration begins$", log)
        assert re.search(r"(?m)^\S+Z INFO +mail configuration ends$", log)
        assert "ERROR" not in log
        assert 'name = "example.com"' in host.read(SPEC)
        assert mailkeel(host, "plan").status == 0

    def test_no_private_key_was_ever_an_argument(self, theirs: Theirs) -> None:
        trace = theirs.host.read(TRACE)
        assert '"req", "-x509"' in trace, "the certificate was made by openssl"
        for path in (PRIVATE_KEY, "/etc/ssl/mailkeel/mail.example.com.key"):
            lines = theirs.host.read(path).splitlines()[1:-1]
            assert len(lines) > 20
            assert not any(line in trace for line in lines)

    def test_the_installed_module_finds_nothing_left_to_do(self, theirs: Theirs) -> None:
        history = transactions(theirs.host)
        completed = theirs.host.run(["9-mail_config"], env=ENVIRONMENT, timeout=120)
        assert "Nothing was to do" in completed.stdout
        assert transactions(theirs.host) == history


class TestWhatIsTheirs:
    def test_a_setting_that_mailkeel_does_not_manage_stays_with_its_comment(self, theirs: Theirs) -> None:
        main_cf = theirs.host.read(MAIN_CF)
        for line in OWN_SETTINGS.split("\n")[1:4]:
            assert f"\n{line}\n" in main_cf
        shown = theirs.host.run(["postconf", "-h", "smtp_bind_address", "relocated_maps"]).stdout
        assert shown == "127.0.0.1\ntexthash:/etc/postfix/moved\n"

    def test_a_service_of_theirs_still_answers(self, theirs: Theirs) -> None:
        assert OWN_SERVICE in theirs.host.read(MASTER_CF)
        with theirs.host.connect("127.0.0.1", 2525) as connection:
            assert connection.recv(4) == b"220 "

    def test_a_table_of_theirs_is_as_it_was(self, theirs: Theirs) -> None:
        assert theirs.host.read("/etc/postfix/moved") == OWN_TABLE

    def test_a_setting_that_mailkeel_changes_is_shown_with_both_values(self, theirs: Theirs) -> None:
        """Set once more by hand, below mailkeel's own settings, where it would win."""
        host = theirs.host
        managed = host.read(MAIN_CF)
        host.run(["tee", "-a", MAIN_CF], input="message_size_limit = 1234567\n")
        plan = mailkeel(host, "plan", "--json")
        host.run(["tee", MAIN_CF], input=managed)
        assert plan.status == 2
        (change,) = [change for change in as_json(plan)["changes"] if change["id"] == MAIN_CF]
        assert change["notes"] == ["yours: message_size_limit = 1234567; mailkeel: 52428800"]


class TestCertificates:
    def test_a_given_certificate_is_served(self, theirs: Theirs) -> None:
        host = theirs.host
        fingerprint = _make_certificate(host, GIVEN_KEY, GIVEN_CERTIFICATE)
        tls = f'\n[tls]\ncertificate = "{GIVEN_CERTIFICATE}"\nkey = "{GIVEN_KEY}"\n'
        assert "[tls]" not in host.read(SPEC)
        host.write("/root/given.toml", host.read(SPEC) + tls)
        completed = mailkeel(host, "apply", "/root/given.toml", "--yes")
        assert completed.status == 0, said(completed)
        assert wait_until(lambda: _served(host) == fingerprint, 10)
        proof = as_json(mailkeel(host, "prove", "--json", "--only", "I3"))
        assert proof["criteria"][0]["evidence"]["certificate"] == GIVEN_CERTIFICATE
        assert proof["verdict"] == "pass"

    def test_a_certificate_that_is_not_there_is_refused(self, theirs: Theirs) -> None:
        host = theirs.host
        host.write("/root/absent.toml", host.read(SPEC).replace(GIVEN_CERTIFICATE, "/etc/ssl/absent.pem"))
        was = snapshot(host)
        completed = mailkeel(host, "apply", "/root/absent.toml", "--yes")
        assert completed.status == 1, said(completed)
        assert "/etc/ssl/absent.pem" in completed.stderr
        assert was.differences(snapshot(host), *PASSING) == []

    def test_lets_encrypts_certificate_is_served_and_its_renewal_picked_up(self, theirs: Theirs) -> None:
        host = theirs.host
        host.run(["mkdir", "-p", "-m", "700", LIVE, ARCHIVE])
        first = _issue(host, 1)
        host.write("/root/live.toml", re.sub(r"(?ms)^\[tls\]\n(\w+ = .*?\n)*", "", host.read(SPEC)))
        completed = mailkeel(host, "apply", "/root/live.toml", "--yes")
        assert completed.status == 0, said(completed)
        assert wait_until(lambda: _served(host) == first, 10)
        second = _issue(host, 2)
        assert second != first
        host.run([HOOK])
        assert wait_until(lambda: _served(host) == second, 10)
        assert mailkeel(host, "plan").status == 0


class TestUndo:
    def test_everything_of_theirs_comes_back_byte_for_byte(self, theirs: Theirs) -> None:
        host = theirs.host
        first = next(entry["id"] for entry in transactions(host) if entry["outcome"] == "applied")
        completed = mailkeel(host, "undo", first, "--yes")
        assert completed.status == 0, said(completed)
        host.sh(f"rm -rf {LIVE} {ARCHIVE} {GIVEN_KEY} {GIVEN_CERTIFICATE} /etc/firstboot /root/*.toml")
        host.sh("cd /etc; rmdir letsencrypt/live letsencrypt/archive letsencrypt", check=False)
        differences = theirs.before.differences(snapshot(host), *PASSING, *KEPT)
        assert not differences, "\n".join(differences)
        assert host.run(["postconf", "-h", "message_size_limit"]).stdout == "1234567\n"
        with host.connect("127.0.0.1", 2525) as connection:
            assert connection.recv(4) == b"220 "


#: What changes by itself: shadow's copies, Postfix's notes of its processes, private /tmp, Dovecot's note.
PASSING = (
    r"/etc/(passwd|group|shadow|gshadow)-",
    r"/var/(lib/postfix|spool/postfix/pid)/.*",
    r"/tmp/systemd-private-.*",
    r"/var/lib/dovecot/instances",
)
#: Keys stay: they may be published, and people have accepted the certificate. So do the sockets of services
#: that are gone, on which nobody listens: Postfix and Dovecot never remove one.
KEPT = (
    r"/etc/opendkim(/keys(/example\.com(/.*)?)?)?",
    r"/etc/ssl/mailkeel(/.*)?",
    r"/var/spool/postfix/(private/auth|private/policyd-spf|public/submission-cleanup)",
)


def _make_certificate(host: LabHost, key: str, certificate: str) -> str:
    """A key and a certificate for the host's name; returns its fingerprint."""
    names = ["-subj", "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com"]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "90", *names]
    host.run([*request, "-keyout", key, "-out", certificate])
    return host.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]).stdout


def _issue(host: LabHost, number: int) -> str:
    """What certbot does: a new pair in the archive, and links to it."""
    fingerprint = _make_certificate(
        host, f"{ARCHIVE}/privkey{number}.pem", f"{ARCHIVE}/fullchain{number}.pem"
    )
    for name in ("privkey", "fullchain"):
        host.run(["ln", "-sfn", f"../../archive/mail.example.com/{name}{number}.pem", f"{LIVE}/{name}.pem"])
    return fingerprint


def _served(host: LabHost) -> str:
    """The fingerprint of the certificate that a client sees."""
    asked = "openssl s_client -connect 127.0.0.1:587 -starttls smtp </dev/null 2>/dev/null"
    return host.sh(f"{asked} | openssl x509 -noout -fingerprint -sha256", check=False).stdout
