"""What a change of the policies means: for clients, for the platform, route by route."""

from gwc.diff.change import Change, Level, Subject
from gwc.diff.compare import diff

__all__ = ["Change", "Level", "Subject", "diff"]
