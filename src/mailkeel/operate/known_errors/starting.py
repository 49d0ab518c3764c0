"""E1: a daemon does not start, or a service of it cannot work, because of what its configuration says."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

_PLAN = "let `mailkeel apply` change the configuration: it is checked before it goes live"

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "postfix-main-cf-syntax",
        "main.cf has a line that is no setting",
        r"main\.cf, line \d+: (missing|bad|extra)|macro processing error|macro call nesting",
        Level.ERROR,
        "E1",
        "a line of /etc/postfix/main.cf is not `name = value` (a value that goes on in the next line must "
        "be indented there), or a setting refers to itself (postconf(5))",
        "open main.cf at the line named, mend it, and see that `postconf -n` is silent on stderr; "
        "`mailkeel undo` brings the last good configuration back",
        _PLAN,
    ),
    KnownError(
        "postfix-master-cf-syntax",
        "master.cf has an entry that Postfix cannot read",
        r"/master\.cf: line \d+:|invalid \w{1,12} field \".{1,80}\" in|cannot execute /usr/sbin/postconf!",
        Level.ERROR,
        "E1",
        "an entry of /etc/postfix/master.cf lacks one of its eight columns, or one of them holds "
        "something else than master(5) allows; `cannot execute /usr/sbin/postconf!` is what Postfix's "
        "start says of it",
        "`postconf -M` names the entry; compare it with its neighbours in master.cf",
        _PLAN,
    ),
    KnownError(
        "postfix-unknown-parameter",
        "A setting has a name that Postfix does not know",
        r"(main|master)\.cf: (unused|undefined) parameter",
        Level.WARNING,
        "E1",
        "the name is misspelt, or the setting belongs to another version: Postfix ignores it and uses its "
        "default",
        "correct the name (`postconf -d` lists all of this version) or remove the line",
        _PLAN,
    ),
    KnownError(
        "postfix-deprecated-parameter",
        "A setting is about to disappear from Postfix",
        r"support for .{1,80} will be removed",
        Level.WARNING,
        "E1",
        "this version of Postfix still obeys the setting, a later one will not",
        "replace it by the setting that the line names, then `postfix reload`",
        "read Postfix's release notes before an upgrade of Debian",
    ),
    KnownError(
        "postfix-bad-value",
        "A setting has a value of the wrong kind",
        r"bad (numerical|boolean) (configuration|value)|: bad (time|string length|field|number|integer)\b"
        r"|parameter \S{1,80}: bad|invalid .{0,40}parameter value|bad parameter value|unknown time unit",
        Level.ERROR,
        "E1",
        "a number, a yes/no or a time is not written as postconf(5) wants it; the daemon that reads it "
        "ends at once",
        "the line names the setting: `postconf -d NAME` shows a value of the right kind; correct it, then "
        "`postfix reload`",
        _PLAN,
    ),
    KnownError(
        "postfix-bad-network",
        "An address in a list of networks is not one",
        r"bad net/mask pattern|bad mask length|non-null host address bits|bad address pattern"
        r"|bad network value",
        Level.ERROR,
        "E1",
        "an entry of mynetworks, or of another list of networks, is no address or has bits outside its "
        "mask: 127.0.0.1/8 for 127.0.0.0/8",
        "correct the entry (the line often names what was meant), then `postfix reload`",
        _PLAN,
    ),
    KnownError(
        "postfix-no-interface",
        "Postfix shall listen on an address that this host does not have",
        r"no local interface found for|Cannot assign requested address",
        Level.ERROR,
        "E1",
        "inet_interfaces (or master.cf) names an address that no interface of this host has, or does not "
        "have yet at boot",
        "compare `postconf inet_interfaces` with `ip address`; set it to `all` or to an address that is here",
        "give the host static addresses, or leave inet_interfaces at `all` or `loopback-only`",
    ),
    KnownError(
        "postfix-port-taken",
        "Another program holds the mail port",
        r"bind \S{1,80} port \S{1,20}: Address already in use",
        Level.ERROR,
        "E1",
        "another mail server, or an old Postfix that has not ended, listens on the port that Postfix needs",
        "`ss -ltnp 'sport = :25'` names the program; stop and disable it (often exim4 or sendmail), then "
        "`systemctl restart postfix`",
        "run one mail server on a host; `mailkeel plan` looks who holds the ports before it changes anything",
    ),
    KnownError(
        "postfix-port-forbidden",
        "Postfix may not listen on the port",
        r"bind \S{1,80} port \S{1,20}: Permission denied",
        Level.ERROR,
        "E1",
        "ports below 1024 need root, and this Postfix was started without it or in a container that "
        "forbids it",
        "start it with `systemctl start postfix` as root; in a container allow CAP_NET_BIND_SERVICE",
        "let systemd start Postfix",
    ),
    KnownError(
        "postfix-already-running",
        "Postfix runs already",
        r"mail system is already running|unable to set (exclusive|master) lock|can't create listener lock",
        Level.ERROR,
        "E1",
        "Postfix was started twice, or one that was started by hand is not known to the service manager",
        "`postfix stop`, then `systemctl start postfix`, so that systemd knows it",
        "start and stop it with systemctl only",
    ),
    KnownError(
        "postfix-down",
        "Postfix is not running",
        r"mail system is down|mail system is not running|Connect to the Postfix mail system",
        Level.ERROR,
        "E1",
        "Postfix was stopped, or ended at its start; mail that programs of this host hand in stays in the "
        "maildrop queue meanwhile",
        "`systemctl start postfix`; if it does not stay, the lines before this one in /var/log/mail.log "
        "say why",
        "run `mailkeel prove` now and then, by cron or a timer",
    ),
    KnownError(
        "postfix-backup-values",
        "Postfix uses old default values",
        r"(using|with) backwards-compatible default setting",
        Level.WARNING,
        "E1",
        "compatibility_level in main.cf is lower than this version's, so some defaults are those of long ago",
        "read what each line names, then `postconf compatibility_level=3.6` and `postfix reload`",
        "set the compatibility level after an upgrade of Debian",
    ),
    KnownError(
        "postfix-program-missing",
        "master.cf names a program that is not there",
        r"master_spawn: exec \S{1,200}: ",
        Level.ERROR,
        "E1",
        "the last column of an entry in master.cf names a daemon that this Postfix does not have",
        "correct the name (they are in /usr/lib/postfix/sbin) or install the package that brings it",
        _PLAN,
    ),
    KnownError(
        "postfix-table-type",
        "A lookup table is of a type that this Postfix lacks",
        r"unsupported dictionary type",
        Level.ERROR,
        "E1",
        "main.cf uses a type of table (mysql, pcre, ldap...) whose package is not installed, or misspells it",
        "`postconf -m` lists the types that are here; install postfix-TYPE, or change the type",
        "install Debian's package of a type before a setting uses it",
    ),
    KnownError(
        "postfix-table-missing",
        "A lookup table is missing",
        r"(open database|error: open|fatal: open) \S{1,200}: No such file|\bis unavailable\. (open|table)"
        r"|table lookup problem| lookup error for \"",
        Level.ERROR,
        "E1",
        "main.cf names a table that does not exist; a hash: or lmdb: table also needs its compiled form "
        "beside it. Until it is there mail is answered with 451 and waits",
        "write the file, and for hash: run `postmap FILE` (`newaliases` for aliases); then `postfix reload`",
        "let mailkeel write the tables: it uses types that need no compiling",
    ),
    KnownError(
        "postfix-table-stale",
        "A lookup table was changed and not compiled",
        r"\.(db|lmdb|cdb) is older than source file",
        Level.WARNING,
        "E1",
        "the text of a hash: table is newer than its compiled form, so the old entries are still in force",
        "`postmap FILE`, or `newaliases` for /etc/aliases",
        "use texthash: for small tables, or compile in the same step as you edit",
    ),
    KnownError(
        "postfix-unknown-restriction",
        "A restriction has a name that Postfix does not know",
        r"unknown smtpd restriction|unknown or deprecated .{0,20}restriction",
        Level.ERROR,
        "E1",
        "a word in one of the smtpd_..._restrictions is no restriction; `postfix check` does not see "
        "that, and every client is answered with 451 4.3.5",
        "correct the word that the line names, then `postfix reload`",
        _PLAN,
    ),
    KnownError(
        "postfix-no-relay-restrictions",
        "Nothing keeps strangers from relaying, so Postfix takes no mail",
        r"in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify",
        Level.ERROR,
        "E1",
        "neither smtpd_relay_restrictions nor smtpd_recipient_restrictions holds "
        "reject_unauth_destination or another word that refuses strangers",
        "`postconf -X smtpd_relay_restrictions` brings the safe default back; then `postfix reload`",
        _PLAN,
    ),
    KnownError(
        "postfix-chroot-stale",
        "A file in Postfix's chroot is not what it is outside",
        r"/var/spool/postfix/\S{1,200} and /\S{1,200} differ",
        Level.WARNING,
        "E1",
        "Postfix's daemons see copies of /etc/resolv.conf and other files in their chroot; the original "
        "has changed since. With an old resolv.conf they ask a resolver that is gone",
        "`systemctl restart postfix` copies them anew (on Debian 12 a reload does not)",
        "restart Postfix whenever the resolver changes",
    ),
    KnownError(
        "postfix-wrong-owner",
        "A file of Postfix belongs to someone else",
        r"not owned by (root|postfix|group)|not set-gid or not owner\+group|group or other writable"
        r"|scan_dir_push: open directory \S{1,200}: Permission|integrity check failed",
        Level.WARNING,
        "E1",
        "owner or mode of a file or folder of Postfix was changed by hand",
        "`postfix set-permissions` puts all of them right",
        "do not use chown -R below /etc/postfix or /var/spool/postfix",
    ),
    KnownError(
        "certificate-unusable",
        "The TLS certificate or its key cannot be used",
        r"cannot (get|load|use) .{0,40}(certificate|private key|key|chain|CA)|No server certs available"
        r"|(key values|private key) mismatch|error (opening|loading) (chain|private key|certificate)"
        r"|does not match next certificate|disabling TLS support|PEM routines.{0,40}:no start line"
        r"|ssl_(server_)?cert(_file)?: .{0,80}(can't|couldn't)",
        Level.ERROR,
        "E1",
        "the certificate or key file is missing, is not in PEM form, or the two do not belong together; "
        "mail is then taken without TLS, or not at all where TLS is demanded",
        "compare `openssl x509 -in CERT -noout -pubkey` with `openssl pkey -in KEY -pubout`, correct the "
        "paths in [tls] of the specification, then `mailkeel apply`",
        "let one program renew both, and reload Postfix afterwards",
    ),
    KnownError(
        "dovecot-config",
        "Dovecot cannot read its configuration",
        r"(doveconf|dovecot|config): (Fatal|Error): .{0,40}configuration file|doveconf: Fatal"
        r"|dovecot\.conf.{0,40} line \d+: |Unknown setting:",
        Level.ERROR,
        "E1",
        "a setting in Dovecot's configuration is misspelt, or belongs to another version: 2.4 (Debian 13) "
        "has other names than 2.3 (Debian 12)",
        "`doveconf -n` names file and line of the first error; mend it and run it again until it is silent",
        _PLAN,
    ),
    KnownError(
        "milter-config-syntax",
        "OpenDKIM or OpenDMARC cannot read its configuration",
        r"open(dkim|dmarc)(\.conf|\[\d+\]|): .{0,80}(configuration error|unrecognized parameter)"
        r"|configuration error at line",
        Level.ERROR,
        "E1",
        "the configuration has a directive that the daemon does not know, or a value it cannot use",
        "`opendkim -n -x /etc/opendkim.conf` or `opendmarc -n -c /etc/opendmarc.conf` names the line",
        _PLAN,
    ),
    KnownError(
        "postfix-start-failed",
        "Postfix did not start",
        r"daemon initialization failure|mail system startup failed",
        Level.ERROR,
        "E1",
        "Postfix's master ended at once; its own fatal line just before says why (often a port that is "
        "taken)",
        "have the fatal line before it in /var/log/mail.log explained",
        _PLAN,
    ),
    KnownError(
        "service-failed",
        "A daemon ended or did not start",
        r"\.service: (Failed with result|(Main|Control) process exited)|Failed to start \S{1,80}\.service",
        Level.ERROR,
        "E1",
        "systemd says only that it ended; the daemon's own words are in the lines just before",
        "`journalctl -u NAME -n 30` and /var/log/mail.log: have the daemon's own line explained, mend it, "
        "then `systemctl restart NAME`",
        _PLAN,
    ),
    KnownError(
        "service-start-limit",
        "systemd gave up starting a service",
        r"Start request repeated too quickly|start-limit-hit",
        Level.ERROR,
        "E1",
        "the service ended, or was restarted by hand, more than five times within ten seconds",
        "mend what made it end (`journalctl -u NAME -n 30`), then `systemctl reset-failed NAME` and start it",
        "restart once, after all changes",
    ),
    KnownError(
        "postfix-throttled",
        "A daemon of Postfix ends again and again",
        r"bad command startup -- throttling|unable to connect to the public cleanup service"
        r"|pid \d+ (exit status [1-9]|killed by signal)",
        Level.ERROR,
        "E1",
        "a program of Postfix ends as soon as it starts; the reason is in a line that it logged itself "
        "just before (fatal: ...)",
        "look for `fatal` or `panic` just above in /var/log/mail.log and have that line explained",
        _PLAN,
    ),
)
