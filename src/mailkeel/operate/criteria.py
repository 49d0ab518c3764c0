"""What each criterion of the proof means, for `mailkeel explain ID`: what it looks at, why one fails, what
to do. What was observed on this host is in the proof itself."""

from __future__ import annotations

import attrs


@attrs.frozen
class Criterion:
    """A criterion by its id. `title` says what holds where it passes."""

    id: str
    title: str
    cause: str
    solution: str
    prevention: str


_LEAVE = "change the specification and run `mailkeel apply`, rather than the daemons' files"
_TIMER = "run `mailkeel prove` now and then, by cron or a timer"
_WATCH = f"{_TIMER}: it sees when a record goes"
_PUBLISH = (
    "publish what `mailkeel dns records` shows, then repeat `mailkeel dns check` until every record is "
    "seen as wanted"
)

CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "V1",
        "Postfix is installed, enabled and answers",
        "Postfix is stopped, would not come up at boot, or does not greet on its ports",
        "`systemctl status postfix 'postfix@-'`; have the last fatal line of /var/log/mail.log explained; "
        "`mailkeel apply` starts and enables it",
        _LEAVE,
    ),
    Criterion(
        "O1",
        "Every daemon is installed, enabled and answers",
        "OpenDKIM, OpenDMARC, Dovecot or rsyslog is stopped, not enabled, or does not answer on its socket",
        "`systemctl status NAME` for the one that the proof names; `mailkeel apply` starts and enables it",
        _LEAVE,
    ),
    Criterion(
        "P1",
        "Postfix starts in less than 5 s",
        "the host is busy, or a daemon waits for DNS or the disk while it starts",
        "time `systemctl restart postfix`; see `systemd-analyze blame` and whether the resolver answers",
        "run a resolver on this host",
    ),
    Criterion(
        "B6",
        "Every domain has a signing key that only OpenDKIM can read",
        "a key is missing or damaged, or its owner or mode was changed: OpenDKIM then signs nothing",
        "`mailkeel apply` sets owner and modes right and makes a missing key anew, whose record must be "
        "published",
        "leave /etc/opendkim to mailkeel; keep a backup of its keys where only you can read it",
    ),
    Criterion(
        "I3",
        "The TLS certificate bears this host's name",
        "it was not renewed, ends within a month, or was made for another name",
        "renew it, or name another in [tls]; a self-signed one is renewed by `mailkeel apply`",
        "let certbot or your ACME client renew it by its timer",
    ),
    Criterion(
        "M2",
        "A message is delivered to an account of this host within 5 s (P2)",
        "Postfix refused the test message, or a milter, DNS or the mailbox held it up",
        "`postqueue -p`, and the message's lines in /var/log/mail.log; have the last one explained",
        _TIMER,
    ),
    Criterion(
        "A2",
        "Mail from here is signed, and the signature verifies",
        "OpenDKIM could not sign: key missing, of the wrong owner or mode, or OpenDKIM does not run",
        "have opendkim's last line in /var/log/mail.log explained; `mailkeel apply` sets keys and modes "
        "right",
        "leave /etc/opendkim to mailkeel",
    ),
    Criterion(
        "P3",
        "Signing adds less than 100 ms to a message",
        "the host is busy, or a milter waits for DNS, or speaks over TCP instead of its UNIX socket",
        "see the load (`uptime`) and whether the resolver in /etc/resolv.conf answers",
        "run a resolver on this host",
    ),
    Criterion(
        "A1",
        "The SPF of mail from outside is checked",
        "policyd-spf does not start or does not answer on its socket",
        "run `/usr/bin/policyd-spf` by hand and press Enter: an error in its configuration shows",
        "leave /etc/postfix-policyd-spf-python to mailkeel",
    ),
    Criterion(
        "S1",
        "Passwords are taken inside TLS only, and wrong ones are refused",
        "a listener offers AUTH in clear or on port 25, or Dovecot does not check passwords",
        "`postconf -M` and `postconf -P` show the listeners; `systemctl status dovecot`",
        _LEAVE,
    ),
    Criterion(
        "S2",
        "It is no open relay",
        "smtpd_relay_restrictions or mynetworks lets strangers send to strangers, or nothing could be "
        "asked from here",
        "`mailkeel plan` shows which setting differs; from another host: swaks --to a@example.org "
        "--server HOST",
        _LEAVE,
    ),
    Criterion(
        "P4",
        "The queue is processed within a minute",
        "deliveries take too long, or Postfix does not run",
        "`postqueue -p` shows each message and why it waits",
        _TIMER,
    ),
    Criterion(
        "V7",
        "Postfix has logged no error since the last change",
        "Postfix met something it could not handle, or nothing writes the mail log",
        "`mailkeel explain 'LINE'` with the line that the proof shows",
        _LEAVE,
    ),
    Criterion(
        "V8",
        "The relay accepts our credentials",
        "name or password is wrong or was changed, the relay cannot be reached, or TLS to it fails",
        "correct the credentials file, then `mailkeel apply`; `mailkeel explain relay-auth-failed` says more",
        "use a password made for this host alone",
    ),
    Criterion(
        "A4",
        "MX and address records lead here",
        "an MX, A or AAAA record is not published, or leads elsewhere: nobody can write to the domain",
        _PUBLISH,
        _WATCH,
    ),
    Criterion(
        "V2",
        "DKIM keys and their DNS records match",
        "the record of a key is not published, or is of another key; receivers then see a failed signature",
        _PUBLISH,
        _WATCH,
    ),
    Criterion(
        "V3",
        "The SPF record is in DNS and authorises this host",
        "there is no SPF record, there are two, or it does not name an address of this host",
        "`mail-spf-check DOMAIN` shows the record and its verdict; publish what `mailkeel dns records` shows",
        _WATCH,
    ),
    Criterion(
        "V4",
        "A DMARC policy is in DNS",
        "there is no v=DMARC1 record at _dmarc.DOMAIN, or it says something else than the specification",
        _PUBLISH,
        _WATCH,
    ),
    Criterion(
        "V5",
        "A test message reaches another domain",
        "nothing was sent yet (what arrives elsewhere cannot be seen from here), or it was refused or "
        "held up",
        "write from your domain to a mailbox of yours elsewhere; `postqueue -p` says why if it is late",
        "write there now and then, and after each change",
    ),
    Criterion(
        "V6",
        "Its signature verifies at the receiver",
        "nothing was sent yet, or the receiver could not verify: record missing, or the message changed "
        "on its way",
        "read Authentication-Results in the headers at the receiver; compare with V2 of the proof",
        _WATCH,
    ),
)


def criterion(text: str) -> Criterion | None:
    """Give the criterion with this id, in whatever case."""
    wanted = text.strip().upper()
    return next((one for one in CRITERIA if one.id == wanted), None)
