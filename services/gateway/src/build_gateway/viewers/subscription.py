"""What a viewer subscribed to. Pure."""

from build_chassis.auth import Principal
from build_protocol.frames import Subscribe

from build_gateway.viewers.events import BuildEvent, LogEvent

ALL = "*"


class Subscription:
    """One SUBSCRIBE of one person; nothing of a project the person may not see passes."""

    def __init__(self, principal: Principal, wanted: Subscribe) -> None:
        self._principal = principal
        self._projects = None if ALL in wanted.projects else frozenset(wanted.projects)
        self._events = None if ALL in wanted.events else frozenset(wanted.events)
        self._cursors = {build_id: wanted.after_seq.get(build_id, 0) for build_id in wanted.build_ids}

    @property
    def followed(self) -> frozenset[str]:
        """Builds whose log text is pushed."""
        return frozenset(self._cursors)

    def wants_build(self, event: BuildEvent) -> bool:
        """Whether this change of a build is for the viewer: subscribed by project and type, or followed."""
        if not self._principal.may_see(event.project):
            return False
        if event.build_id in self._cursors:
            return True
        is_project = self._projects is None or event.project in self._projects
        return is_project and (self._events is None or not self._events.isdisjoint(event.events))

    def wants_log(self, event: LogEvent) -> bool:
        """Whether these lines are for the viewer and new to it; lines wanted once are not new again."""
        cursor = self._cursors.get(event.build_id)
        if cursor is None or event.seq <= cursor or not self._principal.may_see(event.project):
            return False
        self._cursors[event.build_id] = event.seq
        return True

    def seen_by(self, principal: Principal) -> None:
        """The same subscription with the person's rights as they are now."""
        self._principal = principal
