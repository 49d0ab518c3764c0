"""E4, the other way round: what this host refuses, and who fails to log in here. Postfix's own words, told
apart from what other servers reply by the daemon that logs them."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "sasl-backend-down",
        "Postfix cannot ask Dovecot about a password",
        r"SASL: Connect to .{1,200} failed|no SASL authentication mechanisms"
        r"|SASL.{0,40}Connection lost to auth|Temporary authentication failure|454 4\.7\.0 .{0,20}authenti",
        Level.ERROR,
        "E4",
        "Dovecot, which checks the passwords, is not running, or its socket "
        "/var/spool/postfix/private/auth is gone; nobody can log in to send",
        "`systemctl restart dovecot`; if it does not start, `doveconf -n` says why",
        "run `mailkeel prove` now and then, by cron or a timer",
    ),
    KnownError(
        "login-failed",
        "Someone failed to log in",
        r"SASL \S{1,20} authentication failed|\(auth failed, \d+ attempts|auth failed"
        r"|unknown user \(|[Pp]assword mismatch",
        Level.WARNING,
        "E4",
        "a user's program has an old password, or strangers guess passwords, which is daily life on the "
        "Internet",
        "see sasl_username and the address in the line: for a user of yours set the password anew "
        "(`passwd NAME`), for many tries from one address block it (fail2ban)",
        "long passwords; limits.auth_attempts_per_minute in the specification",
    ),
    KnownError(
        "login-rate",
        "A client tries to log in too often",
        r"AUTH command rate limit exceeded|rate limit exceeded: \d+ from|450 4\.7\.1 Error: too (many|much)",
        Level.WARNING,
        "E4",
        "more attempts in a minute than limits.auth_attempts_per_minute allows: guessing, or a program "
        "with an old password",
        "correct the program's password; block the address if it is a stranger's",
        "leave the limit in place",
    ),
    KnownError(
        "sender-not-owned",
        "A user writes with an address that is not theirs",
        r"not owned by user|not logged in|From header must hold one address that your login owns",
        Level.WARNING,
        "E4",
        "the envelope or From address does not belong to the login",
        "let the program write with the login's own address, or make an alias that leads to the login "
        "under [aliases] in /etc/mailkeel/mail.toml, then `mailkeel apply`",
        "none: the check keeps a stolen password from speaking for others",
    ),
    KnownError(
        "author-missing",
        "Mail refused: it has no author that can be judged",
        r"Exactly one From header|can't determine message sender|multi-valued From"
        r"|requirement error: .{0,40}From field",
        Level.WARNING,
        "E4",
        "a message from outside has no From header, two, or one that programs read in different ways; "
        "DMARC cannot judge it",
        "none: the sender's program is wrong, or it is an attack",
        "none",
    ),
    KnownError(
        "message-malformed",
        "Mail refused: a header that every message has is missing or doubled",
        r"RFC5322 requirement error",
        Level.WARNING,
        "E4",
        "a message from outside lacks Date or another header of RFC 5322 3.6, or has it twice",
        "none, unless the sending program is yours: then let it write Date and From, once each",
        "let programs hand their mail in on 587 or by sendmail(1): there what is missing is added",
    ),
    KnownError(
        "dmarc-failed-here",
        "Mail from outside fails its author's DMARC policy",
        r"milter-reject: .{0,300}DMARC policy|opendmarc\[\d+\]: \w{5,40}: [^ ():]{1,255} fail$",
        Level.INFO,
        "E4",
        "neither SPF nor DKIM speaks for the author's domain, which asks to refuse such mail (p=reject): "
        "mostly a forgery, at times a mailing list that changes messages",
        "nothing; if it is a correspondent of yours, tell their postmaster",
        "none: refusing is what the author's domain asks for",
    ),
    KnownError(
        "filter-refused",
        "Mail refused by a filter of this host",
        r"milter-reject: .{0,300}\b5\.7\.\d",
        Level.WARNING,
        "E4",
        "OpenDKIM or OpenDMARC refused the message; the line of opendkim or opendmarc just before, with "
        "the same queue id, says why",
        "have that line explained",
        "none",
    ),
    KnownError(
        "recipient-unknown-here",
        "Mail refused: no such recipient on this host",
        r"reject: RCPT .{0,400}User unknown in (local|virtual \w{1,10}|relay) recipient table",
        Level.WARNING,
        "E4",
        "the recipient is neither an account nor an alias of this host: misspelt, removed, or guessed by "
        "a spammer",
        "if it should exist: `adduser NAME`, or an entry under [aliases] in /etc/mailkeel/mail.toml, then "
        "`mailkeel apply`",
        "none: refusing at once is right, so that no bounce goes to a forged sender",
    ),
    KnownError(
        "policy-service-down",
        "The SPF policy service does not answer",
        r"problem talking to (server|service) \S{0,40}policy|premature end-of-input on \S{0,40}policy"
        r"|policyd-spf.{0,40}(Traceback|exit status [1-9])|connect to \S{0,40}policyd?-?spf: "
        r"|spawn_com+and: execvp? \S{0,80}policyd-spf|unknown user name .{0,20}policyd-spf",
        Level.ERROR,
        "E1",
        "policyd-spf does not start, ends in the middle, or waits for DNS longer than Postfix waits for "
        "it; mail from outside is answered with 451 meanwhile",
        "run `/usr/bin/policyd-spf` by hand and press Enter: an error in its configuration shows; see the "
        "resolver; `mailkeel prove --only A1`",
        "leave /etc/postfix-policyd-spf-python to mailkeel; run a resolver on this host",
    ),
    KnownError(
        "policy-config",
        "policyd-spf does not understand its configuration",
        r"policyd-spf\[\d+\]: (ERROR|WARNING): .{0,40}(name|option|value|config)",
        Level.ERROR,
        "E1",
        "a line of policyd-spf.conf has a name or value that this version does not know; it is ignored",
        "`mailkeel apply` writes the file anew",
        "leave /etc/postfix-policyd-spf-python to mailkeel",
    ),
    KnownError(
        "server-misconfigured",
        "Postfix answers everybody that it is misconfigured",
        r"451 4\.3\.5|4\.3\.0 .{0,80}(lookup error|Temporary lookup failure)"
        r"|Server configuration (error|problem)|Temporary lookup failure",
        Level.ERROR,
        "E1",
        "a restriction, table or policy service in main.cf does not work; nothing is lost, senders try again",
        "the warning or fatal line just before in /var/log/mail.log names it: have that line explained",
        "let `mailkeel apply` change the configuration: it is checked before it goes live",
    ),
    KnownError(
        "smuggling-refused",
        "Mail refused: line ends or commands as in SMTP smuggling",
        r"bare <(LF)?> received|improper (command )?pipelining|Bare newline"
        r"|improper use of SMTP command pipelining",
        Level.WARNING,
        "E4",
        "the client ends lines with a bare newline, or sends commands before it may (CVE-2023-51764): a "
        "broken program, or an attempt to smuggle in a second message",
        "correct the program if it is yours: lines end with CR LF (RFC 5321 2.3.8)",
        "leave smtpd_forbid_bare_newline and smtpd_forbid_unauth_pipelining as mailkeel sets them",
    ),
    KnownError(
        "client-cut-off",
        "A client was cut off after too many mistakes",
        r"too many errors after|too many unrecognized|non-SMTP command from",
        Level.WARNING,
        "E4",
        "a scanner, or a program that does not speak SMTP, made more mistakes than smtpd_hard_error_limit",
        "nothing, unless the address is one of yours",
        "none",
    ),
    KnownError(
        "client-name-differs",
        "A client's name and address do not lead to each other",
        r"warning: hostname \S{1,260} (does not resolve to address|verification failed)",
        Level.INFO,
        "E3",
        "the PTR record of a client's address names a host whose own records name another address",
        "nothing, unless the address is one of yours: then correct its reverse DNS at the provider",
        "none",
    ),
    KnownError(
        "client-connections",
        "A client opens too many connections",
        r"smtpd\[\d+\]: .{0,80}Connection (concurrency|rate) limit exceeded"
        r"|421 4\.7\.0 \S{1,200} Error: too many connections",
        Level.WARNING,
        "E4",
        "one address holds more connections than smtpd_client_connection_count_limit",
        "if it is a host of yours, let it send one after the other; if not, it is kept out rightly",
        "none",
    ),
)
