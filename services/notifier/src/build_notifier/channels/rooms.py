"""Rooms: the URLs among config.yaml's `channels` are secrets; whatever is stored or shown has a room's name instead."""

from build_protocol.project_config import Project

from build_notifier.records import ids


def room_name(url: str) -> str:
    """What the room of this URL is called where people read it."""
    scheme = url.partition(":")[0]
    return f"{scheme}:{ids.short(url)}"


def room_url(project: Project, name: str) -> str | None:
    """The URL of the room of that name, if the project still has it."""
    return next((url for url in project.channels if room_name(url) == name), None)
