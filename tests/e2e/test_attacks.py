"""What attackers try, and what becomes of it: refused, or without effect."""

from __future__ import annotations

import base64
import contextlib
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from email.utils import getaddresses

import pytest
from attack_vectors import (
    EVIL,
    FALSE_ENDS,
    FOREIGN_AUTHORS,
    FOREIGN_HEADERS,
    FOREIGN_SENDERS,
    FORGED_VERDICTS,
    MISLEADING_AUTHORS,
    MISLEADING_HEADERS,
    ODD_SELECTORS,
    ODD_SENDERS,
    ODD_SIGNERS,
    PROBE_RECIPIENTS,
    RELAY_RECIPIENTS,
    RELAY_SENDERS,
    STRANGE_RECIPIENTS,
    VICTIM,
)
from converged import HOSTNAME, PASSWORDS
from mail_world import (
    ALICE,
    BOB,
    CAROL,
    SALES,
    RawSession,
    Reply,
    World,
    headers,
    letter,
    transact,
    unverified,
    verdicts,
)
from strangers import ATTACKER, FARAWAY, SPARE, STRICT, WATCHING, sign, sign_as, wait_for_names

from mailkeel.lab.machine import wait_until

pytest_plugins = ("mail_hosts",)

FRIEND = f"friend@{FARAWAY.name}"
CEO = f"ceo@{VICTIM}"
MILTER_SOCKETS = {name: f"/var/spool/postfix/{name}/{name}.sock" for name in ("opendkim", "opendmarc")}


def named(values: tuple) -> dict[str, object]:
    """Arguments of `parametrize`: short readable ids, whatever octets the values hold."""
    return {"argvalues": values, "ids": [f"{n}-{ascii(value)[:48]}" for n, value in enumerate(values)]}


class TestRelay:
    """Strangers don't send to strangers through us."""

    @pytest.mark.parametrize("recipient", **named(RELAY_RECIPIENTS))
    def test_is_refused_on_port_25(self, world: World, recipient: str) -> None:
        for sender in RELAY_SENDERS:
            with world.raw() as session:
                session.greeted()
                assert session.ask(b"MAIL FROM:<%s>" % sender.encode()).startswith("250")
                assert session.ask(b"RCPT TO:<%s>" % recipient.encode()).startswith("5")
                assert session.ask(b"DATA").startswith("5")

    @pytest.mark.parametrize("client", ATTACKER, ids=["IPv4", "IPv6"])
    @pytest.mark.parametrize("port", [587, 465])
    @pytest.mark.parametrize("recipient", [FRIEND, ALICE])
    def test_is_refused_on_submission_without_password(
        self, world: World, port: int, client: str, recipient: str
    ) -> None:
        """Not even mail for our own users."""
        with contextlib.closing(world.smtp(port, client)) as smtp:
            if port == 587:
                smtp.ehlo()
                assert smtp.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 530
                smtp.starttls(context=unverified())
            reply = transact(smtp, ALICE, recipient, letter(ALICE).raw)
        assert reply.command in ("MAIL", "RCPT")
        assert reply.code >= 500

    def test_is_refused_for_a_second_recipient_as_well(self, world: World) -> None:
        sent = letter(f"x@{EVIL}")
        reply = world.send(f"x@{EVIL}", [ALICE, FRIEND], sent.raw, ATTACKER[0])
        assert (reply.command, reply.code) == ("RCPT", 554)


