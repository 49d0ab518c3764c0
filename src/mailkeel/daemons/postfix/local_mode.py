"""Postfix as the mail server of the host's own accounts (M2): settings and listeners."""

from __future__ import annotations

from mailkeel.daemons.postfix import tables
from mailkeel.daemons.postfix.inputs import Inputs
from mailkeel.daemons.postfix.main_cf import Section, Setting, listed, literal
from mailkeel.daemons.postfix.master_cf import Entry
from mailkeel.facts import HostFacts
from mailkeel.spec.model import Spec

#: The level whose defaults a release's Postfix knows; fixed, so that an upgrade changes nothing unseen.
COMPATIBILITY_LEVEL = {12: "3.6", 13: "3.9"}

_LOOPBACK = ("127.0.0.0/8", "[::ffff:127.0.0.0]/104", "[::1]/128")

#: Removed from a main.cf that has them: what each did is said by a setting of ours, in today's words.
SUPERSEDED = (
    "smtpd_use_tls",
    "smtpd_enforce_tls",
    "smtp_use_tls",
    "smtp_enforce_tls",
    "smtpd_tls_cert_file",
    "smtpd_tls_key_file",
    "smtpd_tls_dh1024_param_file",
    "smtpd_tls_eecdh_grade",
    "mynetworks_style",
)


def sections(spec: Spec, facts: HostFacts, inputs: Inputs) -> tuple[Section, ...]:
    """All of main.cf that mailkeel manages in local mode, in reading order."""
    return (
        Section("Who this host is", _identity(spec, facts)),
        Section("Delivery to the accounts of this host", _delivery()),
        Section("Who may send what through this host", _restrictions(inputs)),
        Section("SMTP as strict as the world allows", _protocol()),
        Section("TLS", _tls(facts, inputs)),
        Section("Signing and judging mail", _milters(inputs)),
        Section("Limits and queue", _limits(spec)),
    )


def _identity(spec: Spec, facts: HostFacts) -> tuple[Setting, ...]:
    return (
        Setting(
            "compatibility_level", COMPATIBILITY_LEVEL[facts.debian], "Defaults as of this Postfix release."
        ),
        Setting(
            "myhostname",
            literal(spec.hostname),
            "The name said in EHLO. Receivers expect it to resolve to this host's address and back.",
        ),
        Setting(
            "myorigin", literal(spec.primary.name), "What is added to a bare local name, as in cron's mail."
        ),
        Setting(
            "mydestination",
            listed([*map(literal, tables.mail_names(spec)), "localhost"]),
            "Mail for these is delivered here, to the host's accounts.",
        ),
        Setting("inet_interfaces", "all", "The world delivers to port 25."),
        Setting(
            "inet_protocols",
            "all" if facts.has_ipv6 else "ipv4",
            "" if facts.has_ipv6 else "This host has no IPv6 address: Postfix would warn at each start.",
        ),
        Setting(
            "mynetworks",
            " ".join(_LOOPBACK),
            "Only programs on this host may send without a password; everyone else authenticates.",
        ),
        Setting("smtpd_banner", "$myhostname ESMTP", "No software names: they help only an attacker."),
        Setting("append_dot_mydomain", "no", "A name without a dot is not completed by guessing."),
        Setting("biff", "no", "No notices to terminals for each message: they cost a network call."),
    )


def _delivery() -> tuple[Setting, ...]:
    return (
        Setting("mail_spool_directory", "/var/mail", "One mailbox file (mbox) for each account."),
        Setting("home_mailbox", "", "Not in home folders: /var/mail is where the tools look."),
        Setting("mailbox_command", "", "Postfix delivers by itself, with locks and fsync."),
        Setting(
            "alias_maps",
            f"texthash:{tables.ALIASES}, hash:/etc/aliases",
            "The specification's aliases first, then /etc/aliases, which stays yours.",
        ),
        Setting("alias_database", "hash:/etc/aliases", "What newaliases(1) builds."),
        Setting("recipient_delimiter", "+", "alice+shop@ reaches alice."),
        Setting(
            "luser_relay",
            "",
            "Unknown recipients are refused at RCPT: accepted mail would bounce to forged senders.",
        ),
        Setting("relayhost", "", "Mail leaves straight to the recipient's MX."),
        Setting("lmtp_destination_recipient_limit", "1", "One recipient does not learn of another."),
    )


