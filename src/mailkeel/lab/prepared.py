"""Roots on which something was done once, so that each host starts with it done."""

from __future__ import annotations

from collections.abc import Callable

from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.machine import locked
from mailkeel.lab.roots import BUILD_TIMEOUT_SECONDS, Root, bare_root, keep, roots_folder, short_hash

# Postinst scripts write the name into configuration, so it is the one that most hosts then have.
HOSTNAME = "mx.example.test"


def prepared_root(
    release: str,
    name: str,
    prepare: Callable[[LabHost], None],
    fingerprint: str,
    *,
    base: Root | None = None,
) -> Root:
    """The root `base`, by default the bare one of `release`, after `prepare` ran on a host started on it.

    Made on first use; a new `fingerprint`, or a new base, makes it again. The host has no network,
    and is shut down cleanly afterwards. What `prepare` raises is raised, and nothing is kept.
    """
    base = base or bare_root(release)
    key = f"{release}-{name}-{short_hash((base.key, name, fingerprint))}"
    folder = roots_folder() / key
    with locked(roots_folder() / f".{key}.lock", BUILD_TIMEOUT_SECONDS):
        if not folder.is_dir():
            with Lab() as lab:
                host = lab.host("prepare", base, hostname=HOSTNAME)
                prepare(host)
                keep(host.freeze(), folder)
    return Root(release, key, (folder, *base.layers))