class TestRecipients:
    @pytest.mark.parametrize("recipient", **named(STRANGE_RECIPIENTS))
    def test_unknown_one_is_refused_at_rcpt(self, world: World, recipient: str) -> None:
        """Accepted, it would bounce to whoever the sender pretended to be."""
        reply = world.attack(f"x@{EVIL}".encode(), recipient.encode(), b"")
        assert reply.command == "RCPT"
        assert re.match(r"550 5\.1\.[0-9]|5[05][0-9] ", reply.text)
        if recipient.startswith("nobody-here"):
            assert reply.text.startswith("550 5.1.1 ")

    @pytest.mark.parametrize("recipient", **named(PROBE_RECIPIENTS))
    def test_mailkeel_s_own_account_is_unknown_outside(self, world: World, recipient: str) -> None:
        reply = world.attack(f"x@{EVIL}".encode(), recipient.encode(), letter(f"x@{EVIL}").raw)
        assert reply.command == "RCPT"
        assert reply.code == (550 if "." in recipient else 504)

    @pytest.mark.parametrize("command", ["VRFY", "EXPN"])
    def test_commands_that_tell_accounts_apart_are_off(self, world: World, command: str) -> None:
        with world.raw() as session:
            session.greeted()
            answers = {
                session.ask(f"{command} {name}".encode()) for name in ("alice", "sales", "nobody-here")
            }
        assert len(answers) == 1
        assert answers.pop().startswith("50")


class TestPasswords:
    @pytest.mark.parametrize("port", [25, 587])
    def test_is_never_taken_in_clear(self, world: World, port: int) -> None:
        with world.raw(port) as session:
            assert session.reply().startswith("220")
            assert "AUTH" not in session.ask(b"EHLO x")
            assert session.ask(b"AUTH PLAIN " + plain("alice", PASSWORDS["alice"])).startswith("5")
            assert session.ask(b"AUTH LOGIN").startswith("5")

    def test_is_never_taken_on_port_25(self, world: World) -> None:
        with contextlib.closing(world.smtp()) as smtp:
            smtp.starttls(context=unverified())
            smtp.ehlo()
            assert not smtp.has_extn("auth")
            assert smtp.docmd("AUTH", "PLAIN " + plain("alice", PASSWORDS["alice"]).decode())[0] >= 500

    @pytest.mark.parametrize(
        ("login", "password", "client"),
        [
            ("alice", "wrong", SPARE[0]),
            ("alice", "", SPARE[1]),
            ("nobody-here", "wrong", SPARE[2]),
            ("root", PASSWORDS["root"], SPARE[3]),
            ("Root@mwa.com", PASSWORDS["root"], SPARE[4]),
            ("locked", PASSWORDS["locked"], SPARE[5]),
            ("expired", PASSWORDS["expired"], SPARE[6]),
            ("mailkeel-probe", "", SPARE[7]),
        ],
    )
    def test_of_no_use_is_refused(self, world: World, login: str, password: str, client: str) -> None:
        with contextlib.closing(world.smtp(465, client)) as smtp:
            smtp.ehlo()
            assert smtp.docmd("AUTH", "PLAIN " + plain(login, password).decode())[0] == 535

    def test_of_alice_does_not_make_bob(self, world: World) -> None:
        """SASL's authorization identity (RFC 4616 2)."""
        response = plain("alice", PASSWORDS["alice"], as_whom="bob")
        with contextlib.closing(world.smtp(465, SPARE[8])) as smtp:
            smtp.ehlo()
            assert smtp.docmd("AUTH", "PLAIN " + response.decode())[0] == 535