def _restrictions(inputs: Inputs) -> tuple[Setting, ...]:
    return (
        Setting(
            "smtpd_relay_restrictions",
            listed(["permit_mynetworks", "reject_unauth_destination"]),
            "Not an open relay: from outside, only mail for our own domains is taken on port 25.",
        ),
        Setting("smtpd_helo_required", "yes", "RFC 5321 3.2; programs that skip it send spam."),
        Setting("smtpd_helo_restrictions", listed(["permit_mynetworks", "reject_invalid_helo_hostname"])),
        Setting(
            "smtpd_sender_restrictions",
            listed(
                [
                    "permit_mynetworks",
                    f"check_sender_access regexp:{tables.ENVELOPE_SENDERS}",
                    "reject_non_fqdn_sender",
                    "reject_unknown_sender_domain",
                ]
            ),
            "The address must be one that a bounce could go to, and that every filter behind us reads alike.",
        ),
        Setting(
            "smtpd_recipient_restrictions",
            listed(
                [
                    "permit_mynetworks",
                    "reject_non_fqdn_recipient",
                    "reject_unauth_destination",
                    "reject_unlisted_recipient",
                    f"check_recipient_access texthash:{tables.PRIVATE_RECIPIENTS}",
                    f"check_policy_service unix:private/{inputs.policy_service.service}",
                ]
            ),
            "Unknown recipients are refused before anything else is asked; then SPF is checked (RFC 7208).",
        ),
        Setting(
            "unknown_address_tempfail_action",
            "defer",
            "Without DNS the sender is put off at once; the SPF check would wait 40 s for nothing.",
        ),
        Setting(
            f"{inputs.policy_service.service}_time_limit",
            "3600s",
            "The SPF service is kept between messages.",
        ),
        Setting("smtpd_data_restrictions", "reject_unauth_pipelining"),
        Setting(
            "smtpd_sender_login_maps",
            f"regexp:{tables.SENDER_LOGINS}",
            "Who logs in may send as its own addresses only.",
        ),
        Setting("smtpd_sasl_auth_enable", "no", "Passwords are taken on 587 and 465 only (master.cf)."),
        Setting("smtpd_sasl_type", "dovecot"),
        Setting(
            "smtpd_sasl_path", inputs.sasl_socket, "Dovecot checks the password; Postfix never sees the file."
        ),
        Setting("smtpd_sasl_security_options", "noanonymous"),
        Setting("smtpd_sasl_authenticated_header", "no", "Login names are nobody's business."),
    )


def _protocol() -> tuple[Setting, ...]:
    return (
        Setting(
            "smtpd_forbid_bare_newline",
            "normalize",
            'Postfix before 3.9 defaults to "no": SMTP smuggling (CVE-2023-51764).',
        ),
        Setting("smtpd_forbid_bare_newline_exclusions", "$mynetworks"),
        Setting(
            "smtpd_forbid_unauth_pipelining", "yes", "The other half of smuggling: commands sent too early."
        ),
        Setting("disable_vrfy_command", "yes", "VRFY would tell accounts apart."),
        Setting(
            "smtpd_command_filter",
            f"regexp:{tables.COMMANDS}",
            "Source routes and quoting in the sender, which OpenDMARC reads as another domain.",
        ),
        Setting(
            "message_reject_characters",
            "\\0",
            "NUL is in no message (RFC 5322 2.1); a program that stops there judges less than people see.",
        ),
        Setting("strict_rfc821_envelopes", "yes", "Addresses in angle brackets, without comments."),
        Setting("allow_percent_hack", "no", "user%other@here is an open-relay trick of old."),
        Setting("swap_bangpath", "no"),
        Setting(
            "smtpd_discard_ehlo_keywords",
            "dsn",
            "Delivery reports to strangers confirm which accounts exist.",
        ),
        Setting(
            "header_checks",
            f"regexp:{tables.HEADER_CHECKS}",
            "Verdicts that a message brings along are forged.",
        ),
        Setting(
            "mime_header_checks", "", "Attached messages keep their headers: their signatures cover them."
        ),
        Setting("nested_header_checks", ""),
        Setting(
            "local_header_rewrite_clients",
            "permit_mynetworks, permit_sasl_authenticated",
            "Headers of mail from outside are not touched: it would break signatures.",
        ),
    )


def _tls(facts: HostFacts, inputs: Inputs) -> tuple[Setting, ...]:
    level = "dane" if facts.has_trusted_resolver else "may"
    support = "dnssec" if facts.has_trusted_resolver else "enabled"
    why = "The resolver can be trusted, so DANE (RFC 7672) is checked where a receiver offers it."
    why_not = "The answers of this host's resolver could be forged on the way, so DANE would prove nothing."
    return (
        Setting(
            "smtpd_tls_chain_files",
            listed([literal(inputs.key), literal(inputs.certificate)]),
            "Key first, then the certificate and its chain.",
        ),
        Setting("smtpd_tls_security_level", "may", "On port 25 TLS is offered, not demanded (RFC 2487 5)."),
        Setting("smtpd_tls_auth_only", "yes", "Never a password in clear."),
        Setting("smtpd_tls_received_header", "yes"),
        Setting("smtpd_tls_loglevel", "1"),
        Setting("smtpd_tls_protocols", ">=TLSv1.2", "TLS 1.0 and 1.1 are deprecated (RFC 8996)."),
        Setting("smtpd_tls_mandatory_protocols", ">=TLSv1.2"),
        Setting("smtpd_tls_mandatory_ciphers", "high"),
        Setting("tls_preempt_cipherlist", "yes", "The server's order counts."),
        Setting("tls_ssl_options", "NO_RENEGOTIATION, NO_COMPRESSION"),
        Setting("smtp_tls_security_level", level, why if facts.has_trusted_resolver else why_not),
        Setting("smtp_dns_support_level", support),
        Setting(
            "dnssec_probe", "", "A resolver that does not validate is no error: TLS is then as without DANE."
        ),
        Setting("smtp_tls_protocols", ">=TLSv1.2"),
        Setting("smtp_tls_mandatory_protocols", ">=TLSv1.2"),
        Setting("smtp_tls_loglevel", "1"),
        Setting("smtp_tls_CAfile", "/etc/ssl/certs/ca-certificates.crt"),
        Setting("smtp_tls_session_cache_database", "btree:${data_directory}/smtp_scache"),
    )


