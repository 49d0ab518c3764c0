"""Mail as people send it: it goes out signed, comes in judged, and reaches who it is for."""

from __future__ import annotations

import contextlib
import re

import pytest
from converged import DOMAIN, HOSTNAME, PASSWORDS
from mail_world import (
    ALICE,
    BOB,
    CAROL,
    SALES,
    World,
    headers,
    letter,
    parsed,
    transact,
    unverified,
    verdicts,
)
from strangers import (
    ATTACK,
    ATTACKER,
    CAUTIOUS,
    FARAWAY,
    HONEST,
    SILENT,
    STRICT,
    WATCHING,
    Stranger,
    sign,
)

pytest_plugins = ("mail_hosts",)

FRIEND = f"friend@{FARAWAY.name}"
MEGABYTE = 1024 * 1024


class TestSubmission:
    """Our users' mail (RFC 6409)."""

    @pytest.mark.parametrize("port", [587, 465])
    @pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
    def test_goes_out_signed_and_encrypted(self, world: World, port: int, mechanism: str) -> None:
        sent = letter(ALICE, FRIEND)
        with contextlib.closing(world.smtp(port)) as smtp:
            if port == 587:
                smtp.starttls(context=unverified())
            smtp.ehlo()
            smtp.user, smtp.password = "alice", PASSWORDS["alice"]
            method = smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login
            assert smtp.auth(mechanism, method)[0] == 235
            with world.logged(r"opendkim.*DKIM-Signature field added \(s=default, d=mwa\.com\)"):
                assert transact(smtp, ALICE, [FRIEND, BOB], sent.raw).is_accepted
        taken = world.sink.wait_for(sent.token)
        assert taken.tls_version.startswith("TLSv1.")
        assert (taken.envelope_from, taken.recipients) == (ALICE, (FRIEND,))
        assert world.is_signed(taken.raw)
        assert world.is_signed(world.arrival("bob", sent.token))

    @pytest.mark.parametrize("login", ["alice", "Alice", ALICE, "ALICE@MWA.COM"])
    @pytest.mark.parametrize("client", HONEST, ids=["IPv4", "IPv6"])
    def test_takes_every_form_of_a_login(self, world: World, login: str, client: str) -> None:
        sent = letter(ALICE, BOB)
        with contextlib.closing(world.submit(login, client=client)) as smtp:
            assert transact(smtp, ALICE, BOB, sent.raw).is_accepted
        assert world.is_signed(world.arrival("bob", sent.token))

    @pytest.mark.parametrize("port", [587, 465])
    def test_tells_nothing_of_the_author_s_machine(self, world: World, port: int) -> None:
        extra = ["User-Agent: Teapot/4.18", "X-Mailer: Teapot", "X-Originating-IP: [192.168.7.7]"]
        sent = letter(ALICE, FRIEND, headers=extra)
        for client in HONEST:
            with contextlib.closing(world.submit(port=port, client=client)) as smtp:
                assert transact(smtp, ALICE, FRIEND, sent.raw).is_accepted
        world.settle()
        received = world.sink.having(sent.token)
        assert len(received) == 2
        for taken in received:
            head = taken.raw.partition(b"\r\n\r\n")[0]
            for secret in (b"10.99.0.20", b"fd99::20", b"Teapot", b"192.168.7.7", b"authenticated"):
                assert secret not in head
            assert len(headers(taken.raw, "Received")) == 1
            assert headers(taken.raw, "Subject") == [f"letter {sent.token}"]
            assert world.is_signed(taken.raw)

    def test_completes_date_and_message_id_before_signing(self, world: World) -> None:
        """RFC 6409 8."""
        sent = letter(ALICE, FRIEND, without=["Date", "Message-ID"])
        with contextlib.closing(world.submit()) as smtp:
            assert transact(smtp, ALICE, FRIEND, sent.raw).is_accepted
        raw = world.sink.wait_for(sent.token).raw
        assert len(headers(raw, "Date")) == 1
        assert re.fullmatch(r"<[^@ ]+@mail\.mwa\.com>", headers(raw, "Message-ID")[0])
        assert world.is_signed(raw)

    @pytest.mark.parametrize("login", ["alice", "bob"])
    @pytest.mark.parametrize("author", ["sales@mwa.com", "Sales@MWA.com", "sales+spring@mwa.com"])
    def test_owners_of_an_alias_write_as_it(self, world: World, login: str, author: str) -> None:
        sent = letter(f"Sales <{author}>", FRIEND)
        with contextlib.closing(world.submit(login)) as smtp:
            assert transact(smtp, author, FRIEND, sent.raw).is_accepted
        assert world.is_signed(world.sink.wait_for(sent.token).raw)

    @pytest.mark.parametrize(
        "author",
        [
            "alice+shop@mwa.com",
            "Alice@mwa.com",
            "alice@mail.mwa.com",
            '"Liddell, Alice" <alice@mwa.com>',
            "=?utf-8?q?Al=C3=AFce?= (of Wonderland) <alice@mwa.com>",
        ],
    )
    def test_takes_every_form_of_ones_own_address(self, world: World, author: str) -> None:
        sent = letter(author, FRIEND)
        with contextlib.closing(world.submit()) as smtp:
            assert transact(smtp, ALICE, FRIEND, sent.raw).is_accepted
        assert world.is_signed(world.sink.wait_for(sent.token).raw)

    def test_completes_an_author_without_a_domain(self, world: World) -> None:
        sent = letter("Alice <alice>", FRIEND)
        with contextlib.closing(world.submit()) as smtp:
            assert transact(smtp, ALICE, FRIEND, sent.raw).is_accepted
        raw = world.sink.wait_for(sent.token).raw
        assert headers(raw, "From") == [f"Alice <{ALICE}>"]
        assert world.is_signed(raw)

    def test_extended_sender_is_ones_own(self, world: World) -> None:
        sent = letter("alice+shop@mwa.com", FRIEND)
        with contextlib.closing(world.submit()) as smtp:
            assert transact(smtp, "alice+shop@mwa.com", FRIEND, sent.raw).is_accepted
        assert world.sink.wait_for(sent.token).envelope_from == "alice+shop@mwa.com"

    def test_takes_eight_bit_text(self, world: World) -> None:
        """RFC 6152."""
        sent = letter(ALICE, FRIEND, headers=["Content-Type: text/plain; charset=utf-8"], body="Grüße\r\n")
        with contextlib.closing(world.submit()) as smtp:
            smtp.ehlo_or_helo_if_needed()
            assert smtp.docmd("MAIL", f"FROM:<{ALICE}> BODY=8BITMIME")[0] == 250
            assert smtp.docmd("RCPT", f"TO:<{FRIEND}>")[0] == 250
            assert smtp.data(sent.raw)[0] == 250
        raw = world.sink.wait_for(sent.token).raw
        assert "Grüße".encode() in raw
        assert world.is_signed(raw)

    def test_takes_addresses_in_other_scripts(self, world: World) -> None:
        """RFC 6531."""
        friend = f"μαρία@{FARAWAY.name}"
        sent = letter("Ἀλίκη <alice@mwa.com>", friend)
        with contextlib.closing(world.submit()) as smtp:
            smtp.ehlo()
            assert smtp.docmd("MAIL", f"FROM:<{ALICE}> SMTPUTF8 BODY=8BITMIME")[0] == 250
            smtp.send(f"RCPT TO:<{friend}>\r\n".encode())
            assert smtp.getreply()[0] == 250
            assert smtp.data(sent.raw)[0] == 250
        taken = world.sink.wait_for(sent.token)
        assert taken.recipients == (friend,)
        assert world.is_signed(taken.raw)

    def test_large_message_is_taken_and_a_larger_one_refused(self, world: World) -> None:
        line = b"0123456789" * 7 + b"\r\n"
        sent = letter(CAROL, CAROL)
        with contextlib.closing(world.submit("carol")) as smtp:
            large = sent.raw + line * (20 * MEGABYTE // len(line))
            assert transact(smtp, CAROL, CAROL, large).is_accepted
            too_large = sent.raw + line * (26 * MEGABYTE // len(line))
            refused = transact(smtp, CAROL, CAROL, too_large)
            assert (refused.command, refused.code) == ("DATA", 552)
        raw = world.arrival("carol", sent.token)
        assert len(raw) > 19 * MEGABYTE
        assert world.is_signed(raw)
        world.mx.run(["truncate", "--size=0", "/var/mail/carol"])

    def test_announced_size_over_the_limit_is_refused_at_once(self, world: World) -> None:
        """RFC 1870 6.1."""
        with contextlib.closing(world.submit()) as smtp:
            smtp.ehlo()
            assert smtp.esmtp_features["size"] == str(25 * MEGABYTE)
            assert smtp.docmd("MAIL", f"FROM:<{ALICE}> SIZE={26 * MEGABYTE}")[0] == 552


class TestFromThisHost:
    def test_mail_of_an_account_is_signed(self, world: World) -> None:
        token = letter(ALICE).token
        script = f"echo hello | runuser -u alice -- mail -s 'letter {token}' {FRIEND}"
        world.mx.sh(script)
        taken = world.sink.wait_for(token)
        assert taken.envelope_from == ALICE
        assert parsed(taken.raw)["From"].addresses[0].addr_spec == ALICE
        assert world.is_signed(taken.raw)

    def test_mail_to_root_reaches_the_admin(self, world: World) -> None:
        """As cron sends it: an unqualified name, from root."""
        token = letter(ALICE).token
        world.mx.sh(f"printf 'Subject: cron {token}\\n\\nIt failed.\\n' | /usr/sbin/sendmail root")
        raw = world.arrival("alice", token)
        assert parsed(raw)["From"].addresses[0].addr_spec == f"root@{DOMAIN}"
        assert world.is_signed(raw)


class TestRecipients:
    @pytest.mark.parametrize(
        "recipient",
        [
            ALICE,
            "Alice@MWA.com",
            f"alice@{HOSTNAME}",
            "alice+tag@mwa.com",
            "root@mwa.com",
            "postmaster@mwa.com",
            "Postmaster",
            "abuse@mwa.com",
        ],
    )
    def test_reaches_alice(self, world: World, recipient: str) -> None:
        sent = letter(f"me@{STRICT.name}", recipient)
        assert world.send(f"me@{STRICT.name}", recipient, sent.raw).is_accepted
        world.arrival("alice", sent.token)

    def test_an_alias_reaches_everyone_once(self, world: World) -> None:
        sent = letter(f"me@{STRICT.name}", SALES)
        assert world.send(f"me@{STRICT.name}", [SALES, "sales+offer@mwa.com", ALICE], sent.raw).is_accepted
        world.settle()
        assert len(world.delivered("bob", sent.token)) >= 1
        assert len(world.delivered("alice", sent.token)) >= 1
        assert world.delivered("carol", sent.token) == []

    def test_carries_the_sender_in_return_path(self, world: World) -> None:
        sent = letter(f"me@{STRICT.name}")
        assert world.send(f"me@{STRICT.name}", ALICE, sent.raw).is_accepted
        assert headers(world.arrival("alice", sent.token), "Return-Path") == [f"<me@{STRICT.name}>"]


class TestHonestMail:
    """From outside, authenticated by SPF, by DKIM, or by both (RFC 7489 4.2)."""

    @pytest.mark.parametrize("domain", [STRICT, CAUTIOUS, WATCHING], ids=lambda domain: domain.dmarc[10:])
    @pytest.mark.parametrize("client", HONEST, ids=["IPv4", "IPv6"])
    def test_passes_by_spf(self, world: World, domain: Stranger, client: str) -> None:
        sent = letter(f"me@{domain.name}")
        assert world.send(f"me@{domain.name}", ALICE, sent.raw, client).is_accepted
        raw = world.arrival("alice", sent.token)
        assert verdicts(raw, "dmarc") == ["pass"]
        assert verdicts(raw, "spf") == ["pass"]
        assert verdicts(raw, "dkim") == ["none"]

    @pytest.mark.parametrize("client", ATTACKER, ids=["IPv4", "IPv6"])
    def test_passes_by_dkim_where_it_was_forwarded(self, world: World, client: str) -> None:
        """SPF fails: it comes from where the domain's own mail never comes from."""
        sent = letter(f"me@{STRICT.name}")
        assert world.send(f"me@{STRICT.name}", ALICE, sign(sent.raw, STRICT), client).is_accepted
        raw = world.arrival("alice", sent.token)
        assert verdicts(raw, "dmarc") == ["pass"]
        assert verdicts(raw, "dkim")[0] == "pass"
        assert verdicts(raw, "spf") == ["fail"]

    def test_passes_by_dkim_from_a_mailing_list(self, world: World) -> None:
        """The list's own envelope sender, the author's signature."""
        sent = letter(f"me@{STRICT.name}")
        raw = sign(sent.raw, STRICT)
        assert world.send(f"list@{ATTACK.name}", ALICE, raw, ATTACKER[0]).is_accepted
        assert verdicts(world.arrival("alice", sent.token), "dmarc") == ["pass"]

    @pytest.mark.parametrize(
        "local_part",
        ["pat.o'brien", "bounce+alice=mwa.com", "SRS0=xy=ab=faraway.net=me", "prvs=1/2", "#1_{x}~y"],
    )
    def test_from_an_unusual_address_passes(self, world: World, local_part: str) -> None:
        """Legal, and met every day."""
        sent = letter(f"me@{STRICT.name}")
        sender = f"{local_part}@{STRICT.name}"
        assert world.send(sender, ALICE, sign(sent.raw, STRICT)).is_accepted
        assert verdicts(world.arrival("alice", sent.token), "dmarc") == ["pass"]

    def test_from_an_address_in_another_script_passes(self, world: World) -> None:
        """RFC 6531; the domain is in ASCII."""
        author = f"μαρία@{STRICT.name}"
        sent = letter(author)
        with world.raw(client=HONEST[0]) as session:
            session.greeted()
            commands = (f"MAIL FROM:<{author}> SMTPUTF8 BODY=8BITMIME", f"RCPT TO:<{ALICE}>", "DATA")
            assert [session.ask(command.encode())[:3] for command in commands] == ["250", "250", "354"]
            assert session.ask(sent.raw + b".").startswith("250")
        raw = world.arrival("alice", sent.token)
        assert author.encode() in raw
        assert verdicts(raw, "dmarc") == ["pass"]

    def test_from_a_domain_without_any_record_is_delivered(self, world: World) -> None:
        sent = letter(FRIEND)
        assert world.send(FRIEND, ALICE, sent.raw).is_accepted
        assert verdicts(world.arrival("alice", sent.token), "dmarc") == ["none"]

    def test_bounce_is_delivered(self, world: World) -> None:
        """The null sender; SPF is asked about the name in EHLO (RFC 7208 2.4)."""
        sent = letter(f"MAILER-DAEMON@{STRICT.name}")
        reply = world.send("", ALICE, sign(sent.raw, STRICT))
        assert reply.is_accepted
        raw = world.arrival("alice", sent.token)
        assert headers(raw, "Return-Path") == ["<>"]
        assert verdicts(raw, "dmarc") == ["pass"]

    def test_encrypted_delivery_on_port_25(self, world: World) -> None:
        sent = letter(f"me@{STRICT.name}")
        with contextlib.closing(world.smtp()) as smtp:
            smtp.starttls(context=unverified())
            assert transact(smtp, f"me@{STRICT.name}", ALICE, sent.raw).is_accepted
        assert "using TLSv1." in headers(world.arrival("alice", sent.token), "Received")[0]

    def test_keeps_headers_and_foreign_verdicts_as_they_are(self, world: World) -> None:
        """Nothing that a signature may cover is touched."""
        extra = ["User-Agent: Teapot/4.18", "Authentication-Results: mx.faraway.net; spf=neutral"]
        sent = letter(f"me@{STRICT.name}", headers=extra)
        assert world.send(f"me@{STRICT.name}", ALICE, sign(sent.raw, STRICT), ATTACKER[0]).is_accepted
        raw = world.arrival("alice", sent.token)
        assert headers(raw, "User-Agent") == ["Teapot/4.18"]
        assert "mx.faraway.net; spf=neutral" in headers(raw, "Authentication-Results")
        assert verdicts(raw, "dmarc") == ["pass"]


class TestDishonestMail:
    """From outside, and not from who it says."""

    @pytest.mark.parametrize("client", ATTACKER, ids=["IPv4", "IPv6"])
    @pytest.mark.parametrize("author", [f"ceo@{STRICT.name}", f"ceo@mail.{STRICT.name}"])
    def test_is_refused_where_the_domain_asks_for_it(self, world: World, author: str, client: str) -> None:
        """p=reject; a subdomain without a record of its own inherits it (RFC 7489 6.6.3)."""
        sent = letter(author)
        with world.logged(r"opendmarc.*: .*strict\.org fail", r"milter-reject: END-OF-MESSAGE.* 5\.7\.1"):
            reply = world.send(f"x@{ATTACK.name}", ALICE, sent.raw, client)
        assert (reply.command, reply.code) == ("DATA", 550)
        assert "DMARC" in reply.text
        world.settle()
        assert world.delivered("alice", sent.token) == []

    @pytest.mark.parametrize(
        ("domain", "disposition"),
        [(CAUTIOUS, "p=quarantine"), (WATCHING, "p=none")],
        ids=lambda value: str(value),
    )
    def test_is_delivered_and_marked_elsewhere(
        self, world: World, domain: Stranger, disposition: str
    ) -> None:
        sent = letter(f"ceo@{domain.name}")
        assert world.send(f"ceo@{domain.name}", ALICE, sent.raw, ATTACKER[0]).is_accepted
        raw = world.arrival("alice", sent.token)
        assert verdicts(raw, "dmarc") == ["fail"]
        assert verdicts(raw, "spf") == ["fail"]
        assert any(disposition in value for value in headers(raw, "Authentication-Results"))

    def test_of_ourselves_is_refused(self, world: World) -> None:
        """Our own domain has p=reject as well."""
        sent = letter(BOB)
        reply = world.send(BOB, ALICE, sent.raw, ATTACKER[0])
        assert reply.code == 550
        world.settle()
        assert world.delivered("alice", sent.token) == []

    def test_broken_signature_does_not_pass(self, world: World) -> None:
        sent = letter(f"me@{STRICT.name}", body="Pay account 1.\r\n")
        raw = sign(sent.raw, STRICT).replace(b"account 1", b"account 2")
        reply = world.send(f"x@{ATTACK.name}", ALICE, raw, ATTACKER[0])
        assert (reply.command, reply.code) == ("DATA", 550)

    def test_signature_of_another_domain_does_not_pass(self, world: World) -> None:
        sent = letter(f"ceo@{STRICT.name}")
        reply = world.send(f"x@{ATTACK.name}", ALICE, sign(sent.raw, ATTACK), ATTACKER[0])
        assert (reply.command, reply.code) == ("DATA", 550)

    @pytest.mark.parametrize("client", [*HONEST, *ATTACKER])
    def test_domain_that_never_sends_is_refused_at_rcpt(self, world: World, client: str) -> None:
        """ "v=spf1 -all" """
        sent = letter(f"me@{SILENT.name}")
        with world.logged("policyd-spf.*silent.org"):
            reply = world.send(f"me@{SILENT.name}", ALICE, sent.raw, client)
        assert (reply.command, reply.code) == ("RCPT", 550)

    @pytest.mark.parametrize("name", [SILENT.name.upper(), f"{SILENT.name}."])
    def test_domain_that_never_sends_is_refused_however_written(self, world: World, name: str) -> None:
        """In capitals it is the same; a final dot is no syntax of SMTP's (RFC 5321 4.1.2)."""
        sent = letter(f"me@{ATTACK.name}")
        reply = world.send(f"me@{name}", ALICE, sent.raw, ATTACKER[0])
        assert (reply.command, reply.code) == (("MAIL", 501) if name.endswith(".") else ("RCPT", 550))

    @pytest.mark.parametrize("name", [SILENT.name, SILENT.name.upper()])
    def test_host_with_the_name_of_such_a_domain_is_refused(self, world: World, name: str) -> None:
        """The name in EHLO (RFC 7208 2.3)."""
        sent = letter(f"me@{ATTACK.name}")
        reply = world.send(f"me@{ATTACK.name}", ALICE, sent.raw, ATTACKER[0], helo=name)
        assert (reply.command, reply.code) == ("RCPT", 550)


class TestBounces:
    def test_of_a_user_s_message_comes_back_signed(self, world: World) -> None:
        sent = letter(ALICE, f"nobody@{FARAWAY.name}")
        with contextlib.closing(world.submit()) as smtp:
            assert transact(smtp, ALICE, f"nobody@{FARAWAY.name}", sent.raw).is_accepted
        raw = world.arrival("alice", sent.token)
        assert headers(raw, "Return-Path") == ["<>"]
        assert "550 5.1.1 no such user here" in re.sub(r"\s+", " ", raw.decode())
        assert world.is_signed(raw)

    def test_to_a_stranger_goes_out_signed(self, world: World) -> None:
        """The alias `away` leads to an address that its server refuses."""
        sent = letter(f"me@{STRICT.name}", "away@mwa.com")
        assert world.send(f"me@{STRICT.name}", "away@mwa.com", sent.raw).is_accepted
        taken = world.sink.wait_for(sent.token)
        assert (taken.envelope_from, taken.recipients) == ("", (f"me@{STRICT.name}",))
        assert world.is_signed(taken.raw)


def test_logs_have_no_error_and_no_warning_about_the_set_up(world: World) -> None:
    """After whatever ran before: what a person reads in the log is about mail, not about settings."""
    log = world.mx.read("/var/log/mail.log")
    wrong = re.compile(
        r"postfix[^:]*: (fatal|panic|error):|warning: .*(main\.cf|master\.cf|unused|not secure)"
    )
    assert [line for line in log.splitlines() if wrong.search(line)] == []


def test_plan_is_empty_all_the_while(world: World) -> None:
    """The hosts under test are what mailkeel wants them to be: nothing here is of the test's own making."""
    done = world.mx.run(["mailkeel", "plan", "/root/mail.toml"], check=False)
    assert (done.status, "Nothing to do" in done.stdout) == (0, True), done.stdout + done.stderr
