"""Criteria that can be seen on the host itself: daemons, keys, certificate, delivery, logs, queue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from mailkeel.daemons.certificate import pair
from mailkeel.daemons.opendkim import key_path
from mailkeel.host.keys import covers
from mailkeel.prove.context import Context
from mailkeel.prove.evidence import Evidence, Verdict
from mailkeel.prove.message import verify_signature

_MAIL_LOG = "/var/log/mail.log"

#: As much of it is read; on a busy host the last minutes, on others months.
_LOG_OCTETS = 16 * 1024 * 1024
_GOOD, _BAD, _UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def postfix_runs(context: Context) -> Evidence:
    """V1: installed, enabled, and it answers as an SMTP server does."""
    return _service(context, "V1", "Postfix is installed, enabled and answers", ("postfix",))


def daemons_run(context: Context) -> Evidence:
    """O1: likewise every other daemon of the mode."""
    names = tuple(service.name for service in context.desired.services if service.name != "postfix")
    return _service(context, "O1", "Every daemon is installed, enabled and answers", names)


def _service(context: Context, id_: str, title: str, names: tuple[str, ...]) -> Evidence:
    services = [service for service in context.desired.services if service.name in names]
    states = context.host.service_states(services)
    seen: dict[str, str] = {}
    for service in services:
        state = states[service.name]
        complaints = [words for probe in service.probes if (words := context.host.probe(probe))]
        complaints += [] if state.is_active else ["its service manager says that it is not running"]
        complaints += [] if state.is_enabled else ["it would not come up at boot"]
        seen[service.name] = "; ".join(complaints) or "active, enabled, answers"
    bad = {name: words for name, words in seen.items() if words != "active, enabled, answers"}
    return Evidence(
        id_,
        title,
        _BAD if bad else _GOOD,
        f"{', '.join(names)}: active, enabled, answering",
        "; ".join(f"{name}: {words}" for name, words in (bad or seen).items()),
        {"services": seen, "answers_on": [probe.target for service in services for probe in service.probes]},
        "a daemon is stopped, not enabled, or does not answer",
        "see /var/log/mail.log for its reason, mend it, then run `mailkeel apply`",
        "change its configuration only through the specification: it is checked before it goes live",
    )


def delivered_here(context: Context) -> Evidence:
    """M2, P2: a message given to Postfix is in the account's mailbox within 5 s."""
    message = context.message
    seconds = message.accept_seconds + message.delivery_seconds
    is_good = message.has_arrived and seconds < 5
    where = f"in the mailbox after {seconds:.2f} s" if message.has_arrived else "never in the mailbox"
    return Evidence(
        "M2",
        "A message is delivered to an account of this host within 5 s (P2)",
        _GOOD if is_good else _BAD,
        "accepted with 250 and in /var/mail within 5 s",
        f"{message.reply}; {where}",
        {"reply": message.reply, "seconds": round(seconds, 3), "token": message.token},
        "Postfix refused the message, or a filter or the delivery holds it up",
        f"look for {message.token} in {_MAIL_LOG}, and at `postqueue -p`",
        "let `mailkeel prove` run by a timer",
    )


def signed(context: Context) -> Evidence:
    """A2: the message that went through Postfix and OpenDKIM verifies against the key wanted in DNS."""
    message = context.message
    key = (context.spec.primary.name, context.spec.primary.dkim.selector)
    name = f"{key[1]}._domainkey.{key[0]}"
    record = f"v=DKIM1; h=sha256; k=rsa; p={context.public_halves.get(key, '')}".encode()
    wrong = verify_signature(message.raw, {name: record}.get) if message.has_arrived else "no message arrived"
    header = re.search(rb"^DKIM-Signature:.*?(?=^\S)", message.raw, re.DOTALL | re.MULTILINE)
    return Evidence(
        "A2",
        "Mail from here is signed, and the signature verifies",
        _BAD if wrong else _GOOD,
        f"a DKIM-Signature that dkimpy verifies with the key of {name}",
        wrong or f"verified by dkimpy with the record wanted at {name}",
        {"signature": header.group().decode(errors="replace") if header else "", "record": record.decode()},
        "OpenDKIM could not sign: its key is missing, of the wrong owner or mode, or it does not run",
        f"see what opendkim says in {_MAIL_LOG}; `mailkeel apply` sets keys and modes right",
        "leave /etc/opendkim to mailkeel",
    )


def signing_is_quick(context: Context) -> Evidence:
    """P3: the end of DATA to 250, all filters included, is an upper bound for signing."""
    milliseconds = context.message.accept_seconds * 1000
    verdict = _UNKNOWN if not context.message.has_arrived else _GOOD if milliseconds < 100 else _BAD
    return Evidence(
        "P3",
        "Signing adds less than 100 ms to a message",
        verdict,
        "less than 100 ms from the end of DATA to the 250",
        f"{milliseconds:.0f} ms" if context.message.has_arrived else "no message was accepted",
        {"milliseconds": round(milliseconds, 1)},
        "the host is busy, or a filter waits for DNS",
        "see the load (uptime), and whether the resolver in /etc/resolv.conf answers",
        "run a resolver on this host",
    )