class TestImpersonation:
    """Who logs in writes as nobody else, neither on the envelope nor in the letter."""

    @pytest.mark.parametrize("sender", **named(FOREIGN_SENDERS))
    def test_envelope_sender_is_ones_own(self, world: World, sender: str) -> None:
        with contextlib.closing(world.submit("alice")) as smtp:
            reply = transact(smtp, sender, FRIEND, letter(ALICE).raw)
        assert reply.command in ("MAIL", "RCPT")
        assert reply.code >= 500

    @pytest.mark.parametrize("login", ["carol", CAROL, "CAROL"])
    def test_alias_is_its_owners_only(self, world: World, login: str) -> None:
        with contextlib.closing(world.submit(login)) as smtp:
            assert transact(smtp, SALES, FRIEND, letter(SALES).raw).code == 553
            smtp.rset()
            reply = transact(smtp, CAROL, FRIEND, letter(SALES).raw)
            assert (reply.command, reply.code) == ("DATA", 550)

    @pytest.mark.parametrize("author", **named(FOREIGN_AUTHORS))
    def test_author_is_ones_own(self, world: World, author: str) -> None:
        sent = letter(author, FRIEND)
        reply = submit_raw(world, sent.raw)
        assert (reply.command, reply.code) == ("DATA", 550)
        assert world.sink.having(sent.token) == []

    @pytest.mark.parametrize("block", **named(FOREIGN_HEADERS))
    def test_author_is_one(self, world: World, block: str) -> None:
        sent = letter(ALICE, FRIEND, headers=[block], without=["From"])
        reply = submit_raw(world, sent.raw)
        if block.startswith("From :"):
            # In the first line Postfix takes this for a mailbox separator, and sets it aside.
            assert_author_is_alice(world, reply, sent.token)
        else:
            assert (reply.command, reply.code) == ("DATA", 550)

    def test_null_sender_does_not_hide_the_author(self, world: World) -> None:
        with contextlib.closing(world.submit("alice")) as smtp:
            reply = transact(smtp, "", FRIEND, letter(BOB).raw)
        assert reply.code >= 500

    def test_missing_author_is_the_login_s_or_refused(self, world: World) -> None:
        sent = letter(ALICE, FRIEND, without=["From"])
        assert_author_is_alice(world, submit_raw(world, sent.raw), sent.token)


class TestSmuggling:
    """A message ends where RFC 5321 4.1.1.4 says, and nowhere else."""

    @pytest.mark.parametrize("end", **named(FALSE_ENDS))
    def test_inbound_data_is_one_message(self, world: World, end: bytes) -> None:
        sent, smuggled = letter(f"x@{EVIL}"), letter(CEO)
        with world.raw() as session:
            session.greeted()
            begin(session, f"x@{EVIL}", ALICE)
            assert session.ask(b"DATA").startswith("354")
            session.say(
                sent.raw + b"text" + end + smuggled_session(ALICE, smuggled.raw) + b"\r\n.\r\nQUIT\r\n"
            )
            session.rest()
        assert_no_second_message(world, sent.token, smuggled.token)

    @pytest.mark.parametrize("end", **named((*FALSE_ENDS, b"\r\n.\r\n")))
    def test_inbound_chunk_is_one_message(self, world: World, end: bytes) -> None:
        """In a chunk even the real end of DATA is text (RFC 3030 2)."""
        sent, smuggled = letter(f"x@{EVIL}"), letter(CEO)
        chunk = sent.raw + b"text" + end + smuggled_session(ALICE, smuggled.raw) + b"\r\n"
        with world.raw() as session:
            session.greeted()
            begin(session, f"x@{EVIL}", ALICE)
            session.say(b"BDAT %d LAST\r\n" % len(chunk) + chunk + b"QUIT\r\n")
            session.rest()
        assert_no_second_message(world, sent.token, smuggled.token)

    @pytest.mark.parametrize("end", **named(FALSE_ENDS))
    def test_outbound_message_is_one_for_every_receiver(self, world: World, end: bytes) -> None:
        """What leaves holds no line end, and no octet, that another server could take for an end of DATA."""
        sent, smuggled = letter(ALICE, FRIEND), letter(BOB, FRIEND)
        body = sent.raw + b"text" + end + smuggled_session(FRIEND, smuggled.raw) + b"\r\n.\r\n"
        reply = submit_raw(world, body, ends_itself=True)
        world.settle()
        taken = world.sink.having(sent.token)
        assert len(taken) == (1 if reply.is_accepted else 0)
        assert [one for one in world.sink.having(smuggled.token) if one not in taken] == []
        for one in taken:
            assert re.search(rb"(?<!\r)\n|\r(?!\n)|\0|\r\n\.\r\n", one.wire) is None, one.wire
            assert world.is_signed(one.raw)


