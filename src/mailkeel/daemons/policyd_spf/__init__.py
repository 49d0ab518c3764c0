"""The SPF policy service (postfix-policyd-spf-python): checks SPF at RCPT (RFC 7208), refuses hosts and
domains that say themselves that they send no mail, and leaves the rest to DMARC."""

from __future__ import annotations

from mailkeel.resources import Desired, File, Package

CONF = "/etc/postfix-policyd-spf-python/policyd-spf.conf"

#: As Postfix starts it (spawn(8)).
SERVICE = "policyd-spf"
USER = "policyd-spf"
ARGV = "/usr/bin/policyd-spf"


def desired() -> Desired:
    """What the SPF check at RCPT needs."""
    return Desired(
        packages=(Package("postfix-policyd-spf-python", "checks SPF of mail from outside"),),
        files=(File(CONF, _CONFIGURATION.encode(), "the SPF check's configuration"),),
    )


_CONFIGURATION = """\
# Written by mailkeel; change /etc/mailkeel/mail.toml instead.

# Each verdict is one line in mail.log.
debugLevel = 1
TestOnly = 1

# Refused is only what bears the name, in EHLO or as envelope sender, of a domain that never sends
# ("v=spf1 -all"). Any other failure is left to DMARC: a forwarded message fails SPF and may still pass
# by its DKIM signature (RFC 7489 10.1). No_Mail only narrows what these two refuse: it needs "Fail".
HELO_reject = Fail
Mail_From_reject = Fail
No_Mail = True

# A broken record is its owner's fault, a DNS time-out nobody's: neither refuses mail.
PermError_reject = False
TempError_Defer = False

# No header: verdicts in headers come from OpenDKIM and OpenDMARC only, so that forged ones stand out.
Header_Type = None

skip_addresses = 127.0.0.0/8,::ffff:127.0.0.0/104,::1
"""
