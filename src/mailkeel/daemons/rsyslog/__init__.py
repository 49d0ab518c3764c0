"""rsyslog and logrotate: /var/log/mail.log and mail.err (O3). Debian 12 and 13 have no syslog daemon."""

from __future__ import annotations

from mailkeel.resources import Desired, File, Package, Service

CONF = "/etc/rsyslog.d/60-mailkeel.conf"
ROTATION = "/etc/logrotate.d/mailkeel-mail.err"


def desired() -> Desired:
    """What logging needs. Debian's own rsyslog.conf writes and rotates mail.log."""
    return Desired(
        packages=(
            Package("rsyslog", "writes /var/log/mail.log"),
            Package("logrotate", "keeps the logs small"),
        ),
        files=(
            File(CONF, _CONFIGURATION.encode(), "mail errors get a file of their own"),
            File(ROTATION, _ROTATION.encode(), "rotation of /var/log/mail.err"),
        ),
        services=(
            Service(
                "rsyslog",
                unit="rsyslog.service",
                fallback=("/usr/sbin/rsyslogd",),
                pid_file="/run/rsyslogd.pid",
                process="rsyslogd",
                why="mail log",
                restart_on=frozenset({CONF}),
            ),
        ),
    )


_CONFIGURATION = """\
# Written by mailkeel. mail.log holds everything, mail.err what needs a person.
mail.err  /var/log/mail.err
"""

_ROTATION = """\
# Written by mailkeel.
/var/log/mail.err {
    weekly
    rotate 4
    missingok
    notifempty
    compress
    delaycompress
    sharedscripts
    postrotate
        /usr/lib/rsyslog/rsyslog-rotate
    endscript
}
"""
