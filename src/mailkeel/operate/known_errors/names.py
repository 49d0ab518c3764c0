"""E3: names that DNS does not know, or not yet: records of ours that are not visible, and theirs."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

_CHECK = "run `mailkeel prove` now and then, by cron or a timer: it notices a record that goes"

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "dkim-record-missing",
        "A DKIM record is not in DNS",
        r"record not found|key retrieval failed|no key for signature|query: \S{1,200}_domainkey"
        r"|public key: not available",
        Level.WARNING,
        "E3",
        "the TXT record at SELECTOR._domainkey.DOMAIN does not exist, or is not visible yet; for mail "
        "from outside it is the sender's record that is missing",
        "for a domain of yours: `mailkeel dns records` shows the record to publish; repeat "
        "`mailkeel dns check` until it is seen",
        "publish a new key's record as soon as `mailkeel apply` shows it, and leave the old one for a week",
    ),
    KnownError(
        "dkim-record-mismatch",
        "The DKIM record in DNS belongs to another key",
        r"opendkim\[\d+\]: .{0,60}\bs=\S{1,80} d=.{0,300}SSL error|keys do not match|key mismatch"
        r"|bad signature data|signature verification failed|dkim=fail",
        Level.WARNING,
        "E3",
        "the record is damaged, was not replaced when the key was, a resolver still remembers the old "
        "one, or the message was changed on its way",
        "`mailkeel dns check` compares record and key; publish the one that `mailkeel dns records` shows",
        "change a key by another `selector` under [dkim] in the specification, then `mailkeel apply` and "
        "publish the new record; leave the old one in DNS for a week",
    ),
    KnownError(
        "dns-null-mx",
        "The recipient's domain takes no mail",
        r"does not accept mail \(null ?MX\)|\b5\.1\.10\b|nullMX",
        Level.ERROR,
        "E3",
        'its only MX record is "." (RFC 7505), which says so',
        "check the address for a misspelling; there is no other way to reach it by mail",
        "none: the bounce tells the sender",
    ),
    KnownError(
        "dns-try-again",
        "The name of a domain could not be looked up",
        r"Name service error for name=\S{1,260} type=\S{1,5}: Host not found, try again"
        r"|Temporary failure in name resolution|type=\S{1,5}: (SERVFAIL|Connection timed out)",
        Level.WARNING,
        "E3",
        "the resolver in /etc/resolv.conf does not answer, or the domain's own name servers do not; "
        "Postfix tries again by itself until the queue lifetime ends",
        "`dig MX DOMAIN`: if every name fails, mend the resolver, then `systemctl restart postfix` (its "
        "chroot holds a copy of resolv.conf) and `postqueue -f`; if one fails, its owner must act",
        "run a resolver on this host",
    ),
    KnownError(
        "dns-not-found",
        "The recipient's domain does not exist",
        r"Name service error for name=\S{1,260} type=\S{1,5}: (Host not found|Host found but no data)"
        r"|Host or domain name not found|unable to look up host|Malformed or unexpected name server reply"
        r"|\b5\.4\.4\b|\b5\.1\.2\b",
        Level.ERROR,
        "E3",
        "DNS says that there is no such name, or that it has neither mail servers nor an address: mostly "
        "a misspelling in the address, or in `relay.host`",
        "look at the name in the line with `dig MX NAME`; for the relay correct it in the specification, "
        "then `mailkeel apply`",
        "none for a misspelt recipient: the bounce tells the sender",
    ),
    KnownError(
        "dns-sender-unknown",
        "Mail refused: the sender's domain is not in DNS",
        r"Sender address rejected: (Domain not found|Malformed DNS|unverified)|\b[45]\.1\.8\b"
        r"|domain of sender address .{0,120} does not (exist|resolve)",
        Level.WARNING,
        "E3",
        "the domain of the envelope sender has neither MX nor address: forged mail, a domain whose "
        "records are not published yet, or a resolver that fails",
        "for mail of yours: publish the records (`mailkeel dns check`); for mail from outside nothing is "
        "to be done unless `dig` fails for every name",
        _CHECK,
    ),
    KnownError(
        "dns-reverse-missing",
        "Mail refused: an address has no name in DNS",
        r"cannot find your (reverse )?hostname|\b[45]\.7\.25\b|does not have a PTR|no PTR record"
        r"|no reverse DNS|reverse DNS (lookup|entry|record)|\brDNS\b|missing reverse",
        Level.ERROR,
        "E3",
        "the sending address has no PTR record, or one whose name does not lead back to it; many servers "
        "refuse that. In a reply it is your address that is meant",
        "set the PTR (reverse DNS) of each address at your hosting provider to the name in `hostname`; "
        "until IPv6 has one: `inet_protocols = ipv4`",
        "set reverse DNS before the first message leaves",
    ),
    KnownError(
        "dns-helo-unknown",
        "Mail refused: the greeting name is not in DNS",
        r"Helo command rejected|HELO .{0,80}(does not resolve|invalid|not found)"
        r"|EHLO .{0,40}(does not resolve|invalid)",
        Level.WARNING,
        "E3",
        "the name in HELO is no full name, or has no address in DNS. In a reply it is your host's name",
        "publish the address of `hostname` (`mailkeel dns records`); for clients nothing is to be done",
        _CHECK,
    ),
    KnownError(
        "dns-spf-lookup-failed",
        "An SPF record could not be looked up",
        r"policyd-spf\[\d+\]: .{0,200}(NoResolverConfiguration|Temperror|timed? ?out|SERVFAIL)"
        r"|SPF.{0,40}temperror|spf=temperror",
        Level.WARNING,
        "E3",
        "the resolver did not answer, or /etc/resolv.conf names none; mail is taken without a verdict",
        "`mail-spf-check DOMAIN` shows the lookups; mend /etc/resolv.conf, then `systemctl restart postfix`",
        "run a resolver on this host",
    ),
    KnownError(
        "dns-spf-record-broken",
        "An SPF record is wrong",
        r"policyd-spf\[\d+\]: .{0,200}Permerror|spf=permerror|SPF.{0,60}Permanent Error|SPF PermError"
        r"|too many DNS lookups",
        Level.WARNING,
        "E3",
        "the domain has two SPF records, a mistake in one, or more than ten lookups in it (RFC 7208 4.6.4)",
        "for a domain of yours: `mail-spf-check DOMAIN` names the mistake",
        "let mailkeel write the record",
    ),
    KnownError(
        "dns-dane-failed",
        "The receiver's DANE records do not fit its certificate",
        r"TLSA lookup error|TLSA records? .{0,60}(not|unusable|mismatch)|no matching DANE TLSA"
        r"|DANE .{0,40}fail",
        Level.WARNING,
        "E3",
        "the receiver publishes TLSA records that its server does not match, or that cannot be fetched "
        "securely; mail waits rather than go to an impostor",
        "look at it with https://dane.sys4.de, tell its postmaster; for one domain: a `none` or `may` "
        "entry in the TLS policy",
        "use a validating resolver on this host",
    ),
    KnownError(
        "dns-no-dnssec",
        "The resolver does not validate DNSSEC",
        r"DNSSEC validation may be unavailable|dnssec_probe",
        Level.WARNING,
        "E3",
        "Postfix is set to use DANE, but the resolver in /etc/resolv.conf marks no answer as validated; "
        "mail goes out with ordinary TLS",
        "run a validating resolver on this host (unbound, or BIND with dnssec-validation), or set "
        "smtp_tls_security_level to `may`",
        "let mailkeel choose: it looks whether the resolver can be trusted",
    ),
)
