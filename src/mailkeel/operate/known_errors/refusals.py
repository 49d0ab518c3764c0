"""E4: what the servers that we deliver to reply, in words that many of them use."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

_REPUTATION = "send only what was asked for, and keep this host's accounts from being abused"
_RECORDS = (
    "run `mailkeel prove` now and then, by cron or a timer: it sees when a record goes or no longer matches"
)
_BOUNCE = "none here: the bounce tells the sender"

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "relay-auth-mechanism",
        "Postfix and the relay have no login method in common",
        r"no mechanism available|no worthy mechs found|No worthy mechs"
        r"|SASL authentication failed; cannot authenticate",
        Level.ERROR,
        "E4",
        "the package libsasl2-modules is missing, or the relay offers its methods only inside TLS",
        "`apt-get install libsasl2-modules`, and TLS to the relay (port 587 or 465); `mailkeel apply` "
        "sees to both",
        "let mailkeel install the packages of relay mode",
    ),
    KnownError(
        "relay-auth-failed",
        "The relay does not accept our credentials",
        r"SASL authentication failed; server|5\.7\.8 .{0,60}(accepted|credentials)"
        r"|status=\S{1,10} .{0,200}\b535\b|\b535[ -]5\.7\.8\b|Username and Password not accepted",
        Level.ERROR,
        "E4",
        "name or password of the relay is wrong or was changed, the account is locked, or it may not use "
        "SMTP; mail waits in the queue",
        "correct the credentials file of the relay, then `mailkeel apply` and `postqueue -f`; "
        "`mailkeel prove --only V8` shows whether they are accepted",
        "use a password made for this host alone, and run `mailkeel prove` now and then, by cron or a timer",
    ),
    KnownError(
        "relay-auth-missing",
        "The relay wants a login, and none was given",
        r"530[ -]5\.7\.[01]\b.{0,60}authenti|Authentication required|authentication is required"
        r"|must authenticate",
        Level.ERROR,
        "E4",
        "Postfix has no credentials for this host and port: the name in the password table is not the "
        "relay's, or the relay is none of ours",
        "set `relay.host`, `relay.port` and the credentials file in the specification, then `mailkeel apply`",
        "prove relay mode after each change (`mailkeel prove --only V8`)",
    ),
    KnownError(
        "tls-required",
        "The other server wants TLS first",
        r"Must issue a STARTTLS command first|530[ -]5\.7\.\d+ .{0,60}STARTTLS|TLS (encryption )?is required",
        Level.ERROR,
        "E4",
        "a client, or Postfix itself, spoke in clear to a port that demands TLS",
        "for this host's clients: switch on STARTTLS (587) or TLS (465); for delivery: "
        "smtp_tls_security_level must be `may` or higher",
        "leave TLS settings to mailkeel",
    ),
    KnownError(
        "greylisted",
        "The receiver asks to come back later",
        r"gr[ea]y-?list|Greylisting|try again in \d+ (s|m)",
        Level.INFO,
        "E4",
        "the receiver lets unknown senders wait once; real mail servers come back, and Postfix does",
        "nothing: it is tried again by itself, mostly within half an hour",
        "none: the receiver remembers this host after the first time",
    ),
    KnownError(
        "blocklisted",
        "This host's address or domain is on a block list",
        r"spamhaus|spamcop|barracuda|sorbs\.net|blocklist|block list|blacklist|black list"
        r"|\b(rbl|dnsbl|zen)\.\w|listed (at|by|in|on) \S{1,80}\.(org|net|com)"
        r"|IP .{0,40}(is|was) (blocked|banned)|UCEPROTECT|abusix|invaluement",
        Level.ERROR,
        "E4",
        "the receiver asks a list of addresses or domains known for spam, and ours is in it: an account "
        "or program here sent spam, or the address had a bad owner before",
        "look the address up at the list that the reply names (check.spamhaus.org), find what sent it "
        "(sasl_username in mail.log), stop that, then ask for removal",
        _REPUTATION,
    ),
    KnownError(
        "dmarc-refused",
        "Mail refused by the author's DMARC policy",
        r"\bDMARC\b|\b5\.7\.22\b",
        Level.ERROR,
        "E4",
        "the message passes neither SPF nor DKIM in the author's domain, whose policy is reject or "
        "quarantine. Forwarders that change a message break its signature",
        "for mail of yours: `mailkeel prove` shows which of V2, V3, V4 fails; for mail from outside "
        "(opendmarc in the line) the author's domain asked for it",
        _RECORDS,
    ),
    KnownError(
        "spf-refused",
        "Mail refused by the envelope domain's SPF record",
        r"\b5\.7\.23\b|(?<!Received-)\bSPF\b(?!\().{0,40}(fail|not (authorized|allowed|permitted)|reject)"
        r"|due to: SPF|not allowed to send mail from|openspf|sender policy framework",
        Level.ERROR,
        "E4",
        "the envelope domain's SPF record does not name the address that sent the message",
        "`mail-spf-check DOMAIN --ip ADDRESS` shows the record and its verdict; publish what `mailkeel "
        "dns records` shows",
        _RECORDS,
    ),
    KnownError(
        "dkim-refused",
        "The receiver refuses the message for its DKIM signature",
        r"\b5\.7\.(20|21)\b|\bDKIM\b.{0,60}(fail|invalid|required|reject|not pass)|No passing DKIM",
        Level.ERROR,
        "E4",
        "the signature is missing, does not verify, or its record is not in DNS",
        "`mailkeel prove --only A2 --only V2` shows whether the signature and its record are right",
        _RECORDS,
    ),
    KnownError(
        "mailbox-full",
        "The recipient's mailbox is full",
        r"\b[45]\.2\.2\b|over ?quota|quota (exceeded|is full)|mailbox (is )?full|mailbox size limit"
        r"|out of storage",
        Level.ERROR,
        "E4",
        "the recipient has no room left",
        "wait, or tell the recipient another way; for a mailbox of this host make room or raise its quota",
        _BOUNCE,
    ),
    KnownError(
        "mailbox-disabled",
        "The recipient's mailbox takes no mail",
        r"\b[45]\.2\.1\b|(mailbox|account|user) (is |has been )?(disabled|inactive|suspended|closed)",
        Level.ERROR,
        "E4",
        "the mailbox exists but was switched off",
        "tell the recipient another way",
        _BOUNCE,
    ),
    KnownError(
        "message-too-large",
        "The message is too large",
        r"\b[45]\.(3\.4|2\.3)\b|message (file |size )?(is )?(too (big|large)|exceeds)"
        r"|file size limit exceeded|size exceeds|exceeds (the )?(fixed )?(maximum|size|limit)"
        r"|postdrop\[\d+\]: .{0,60}File too large",
        Level.ERROR,
        "E4",
        "the message, whose attachments grow by a third on the way, is larger than the limit of this host "
        "(limits.message_size_bytes) or of the receiver",
        "send a link instead; for this host's own limit raise limits.message_size_bytes, then `mailkeel "
        "apply`",
        "tell users the limit",
    ),
    KnownError(
        "loops-to-myself",
        "The recipient's domain leads to this host, which does not take its mail",
        r"loops back to myself",
        Level.ERROR,
        "E4",
        "the domain's MX or address is this host, but the domain is not in the specification",
        "add it as a [[domain]] to the specification, then `mailkeel apply`; or correct its MX record",
        "add a domain here before its MX points here",
    ),
    KnownError(
        "too-many-hops",
        "The message goes in circles",
        r"too many hops|too many received|hop ?count exceeded|routing loop"
        r"|\b[45]\.4\.(6|14)\b.{0,60}(loop|hop)|mail forwarding loop",
        Level.ERROR,
        "E4",
        "two forwards point at each other, or an MX points back at the sender's side, until the limit of "
        "hops",
        "follow the Received lines of the bounce: the two hosts that alternate are it; end one of the "
        "forwards",
        "forward in one direction only",
    ),
    KnownError(
        "relay-access-denied",
        "A server refuses to pass mail on",
        r"Relay access denied|relay(ing)? (not|is not|was) (permitted|allowed|denied)|relaying denied"
        r"|unable to relay|not permitted to relay|we do not relay",
        Level.WARNING,
        "E4",
        "the recipient's domain is not one of the server's own and the sender has not logged in. In a "
        "reject of this host it is a stranger's attempt, or a program of yours without a login",
        "let the program log in on 587 or 465; if the domain is yours, add it as a [[domain]] to "
        "the specification, then `mailkeel apply`",
        "none: refusing strangers is right (S2)",
    ),
    KnownError(
        "user-unknown",
        "The recipient does not exist",
        r"\b5\.1\.[16]\b|User unknown|unknown user|no such (user|recipient|mailbox)"
        r"|recipient .{0,60}(not found|rejected)|does not exist|mailbox (not found|unavailable)"
        r"|unknown recipient|address rejected",
        Level.WARNING,
        "E4",
        "the part before the @ is misspelt or was removed; strangers try many names",
        "correct the address; for a name of this host: `adduser NAME`, or an entry under [aliases] in "
        "/etc/mailkeel/mail.toml, then `mailkeel apply`",
        "remove addresses that bounce from your lists: they cost reputation",
    ),
    KnownError(
        "too-many-recipients",
        "Too many recipients or messages at once",
        r"too many recipients|\b4\.5\.3\b|rate limit|too many (messages|connections)"
        r"|\b4\.7\.(1|0)\b.{0,60}(too (fast|many)|rate)|sending limit|daily .{0,20}limit",
        Level.WARNING,
        "E4",
        "the other side limits how much it takes from one sender in a time; Postfix tries again by itself",
        "wait; for a relay see the limit of its plan",
        "send large mailings in small portions, or through a service made for them",
    ),
    KnownError(
        "spam-refused",
        "The receiver takes the message for spam",
        r"\bspam\b|unsolicited|\bUBE\b|content (rejected|filter)|bulk mail|high probability",
        Level.ERROR,
        "E4",
        "content or reputation made the receiver's filter refuse the message",
        "check `mailkeel prove`, reverse DNS and the block lists; look at links and attachments; write to "
        "the receiver's postmaster with the full reply",
        _REPUTATION,
    ),
    KnownError(
        "receiver-full",
        "A server has no room for mail",
        r"insufficient (system storage|disk space)|\b[45]\.3\.1\b|No space left on device"
        r"|not enough free space",
        Level.ERROR,
        "E4",
        "the disk of the server that speaks is full: of this host in a reject or a warning, of the "
        "receiver in a reply. Postfix keeps its queue and takes no more",
        "`df -h /var /var/spool/postfix`, `df -i`: make room (old logs, journals, mailboxes); mail goes "
        "on by itself",
        "watch free space; keep /var on a file system of its own",
    ),
    KnownError(
        "queue-write-error",
        "Postfix could not write a message to its queue",
        r"queue file write error|write queue file|\b4\.3\.0\b.{0,60}queue file",
        Level.ERROR,
        "E4",
        "the disk was full or failed, or a filter made Postfix give up; the sender was told to try again",
        "`df -h /var/spool/postfix`, `dmesg`; the line just before names the reason",
        "watch free space",
    ),
    KnownError(
        "refused-by-policy",
        "Mail refused by a policy of the receiver's own",
        r"\b5\.7\.\d{1,3}\b|\b55[0-9] .{0,60}(policy|denied|refused|blocked|rejected)",
        Level.ERROR,
        "E4",
        "the reply's own words, after the code, are all that is known",
        "read the reply to its end: mostly it names a page or an address to write to; check `mailkeel prove`",
        _REPUTATION,
    ),
)
