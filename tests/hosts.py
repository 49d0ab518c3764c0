"""Hosts on which the mail packages are installed already: made once, shared by all tests that need them."""

from __future__ import annotations

from mailkeel.lab.hosts import LabHost
from mailkeel.lab.prepared import HOSTNAME, prepared_root
from mailkeel.lab.roots import LIBRARY_PACKAGES, MAIL_PACKAGES, TOOL_PACKAGES, Root

INSTALL_TIMEOUT_SECONDS = 600

PRESEEDS = f"""\
postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string {HOSTNAME}
opendmarc opendmarc/dbconfig-install boolean false
"""

# The packages are in apt's cache on the bare root; there is no network.
_INSTALL = ["apt-get", "-y", "-q", "--no-install-recommends", "install"]


def installed_root(release: str) -> Root:
    """The root of a host with every package of local mode, configured by Debian alone."""
    packages = (*MAIL_PACKAGES, *LIBRARY_PACKAGES, *TOOL_PACKAGES)
    return prepared_root(release, "installed", _install, "\n".join((PRESEEDS, *packages)))


def _install(host: LabHost) -> None:
    host.run(["debconf-set-selections"], input=PRESEEDS)
    packages = (*MAIL_PACKAGES, *LIBRARY_PACKAGES, *TOOL_PACKAGES)
    host.run([*_INSTALL, *packages], timeout=INSTALL_TIMEOUT_SECONDS)
