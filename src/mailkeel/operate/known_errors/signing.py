"""E2: outgoing mail is not signed, or a milter does not do its part. With mailkeel's settings mail waits
meanwhile (451 to programs that hand it in): nothing leaves unsigned."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

_KEYS = "leave /etc/opendkim to mailkeel; `mailkeel prove` notices a key that was touched"
_SOCKET = "leave the sockets' folders under /var/spool/postfix to mailkeel"

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "dkim-key-shared-group",
        "OpenDKIM refuses a key because its group has several members",
        r"key data is not secure: .{0,300}is in group \d+ which has multiple users",
        Level.ERROR,
        "E2",
        "the key's file may be read by its group, and another account (usually postfix, as many guides "
        "advise) was added to that group",
        "`gpasswd -d postfix opendkim`, then `systemctl restart opendkim`; Postfix reaches the socket "
        "through its folder, which has the group postfix and the setgid bit",
        "add nobody to the group opendkim",
    ),
    KnownError(
        "dkim-key-not-secure",
        "OpenDKIM refuses a key that others could read or replace",
        r"key data is not secure",
        Level.ERROR,
        "E2",
        "the key, or a folder above it, may be read or written by other accounts; OpenDKIM then signs "
        "nothing and mail waits",
        "`mailkeel apply` sets owner and modes: root:opendkim, 640 for the key, 750 for the folders",
        _KEYS,
    ),
    KnownError(
        "dkim-key-missing",
        "The private DKIM key is not where OpenDKIM looks",
        r"can't load key from \S{1,300}: No such file",
        Level.ERROR,
        "E2",
        "the file that the key table names was removed or renamed, or the key was never made",
        "put the file back from your backup, then `mailkeel apply`; without one `mailkeel apply` makes a new "
        "key, whose record must be published then",
        "keep a backup of /etc/opendkim/keys where only you can read it",
    ),
    KnownError(
        "dkim-key-forbidden",
        "OpenDKIM may not read the private key",
        r"can't load key from \S{1,300}: Permission denied",
        Level.ERROR,
        "E2",
        "the key or a folder above it belongs to root alone; OpenDKIM reads it as the account opendkim",
        "`mailkeel apply` sets it to root:opendkim 640, or by hand: chgrp opendkim FILE and chmod 640 FILE",
        _KEYS,
    ),
    KnownError(
        "dkim-key-damaged",
        "The private DKIM key is damaged",
        r"(d2i_PrivateKey_bio|PEM_read_bio_PrivateKey|EVP_PKEY_get1_RSA)\S{0,4} failed"
        r"|opendkim\[\d+\]: \w{1,40}: SSL error:\w{1,16}:asn1",
        Level.ERROR,
        "E2",
        "the file is not a PEM private key, is empty or cut short; or it is an Ed25519 key where "
        "SignatureAlgorithm says rsa-sha256",
        "check it with `openssl pkey -in FILE -noout`; put it back from your backup, or remove it "
        "and let `mailkeel apply` make a new one, whose record must be published then",
        "do not edit key files; copy them with cp -a",
    ),
    KnownError(
        "dkim-key-short",
        "The DKIM key is too short",
        r"private key too small|bits; \d+ required",
        Level.ERROR,
        "E2",
        "keys below 1024 bits prove nothing (RFC 8301 3.2) and OpenDKIM does not use them. Mail is then "
        "refused for good (550), not kept waiting",
        "set bits = 2048 and another `selector` under [dkim] in the specification, then `mailkeel apply` and "
        "publish the new record; leave the old one in DNS for a week",
        "keep to 2048 bits",
    ),
    KnownError(
        "dkim-table-wrong",
        "OpenDKIM's tables do not fit together",
        r"signing table references unknown key|KeyTable entry .{0,200}(corrupt|malformed)"
        r"|error loading key '",
        Level.ERROR,
        "E2",
        "the signing table names a key that the key table lacks, or whose file could not be loaded: the "
        "line before, by OpenDKIM, says which",
        "have the line before explained; `mailkeel apply` writes both tables anew",
        _KEYS,
    ),
    KnownError(
        "dkim-no-signing-entry",
        "Mail is not signed because its domain is in no signing table",
        r"no signing (table match|domain match|subdomain match|key) for",
        Level.WARNING,
        "E2",
        "the domain of the From header is not one of the domains that this host signs for",
        "add the domain as a [[domain]] to the specification, then `mailkeel apply`; or let the "
        "program write as one of yours",
        "write as a domain that is in the specification: without a signature DMARC fails at the receiver",
    ),
    KnownError(
        "dkim-not-internal",
        "Mail is not signed because it came from outside",
        r"not internal|external host .{1,200} attempted to send as|: not authenticated",
        Level.WARNING,
        "E2",
        "OpenDKIM signs what comes from this host or with a password; this came from elsewhere with an "
        "address of ours, without one",
        "let the sender's program log in on port 587 or 465; if it is forged, nothing is to be done",
        "let every device log in to send",
    ),
    KnownError(
        "dkim-signing-failed",
        "OpenDKIM could not make a signature",
        r"dkim_(sign|eom|eoh)\(\)|DKIM signing error|signature generation error|resource unavailable"
        r"|opendkim\[\d+\]: \w{1,40}: SSL error",
        Level.ERROR,
        "E2",
        "the key cannot be used, or the message has headers that no signature can be made of",
        "look at the lines of opendkim around this one; `mailkeel prove --only A2` shows whether signing "
        "works",
        _KEYS,
    ),
    KnownError(
        "milter-socket-missing",
        "Postfix does not find the socket of a milter",
        r"connect to Milter service \S{1,300}: No such file",
        Level.ERROR,
        "E2",
        "OpenDKIM or OpenDMARC (the socket's path tells which) is not running, or listens at another path "
        "than the one in smtpd_milters; in Postfix's chroot paths start at /var/spool/postfix",
        "`systemctl restart opendkim opendmarc`; if one does not start, its own lines in "
        "/var/log/mail.log say why; mail that waits is tried again by itself",
        _SOCKET,
    ),
    KnownError(
        "milter-socket-refused",
        "A milter's socket is there but nobody listens",
        r"connect to Milter service \S{1,300}: Connection (refused|timed out)",
        Level.ERROR,
        "E2",
        "the milter died without removing its socket, or is just starting",
        "`systemctl restart opendkim opendmarc` and look at their status",
        "let systemd restart them by itself (Restart=always), as mailkeel's drop-in does",
    ),
    KnownError(
        "milter-socket-denied",
        "Postfix may not use a milter's socket",
        r"connect to Milter service \S{1,300}: Permission denied",
        Level.ERROR,
        "E2",
        "the socket, or its folder, does not belong to the group postfix",
        "`mailkeel apply` sets the folder to opendkim:postfix (opendmarc:postfix) 2750; then restart the "
        "milter",
        _SOCKET,
    ),
    KnownError(
        "milter-bad-address",
        "The address of a milter is not written as one",
        r"Milter service needs transport:endpoint|bad (socket|endpoint|transport) .{0,60}milter",
        Level.ERROR,
        "E2",
        "an entry of smtpd_milters or non_smtpd_milters is not `unix:PATH` or `inet:HOST:PORT`; every "
        "client is answered with 451 4.3.5",
        "correct the entry (`postconf smtpd_milters`), then `postfix reload`",
        _SOCKET,
    ),
    KnownError(
        "milter-cannot-listen",
        "A milter cannot make its socket",
        r"smfi_opensocket|unable to bind to port \S{1,200}|Unable to create listening socket"
        r"|can't (bind|chown|create) .{0,40}socket|milter socket .{0,200}(denied|in use)",
        Level.ERROR,
        "E2",
        "the folder of the socket is missing or not writable for the daemon's account, or another process "
        "uses the socket",
        "`mailkeel apply` makes the folders with the right owner; then `systemctl restart opendkim "
        "opendmarc`",
        _SOCKET,
    ),
    KnownError(
        "milter-broke-off",
        "A milter stopped in the middle of a message",
        r"warning: milter \S{1,300}: (can't|unreasonable|unexpected|malformed)"
        r"|milter \S{1,300} reply .{0,40}timed",
        Level.WARNING,
        "E2",
        "OpenDKIM or OpenDMARC ended, was restarted, or waited too long for DNS while Postfix talked to "
        "it; the sender tries the message again",
        "if it repeats, see `systemctl status opendkim opendmarc` and whether the resolver answers",
        "run a resolver on this host; let systemd restart the milters",
    ),
    KnownError(
        "opendmarc-history",
        "OpenDMARC cannot write down what it saw",
        r"opendmarc\[\d+\]: .{0,80}history file|opendmarc\[\d+\]: /\S{1,200}: (fopen|open|flock)\(\)",
        Level.WARNING,
        "E2",
        "HistoryFile is in a folder that the account opendmarc may not write, or the disk is full",
        "`mailkeel apply` makes /var/lib/opendmarc anew; see `df -h /var`",
        "leave /var/lib/opendmarc to mailkeel",
    ),
    KnownError(
        "milter-tempfail",
        "Mail waits because a milter could not do its part",
        r"milter-reject: .{0,300}4\.7\.\d+ (Service unavailable|resource unavailable)"
        r"|451 4\.7\.1 Service unavailable - try again later",
        Level.ERROR,
        "E2",
        "a milter is down, or could not load its key: nothing may leave unsigned or come in unjudged",
        "the line just before, of postfix (connect to Milter service) or opendkim, says why: have that "
        "explained",
        "run `mailkeel prove` now and then, by cron or a timer",
    ),
)
