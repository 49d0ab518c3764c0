"""A Debian in memory: what its packages bring, as far as mail goes, for `FakeHost`."""

from __future__ import annotations

from mailkeel.daemons.itself import LIBRARIES
from mailkeel.host.fake import Contents, FakeHost
from mailkeel.host.interface import Entry, Kind
from mailkeel.resources import Package

MAIN_CF = b"""\
# See /usr/share/postfix/main.cf.dist for a commented, more complete version

# Debian specific:  Specifying a file name will cause the first
# line of that file to be used as the name.
#myorigin = /etc/mailname

smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no

# appending .domain is the MUA's job.
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6

# TLS parameters
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache

smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mx.example.test
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
mydestination = $myhostname, mx.example.test, localhost.example.test, , localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""

MASTER_CF = b"""\
#
# Postfix master process configuration file.  For details on the format
# of the file, see the master(5) manual page.
#
# ==========================================================================
# service type  private unpriv  chroot  wakeup  maxproc command + args
#               (yes)   (yes)   (no)    (never) (100)
# ==========================================================================
smtp      inet  n       -       y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
#  -o syslog_name=postfix/submission
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
local     unix  -       n       n       -       -       local
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""

ARCHIVE = {
    **{name: Contents() for name in (*LIBRARIES, "bind9-dnsutils", "mailutils", "ca-certificates")},
    "openssl": Contents(files=(("/etc/ssl/openssl.cnf", b"# openssl\n"),)),
    "logrotate": Contents(files=(("/etc/logrotate.conf", b"weekly\n"),)),
    "rsyslog": Contents(
        files=(("/etc/rsyslog.conf", b"$IncludeConfig /etc/rsyslog.d/*.conf\n"),),
        services=("rsyslog",),
        folders=(("/etc/rsyslog.d", "root", "root"), ("/var/spool/rsyslog", "root", "root")),
        depends=("libestr0",),
    ),
    "opendkim": Contents(
        files=(
            ("/etc/opendkim.conf", b"Syslog yes\nSocket local:/run/opendkim/opendkim.sock\n"),
            ("/etc/default/opendkim", b"RUNDIR=/run/opendkim\n"),
            ("/etc/init.d/opendkim", b"#!/bin/sh\n"),
        ),
        accounts=("opendkim",),
        services=("opendkim",),
        folders=(("/etc/dkimkeys", "opendkim", "opendkim"),),
        answers=(("/var/spool/postfix/opendkim/opendkim.sock", "opendkim"),),
        depends=("libopendkim11",),
    ),
    "opendkim-tools": Contents(depends=("libopendkim11",)),
    "opendmarc": Contents(
        files=(("/etc/opendmarc.conf", b"Socket local:/run/opendmarc/opendmarc.sock\n"),),
        accounts=("opendmarc",),
        services=("opendmarc",),
        folders=(("/var/lib/opendmarc", "opendmarc", "opendmarc"),),
        answers=(("/var/spool/postfix/opendmarc/opendmarc.sock", "opendmarc"),),
        depends=("dbconfig-no-thanks",),
    ),
    "publicsuffix": Contents(files=(("/usr/share/publicsuffix/public_suffix_list.dat", b"com\n"),)),
    "postfix-policyd-spf-python": Contents(
        files=(("/etc/postfix-policyd-spf-python/policyd-spf.conf", b"debugLevel = 1\n"),),
        accounts=("policyd-spf",),
    ),
    "dovecot-core": Contents(
        leaves=(
            ("/etc/dovecot/dovecot.conf", b"!include conf.d/*.conf\n"),
            ("/etc/dovecot/conf.d/10-auth.conf", b"!include auth-system.conf.ext\n"),
        ),
        accounts=("dovecot", "dovenull"),
        services=("dovecot",),
        answers=(("/var/spool/postfix/private/auth", "dovecot"),),
    ),
    "postfix": Contents(
        files=(("/etc/postfix/main.cf", MAIN_CF), ("/etc/postfix/master.cf", MASTER_CF)),
        accounts=("postfix", "postdrop"),
        services=("postfix",),
        folders=(
            ("/var/spool/postfix", "root", "root"),
            ("/var/spool/postfix/private", "postfix", "root"),
            ("/var/spool/postfix/deferred", "postfix", "root"),
        ),
        leaves=(("/etc/aliases", b"postmaster: root\n"), ("/etc/mailname", b"mx.example.test\n")),
        answers=tuple((f"127.0.0.1:{port}", "postfix") for port in (25, 465, 587)),
        conflicts=("exim4",),
    ),
    "exim4": Contents(
        services=("exim4",), leaves=(("/etc/exim4/exim4.conf", b"# exim\n"),), conflicts=("postfix",)
    ),
}

OS_RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'


def bare() -> FakeHost:
    """A fresh Debian 13 under systemd, with none of the packages."""
    host = FakeHost(archive=dict(ARCHIVE))
    host.state.entries |= {
        "/etc/os-release": Entry(Kind.FILE, OS_RELEASE),
        "/etc/resolv.conf": Entry(Kind.FILE, b"nameserver 127.0.0.1\n"),
        "/run/systemd/system": Entry(Kind.DIRECTORY, mode=0o755),
        "/proc/net/if_inet6": Entry(Kind.FILE, b"fe80...\n"),
    }
    return host


def with_postfix() -> FakeHost:
    """One on which Postfix runs as Debian configures it."""
    host = bare()
    host.install([Package("postfix", "")], print)
    host.actions.clear()
    return host


def nobody(_: str) -> None:
    """Progress for which nobody waits."""
