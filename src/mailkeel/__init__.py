"""mailkeel: plan, apply and prove a Debian mail server."""

__version__ = "0.1.0"