def _milters(inputs: Inputs) -> tuple[Setting, ...]:
    everything = [f"unix:{milter.socket}" for milter in inputs.milters]
    signing = [f"unix:{milter.socket}" for milter in inputs.milters if milter.signs]
    return (
        Setting("smtpd_milters", listed(everything), "In this order: each sees what the one before added."),
        Setting("non_smtpd_milters", listed(signing), "Mail by sendmail(1), and bounces, are signed too."),
        Setting(
            "internal_mail_filter_classes", "bounce", "Postfix's own bounces go through the milters as well."
        ),
        Setting(
            "milter_default_action",
            "tempfail",
            "With a filter down mail waits; `accept` would send it unsigned and let it in unjudged.",
        ),
        Setting("milter_protocol", "6"),
    )


def _limits(spec: Spec) -> tuple[Setting, ...]:
    lifetime = f"{spec.limits.queue_lifetime_seconds}s"
    return (
        Setting("message_size_limit", str(spec.limits.message_size_bytes), "In octets."),
        Setting("mailbox_size_limit", "0", "A mailbox file may grow: a limit would bounce mail."),
        Setting("maximal_queue_lifetime", lifetime, "So long a message is tried before it bounces."),
        Setting("bounce_queue_lifetime", lifetime),
        Setting("delay_warning_time", "4h", "The sender is told once when mail is late."),
        Setting("smtpd_error_sleep_time", "1s"),
        Setting("smtpd_soft_error_limit", "5"),
        Setting("smtpd_hard_error_limit", "10", "Clients that guess addresses are cut off."),
        Setting("smtpd_client_connection_count_limit", "20", "One address cannot take all connections."),
    )


def listeners(spec: Spec, inputs: Inputs) -> tuple[Entry, ...]:
    """All of master.cf that mailkeel manages in local mode."""
    return (
        Entry("25", "inet", "smtpd", private="n", reason="The world: mail for our domains, no passwords."),
        _submission("587", "postfix/submission", spec, inputs, "Our users, STARTTLS first (RFC 6409)."),
        _submission(
            "465", "postfix/submissions", spec, inputs, "Our users, TLS from the first byte (RFC 8314 3.3)."
        ),
        Entry(
            "submission-cleanup",
            "unix",
            "cleanup",
            private="n",
            maxproc="0",
            options=(
                ("syslog_name", "postfix/submission"),
                ("header_checks", f"regexp:{tables.SUBMISSION_HEADER_CHECKS}"),
                ("always_add_missing_headers", "yes"),
            ),
            reason="Completes submitted mail (RFC 6409 8) and hides the author's address.",
        ),
        Entry(
            inputs.policy_service.service,
            "unix",
            f"spawn user={inputs.policy_service.user} argv={inputs.policy_service.argv}",
            unprivileged="n",
            chroot="n",
            maxproc="0",
            reason="Checks SPF.",
        ),
    )


def _submission(port: str, log_name: str, spec: Spec, inputs: Inputs, reason: str) -> Entry:
    signing = ", ".join(f"unix:{milter.socket}" for milter in inputs.milters if milter.signs)
    return Entry(
        port,
        "inet",
        "smtpd",
        private="n",
        reason=reason,
        options=(
            ("syslog_name", log_name),
            ("smtpd_tls_security_level", "encrypt"),
            *((("smtpd_tls_wrappermode", "yes"),) if port == "465" else ()),
            ("smtpd_sasl_auth_enable", "yes"),
            ("smtpd_client_restrictions", ""),
            ("smtpd_helo_restrictions", ""),
            ("smtpd_sender_restrictions", "reject_non_fqdn_sender, reject_sender_login_mismatch"),
            ("smtpd_recipient_restrictions", "reject_non_fqdn_recipient, permit_sasl_authenticated, reject"),
            ("smtpd_relay_restrictions", "permit_sasl_authenticated, reject"),
            ("smtpd_client_auth_rate_limit", str(spec.limits.auth_attempts_per_minute)),
            ("smtpd_discard_ehlo_keywords", ""),
            ("smtpd_milters", signing),
            ("milter_macro_daemon_name", "ORIGINATING"),
            ("cleanup_service_name", "submission-cleanup"),
        ),
    )