class TestPipelining:
    def test_before_the_greeting_delivers_nothing(self, world: World) -> None:
        sent = letter(f"x@{EVIL}")
        with world.raw() as session:
            session.say(b"HELO x\r\n" + smuggled_session(ALICE, sent.raw) + b"\r\n.\r\nQUIT\r\n")
            session.rest()
        world.settle()
        assert world.delivered("alice", sent.token) == []

    def test_after_data_delivers_nothing(self, world: World) -> None:
        """The text before the server said 354: this is how a web browser is made to send mail."""
        sent = letter(f"x@{EVIL}")
        with world.raw() as session:
            session.greeted()
            begin(session, f"x@{EVIL}", ALICE)
            session.say(b"DATA\r\n" + sent.raw + b"\r\n.\r\nQUIT\r\n")
            assert not session.reply().startswith("354")
            session.rest()
        world.settle()
        assert world.delivered("alice", sent.token) == []

    def test_after_helo_delivers_nothing(self, world: World) -> None:
        """HELO grants no pipelining (RFC 2920 3.1)."""
        sent = letter(f"x@{EVIL}")
        with world.raw() as session:
            assert session.reply().startswith("220")
            session.say(b"HELO x\r\n" + smuggled_session(ALICE, sent.raw) + b"\r\n.\r\nQUIT\r\n")
            session.rest()
        world.settle()
        assert world.delivered("alice", sent.token) == []

    @pytest.mark.parametrize("port", [25, 587])
    def test_commands_before_the_handshake_are_not_run_after_it(self, world: World, port: int) -> None:
        """CVE-2011-0411."""
        with world.raw(port) as session:
            session.greeted()
            injected = b"EHLO injected\r\nMAIL FROM:<x@%s>\r\n" % EVIL.encode()
            session.say(b"STARTTLS\r\n" + injected)
            if session.reply().startswith("220"):
                encrypted = session.with_tls()
                assert encrypted.ask(b"RCPT TO:<alice@mwa.com>").startswith(("503", "530"))


class TestForgedVerdicts:
    """A message cannot bring its own verdict (RFC 8601 5, 7.1)."""

    @pytest.mark.parametrize("place", ["first", "last"])
    @pytest.mark.parametrize("forged", **named(FORGED_VERDICTS))
    def test_does_not_make_mail_of_a_strict_domain_pass(self, world: World, forged: str, place: str) -> None:
        sent = with_header(letter(CEO).raw, forged, place)
        reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), sent)
        assert (reply.command, reply.code) == ("DATA", 550)

    @pytest.mark.parametrize("forged", **named(FORGED_VERDICTS))
    def test_does_not_survive(self, world: World, forged: str) -> None:
        sent = letter(f"ceo@{WATCHING.name}", headers=[forged.replace(VICTIM, WATCHING.name)])
        reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), sent.raw)
        if "\0" in forged:
            assert reply.code == 550
            return
        assert reply.is_accepted
        raw = world.arrival("alice", sent.token)
        ours = [value for value in headers(raw, "Authentication-Results") if bears_our_name(value)]
        assert [value for value in ours if "forged" in value] == []
        assert re.findall(r"\bdmarc=(\w+)", " ".join(ours)) == ["fail"]
        assert headers(raw, "Received-SPF") == []

    @pytest.mark.parametrize("sender", **named(ODD_SENDERS))
    def test_odd_envelope_sender_passes_for_nobody_else(self, world: World, sender: bytes) -> None:
        sent = letter(CEO)
        assert_not_believed(world, world.attack(sender, ALICE.encode(), sent.raw), sent.token)

    @pytest.mark.parametrize("helo", [VICTIM, f"{VICTIM}(.{EVIL}", f"{VICTIM}'.{EVIL}", f"[{VICTIM}]"])
    def test_host_name_passes_for_nobody(self, world: World, helo: str) -> None:
        """With a null sender, SPF is asked about the name in EHLO."""
        sent = letter(CEO)
        with world.raw() as session:
            assert session.reply().startswith("220")
            if not session.ask(b"EHLO " + helo.encode()).startswith("250"):
                return
            reply = session.ask(b"MAIL FROM:<>")
            for command in (b"RCPT TO:<alice@mwa.com>", b"DATA", sent.raw + b"."):
                reply = session.ask(command) if reply[:1] in "23" else reply
        assert_not_believed(world, Reply("DATA", int(reply[:3]), reply), sent.token)

    @pytest.mark.parametrize("signer", **named(ODD_SIGNERS))
    def test_odd_signing_domain_passes_for_nobody_else(self, world: World, signer: bytes) -> None:
        sent = letter(CEO)
        reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), sign_as(sent.raw, signer))
        assert_not_believed(world, reply, sent.token)

    @pytest.mark.parametrize("selector", **named(ODD_SELECTORS))
    def test_odd_selector_passes_for_nobody_else(self, world: World, selector: bytes) -> None:
        sent = letter(CEO)
        raw = sign_as(sent.raw, EVIL.encode(), selector)
        assert_not_believed(world, world.attack(f"x@{EVIL}".encode(), ALICE.encode(), raw), sent.token)

    def test_identity_cannot_smuggle_a_verdict(self, world: World) -> None:
        """The i= tag of a good signature is free text before its @ (RFC 6376 3.5)."""
        for local_part in ("x;dkim=pass header.d=VICTIM", 'x"header.d=VICTIM', "x(", "x header.d=VICTIM"):
            sent = letter(CEO)
            raw = sign_as(sent.raw, EVIL.encode(), identity=local_part.replace("VICTIM", VICTIM))
            assert_not_believed(world, world.attack(f"x@{EVIL}".encode(), ALICE.encode(), raw), sent.token)


