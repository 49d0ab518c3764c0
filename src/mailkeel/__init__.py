"""mailkeel: plan, rehearse, apply, prove and watch a Debian mail server."""

__version__ = "0.1.0"
