"""E4: refusals in the words of the large providers, which tell more than the SMTP code."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

_AUTHENTICATE = (
    "run `mailkeel prove` now and then, by cron or a timer: it sees when a record goes or no longer matches"
)
_REPUTATION = "send only what was asked for, keep bounces and complaints rare, and grow the volume slowly"

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "gmail-unauthenticated",
        "Gmail refuses mail that neither SPF nor DKIM authenticates",
        r"\b[45]\.7\.(26|27|30|31|32)\b",
        Level.ERROR,
        "E4",
        "Google found no SPF or DKIM pass for the author's domain, or its DMARC policy forbids the message",
        "`mailkeel prove` shows which of V2, V3, V4 fails; publish what `mailkeel dns records` shows, "
        "then send again",
        _AUTHENTICATE,
    ),
    KnownError(
        "gmail-tls-required",
        "Gmail wants TLS",
        r"\b[45]\.7\.29\b|not sent over a TLS connection",
        Level.ERROR,
        "E4",
        "the message went to Google in clear: smtp_tls_security_level is `none`, or TLS failed",
        "`postconf smtp_tls_security_level` must be `may` or higher; `mailkeel apply` sets it",
        "leave TLS settings to mailkeel",
    ),
    KnownError(
        "gmail-rate",
        "Gmail slows this host down",
        r"unusual rate of (unsolicited )?(mail|email)|\b4\.7\.28\b|421-4\.7\.0|receiving mail at a rate",
        Level.WARNING,
        "E4",
        "Google gets more mail from this address, network or domain than its reputation allows; Postfix "
        "tries again by itself",
        "see whether an account is abused (`postqueue -p`, sasl_username in mail.log); otherwise wait",
        _REPUTATION,
    ),
    KnownError(
        "gmail-dynamic-address",
        "Gmail takes no mail straight from this address",
        r"not authorized to\s+(\d{3}-?5\.7\.1 )?send email directly",
        Level.ERROR,
        "E4",
        "the address counts as one of a home or office connection",
        "send through a relay: mode relay in the specification, then `mailkeel plan`",
        "run mail servers on addresses that are meant for servers",
    ),
    KnownError(
        "gmail-unsolicited",
        "Gmail takes the message for spam",
        r"likely\s+(\d{3}-?5\.7\.1 )?(unsolicited mail|suspicious)|gsmtp.{0,20}spam|message is likely",
        Level.ERROR,
        "E4",
        "content, or the reputation of the address or domain, looks like spam to Google",
        "see Google Postmaster Tools for the domain; check `mailkeel prove`, reverse DNS and the blocklists",
        _REPUTATION,
    ),
    KnownError(
        "relay-app-password",
        "The relay wants an app password",
        r"\b5\.7\.9\b.{0,40}(password|Please log in)|Application-specific password|InvalidSecondFactor",
        Level.ERROR,
        "E4",
        "the account at the provider has two-factor login; its ordinary password is not taken for SMTP",
        "make an app password at the provider, put it into the credentials file of the relay, `mailkeel "
        "apply`",
        "use a password made for this host alone",
    ),
    KnownError(
        "outlook-authentication",
        "Outlook refuses mail that SPF, DKIM or DMARC does not authenticate",
        r"\b5\.7\.(509|515)\b|does not (pass DMARC verification|meet the required authentication level)",
        Level.ERROR,
        "E4",
        "Microsoft found SPF, DKIM or DMARC missing or failing for the author's domain",
        "`mailkeel prove` shows which of V2, V3, V4 fails; publish what `mailkeel dns records` shows",
        _AUTHENTICATE,
    ),
    KnownError(
        "outlook-blocked",
        "Outlook blocks this address or its network",
        r"\(?\bS31(40|50)\b|\b5\.7\.(60[6-9]|6[1-4]\d)\b|banned sending IP|weren't sent",
        Level.ERROR,
        "E4",
        "the address, or the provider's whole network, is on Microsoft's own block list",
        "ask for removal at https://sender.office.com (5.7.6xx) or by the form that the reply names "
        "(S3140, S3150); until then send through a relay",
        "use an address with a clean past, set its reverse DNS, register with Microsoft's SNDS",
    ),
    KnownError(
        "outlook-rate",
        "Outlook slows this host down",
        r"\bS77[567]\b|\bS3114\b|\b4\.7\.(500|650|651)\b|\bRP-00[1-3]\b",
        Level.WARNING,
        "E4",
        "the address is new to Microsoft or has little reputation; Postfix tries again by itself",
        "wait; send less at once to Microsoft's domains; look at SNDS for what they see",
        _REPUTATION,
    ),
    KnownError(
        "yahoo-deferred",
        "Yahoo slows this host down or blocks it",
        r"\[(TSS?\d\d|GL01|IPTS\d\d|BL\d\d)\]"
        r"|temporarily deferred due to (unexpected volume|user complaints)",
        Level.WARNING,
        "E4",
        "complaints of Yahoo's users, or more mail than the address's reputation allows",
        "wait several hours before trying again; see Yahoo's sender hub (https://senders.yahooinc.com)",
        _REPUTATION,
    ),
    KnownError(
        "yahoo-policy",
        "Yahoo refuses the message by its policy",
        r"\b554 5\.7\.9\b|not accepted for policy reasons",
        Level.ERROR,
        "E4",
        "the message fails DMARC, or its content or links are unwelcome to Yahoo",
        "`mailkeel prove` for the records; then look at links and attachments of the message",
        _REPUTATION,
    ),
)