class TestMisleadingAuthors:
    @pytest.mark.parametrize("author", **named(MISLEADING_AUTHORS))
    def test_is_refused_or_judged_by_the_real_address(self, world: World, author: str) -> None:
        sent = letter(author)
        reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), sent.raw)
        assert_not_believed(world, reply, sent.token)

    @pytest.mark.parametrize("block", **named(MISLEADING_HEADERS))
    def test_headers_are_refused_or_judged_by_the_real_address(self, world: World, block: str) -> None:
        sent = letter("", headers=[block], without=["From"])
        reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), sent.raw)
        assert_not_believed(world, reply, sent.token)

    def test_second_author_before_a_good_signature_is_refused(self, world: World) -> None:
        signed = sign(letter(f"me@{STRICT.name}").raw, STRICT)
        for raw in (b"From: boss@mwa.com\r\n" + signed, b"From: x@attack.net\r\n" + signed):
            reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), raw)
            assert (reply.command, reply.code) == ("DATA", 550)

    def test_mail_without_an_author_is_refused(self, world: World) -> None:
        sent = letter("", without=["From"])
        reply = world.attack(f"x@{EVIL}".encode(), ALICE.encode(), sent.raw)
        assert (reply.command, reply.code) == ("DATA", 550)


class TestBrokenFilters:
    """Where something that judges is down, mail waits; it is never let through."""

    @pytest.mark.parametrize("service", ["opendkim", "opendmarc"])
    def test_mail_from_outside_waits(self, world: World, stopped: Callable, service: str) -> None:
        sent = letter(f"me@{STRICT.name}")
        with stopped(service):
            reply = world.send(f"me@{STRICT.name}", ALICE, sent.raw)
            assert reply.code == 451
        assert world.delivered("alice", sent.token) == []
        assert world.send(f"me@{STRICT.name}", ALICE, sent.raw).is_accepted
        assert verdicts(world.arrival("alice", sent.token), "dmarc") == ["pass"]

    def test_mail_of_users_waits_for_its_signature(self, world: World, stopped: Callable) -> None:
        sent = letter(ALICE, FRIEND)
        with stopped("opendkim"):
            try:
                with contextlib.closing(world.submit()) as smtp:
                    code = transact(smtp, ALICE, FRIEND, sent.raw).code
            except smtplib.SMTPResponseException as refused:
                code = refused.smtp_code
        assert 400 <= code < 500
        assert world.sink.having(sent.token) == []

    def test_mail_of_this_host_waits_for_its_signature(self, world: World, stopped: Callable) -> None:
        sent, later = letter(ALICE, FRIEND), letter(ALICE, FRIEND)
        with stopped("opendkim"):
            world.mx.run(["sendmail", "-f", ALICE, FRIEND], input=sent.raw.replace(b"\r\n", b"\n"))
            time.sleep(1)
            assert world.sink.having(sent.token) == []
        # The next message wakes the pickup service.
        world.mx.run(["sendmail", "-f", ALICE, FRIEND], input=later.raw.replace(b"\r\n", b"\n"))
        assert world.is_signed(world.sink.wait_for(later.token).raw)
        assert world.is_signed(world.sink.wait_for(sent.token, 90).raw)

    def test_users_mail_is_judged_by_nobody(self, world: World, stopped: Callable) -> None:
        """OpenDMARC has no part in submission."""
        sent = letter(ALICE, FRIEND)
        with stopped("opendmarc"), contextlib.closing(world.submit()) as smtp:
            assert transact(smtp, ALICE, FRIEND, sent.raw).is_accepted
        assert world.is_signed(world.sink.wait_for(sent.token).raw)

    def test_without_password_check_nobody_gets_in(self, world: World, stopped: Callable) -> None:
        with stopped("dovecot"), contextlib.closing(world.smtp()) as smtp:
            assert transact(smtp, f"me@{STRICT.name}", ALICE, letter(f"me@{STRICT.name}").raw).is_accepted
            with pytest.raises((smtplib.SMTPException, OSError)):
                world.submit().close()