def starts_quickly(context: Context) -> Evidence:
    """P1: from the order to start to the greeting, as mailkeel last started it."""
    seconds = context.start_seconds
    seen = seconds is not None
    return Evidence(
        "P1",
        "Postfix starts in less than 5 s",
        _UNKNOWN if seconds is None else _GOOD if seconds < 5 else _BAD,
        "less than 5 s from the order to the greeting",
        f"{seconds:.1f} s" if seen else "mailkeel has not started it",
        {"seconds": seconds},
        "the host is busy, or Postfix waits for DNS or the disk" if seen else "there is no start to measure",
        "time `systemctl restart postfix`",
        "",
    )


def keys_are_safe(context: Context) -> Evidence:
    """V2, first half: a key for every domain that OpenDKIM takes and nobody else can read."""
    problems = dict(context.key_problems)
    seen: dict[str, str] = {}
    for domain, selector in context.public_halves:
        path = key_path(domain, selector)
        entry = context.host.entry(path)
        if entry is not None:
            seen[path] = f"{entry.owner}:{entry.group} {entry.mode:03o}"
            if (entry.owner, entry.group, entry.mode) != ("root", "opendkim", 0o640):
                problems[domain, selector] = f"{path} is {seen[path]} instead of root:opendkim 640"
    return Evidence(
        "B6",
        "Every domain has a signing key that only OpenDKIM can read",
        _BAD if problems else _GOOD,
        "RSA keys under /etc/opendkim/keys, root:opendkim 640",
        "; ".join(problems.values()) or f"{len(seen)} of {len(context.spec.domains)} keys as they should be",
        {"keys": dict(list(seen.items())[:50])},
        "a key was removed, damaged, or its owner or mode was changed",
        "run `mailkeel apply`: modes are set right, a missing key is made anew and must be published",
        "leave /etc/opendkim to mailkeel",
    )


def certificate_fits(context: Context) -> Evidence:
    """I3: the certificate bears every name served, and is good for a month."""
    chosen = pair(context.spec, context.facts)
    names = (context.spec.hostname,)
    entry = _followed(context, chosen.certificate)
    is_good = entry is not None and covers(entry, names, context.host.now())
    kind = "self-signed" if chosen.key.startswith("/etc/ssl/mailkeel") else "given"
    what = (
        f"{kind}, bears {names[0]}, good for a month" if is_good else "missing, expiring, or for another name"
    )
    return Evidence(
        "I3",
        "The TLS certificate bears this host's name",
        _GOOD if is_good else _BAD,
        f"a certificate for {names[0]} that is good for a month more",
        f"{chosen.certificate}: {what}",
        {"certificate": chosen.certificate, "self_signed": kind == "self-signed"},
        "the certificate was not renewed, or was made for another name",
        "renew it, or give another in [tls]; a self-signed one is renewed by `mailkeel apply`",
        "let certbot or your ACME client renew it by its timer",
    )


def _followed(context: Context, path: str) -> bytes | None:
    for _ in range(8):
        entry = context.host.entry(path)
        if entry is None or not entry.target:
            return entry.content if entry else None
        path = entry.target if entry.target.startswith("/") else f"{path.rpartition('/')[0]}/{entry.target}"
    return None


def log_is_clean(context: Context) -> Evidence:
    """V7: no error of Postfix in the log since the last change."""
    since = context.last.events[-1]["time"] if context.last else 0.0
    log = context.host.tail(_MAIL_LOG, _LOG_OCTETS)
    errors = list(_errors(log.decode(errors="replace"), since)) if log else []
    verdict = _BAD if errors or log is None else _GOOD
    seen = f"{len(errors)} errors, the last: {errors[-1]}" if errors else "no error"
    return Evidence(
        "V7",
        "Postfix has logged no error since the last change",
        verdict,
        f"no line of Postfix with error, fatal or panic in {_MAIL_LOG}",
        seen if log is not None else f"{_MAIL_LOG} does not exist",
        {"errors": errors[-10:], "since": since},
        "Postfix met something it could not handle" if log is not None else "nothing writes the mail log",
        "`mailkeel explain 'LINE'` says what a line means" if log is not None else "see that rsyslog runs",
        "",
    )


def _errors(log: str, since: float) -> Iterator[str]:
    for line in log.split("\n"):  # not splitlines(): a sender may put U+2028 into a line
        if re.search(r" postfix(/[\w-]+)*\[\d+\]: (fatal|panic|error):", line) and _time(line) >= since:
            yield line


def _time(line: str) -> float:
    """When a line was logged (RFC 3339, as rsyslog on Debian 12 and 13); an unreadable time counts as now."""
    try:
        return datetime.fromisoformat(line.split(" ", 1)[0]).astimezone(UTC).timestamp()
    except ValueError:
        return float("inf")


def queue_moves(context: Context) -> Evidence:
    """P4: nothing that could be delivered has been waiting for a minute."""
    done = context.host.run(["postqueue", "-j"])
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    stuck = [
        m for m in messages if m["queue_name"] == "active" and context.host.now() - m["arrival_time"] > 60
    ]
    return Evidence(
        "P4",
        "The queue is processed within a minute",
        _BAD if stuck or done.status else _GOOD,
        "no message in the active queue for more than a minute",
        f"{len(messages)} messages in the queue, {len(stuck)} of them stuck"
        if not done.status
        else done.stderr,
        {"queued": len(messages), "stuck": [m["queue_id"] for m in stuck][:20]},
        "deliveries take too long, or Postfix does not run",
        "`postqueue -p` lists them, `postqueue -f` tries them again",
        "",
    )