@pytest.mark.usefixtures("no_dns")
class TestDeadDns:
    @pytest.fixture
    def no_dns(self, world: World) -> Iterator[None]:
        """The resolver does not answer."""
        world.outside.run(["systemctl", "stop", "named"])
        yield
        world.outside.run(["systemctl", "start", "named"])
        wait_for_names(world.outside)

    @pytest.mark.parametrize("sender", [CEO, f"x@{EVIL}", ""])
    def test_spoof_does_not_pass(self, world: World, sender: str) -> None:
        sent = letter(CEO)
        reply = world.send(sender, ALICE, sent.raw, ATTACKER[0])
        if reply.is_accepted:
            assert "pass" not in verdicts(world.arrival("alice", sent.token), "dmarc")
        else:
            assert 400 <= reply.code < 500

    def test_honest_mail_is_put_off_not_refused(self, world: World) -> None:
        sent = letter(f"me@{STRICT.name}")
        assert 400 <= world.send(f"me@{STRICT.name}", ALICE, sent.raw).code < 500

    def test_mail_of_users_is_kept_until_it_is_back(self, world: World) -> None:
        sent = letter(ALICE, FRIEND)
        with contextlib.closing(world.submit()) as smtp, world.logged("status=deferred"):
            assert transact(smtp, ALICE, FRIEND, sent.raw).is_accepted
        world.outside.run(["systemctl", "start", "named"])
        wait_for_names(world.outside)
        world.mx.run(["postqueue", "-f"])
        assert world.is_signed(world.sink.wait_for(sent.token).raw)


@pytest.fixture
def stopped(world: World) -> Callable[[str], contextlib.AbstractContextManager[None]]:
    """`with stopped("opendkim"):` a service of the server is down meanwhile, and up again afterwards."""

    @contextlib.contextmanager
    def stop(service: str) -> Iterator[None]:
        world.mx.run(["systemctl", "stop", service])
        try:
            yield
        finally:
            world.mx.run(["systemctl", "start", service])
            path = MILTER_SOCKETS.get(service, "/var/spool/postfix/private/auth")
            assert wait_until(lambda: accepts(world, path), 15), f"{service} does not come back"

    return stop


def accepts(world: World, socket_path: str) -> bool:
    """Whether somebody answers on a UNIX socket of the server."""
    script = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    return world.mx.run(["python3", "-c", script, socket_path], check=False).status == 0


def plain(login: str, password: str, *, as_whom: str = "") -> bytes:
    """A response of SASL PLAIN (RFC 4616)."""
    return base64.b64encode(f"{as_whom}\0{login}\0{password}".encode())


def submit_raw(world: World, raw: bytes, *, ends_itself: bool = False) -> Reply:
    """Submit as alice to FRIEND, each octet as given."""
    with contextlib.closing(world.submit("alice")) as smtp:
        smtp.docmd("MAIL", f"FROM:<{ALICE}>")
        smtp.docmd("RCPT", f"TO:<{FRIEND}>")
        assert smtp.docmd("DATA")[0] == 354
        smtp.send(raw if ends_itself else raw + b"\r\n.\r\n")
        code, words = smtp.getreply()
        return Reply("DATA", code, words.decode(errors="replace"))


def begin(session: RawSession, sender: str, recipient: str) -> None:
    """The commands before DATA."""
    assert session.ask(b"MAIL FROM:<%s>" % sender.encode()).startswith("250")
    assert session.ask(b"RCPT TO:<%s>" % recipient.encode()).startswith("250")


def smuggled_session(recipient: str, raw: bytes) -> bytes:
    """The commands that a smuggler hides in a message, and the message that they would send."""
    return b"MAIL FROM:<x@%s>\r\nRCPT TO:<%s>\r\nDATA\r\n%s" % (EVIL.encode(), recipient.encode(), raw)


def assert_no_second_message(world: World, token: str, smuggled_token: str) -> None:
    """At most one message came of it, and what was hidden is only text in it."""
    world.settle()
    assert len(world.delivered("alice", token)) <= 1
    for raw in world.delivered("alice", smuggled_token):
        assert headers(raw, "Subject") == [f"letter {token}"]


def assert_not_believed(world: World, reply: Reply, token: str) -> None:
    """Refused; or delivered as mail of the attacker's own domain, with no good word about VICTIM."""
    if not reply.is_accepted:
        assert reply.code >= 400, reply
        assert world.delivered("alice", token) == []
        return
    raw = world.arrival("alice", token)
    results = " ".join(headers(raw, "Authentication-Results"))
    assert re.findall(r"\bdmarc=(\w+) \([^)]*\) header\.from=(\S+)", results) == [("none", EVIL)], results
    assert author_lines(raw) == 1
    assert [address.rpartition("@")[2] for _, address in getaddresses(headers(raw, "From"))] == [EVIL]


def assert_author_is_alice(world: World, reply: Reply, token: str) -> None:
    """Refused; or sent with her address, and a signature, and no other."""
    if not reply.is_accepted:
        assert reply.code == 550
        return
    raw = world.sink.wait_for(token).raw
    assert author_lines(raw) == 1
    assert getaddresses(headers(raw, "From")) == [("", ALICE)]
    assert world.is_signed(raw)


def author_lines(raw: bytes) -> int:
    """How many lines of the header could be taken for From."""
    return len(re.findall(rb"(?im)^from[ \t\0]*:", re.split(rb"\r?\n\r?\n", raw)[0]))


def bears_our_name(verdict: str) -> bool:
    """Whether a reader who forgives everything could take the header for ours."""
    without_comments = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", verdict))
    name = re.sub(r'["\\\0]|\s*(?=\.)|(?<=\.)\s*', "", without_comments.partition(";")[0]).strip().lower()
    return re.match(rf"{re.escape(HOSTNAME)}($|[^a-z-])", name) is not None


def with_header(raw: bytes, header: str, place: str) -> bytes:
    """The message with one more header, before or after all others."""
    if place == "first":
        return header.encode() + b"\r\n" + raw
    return raw.replace(b"\r\n\r\n", b"\r\n" + header.encode() + b"\r\n\r\n", 1)
