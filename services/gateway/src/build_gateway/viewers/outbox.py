"""What waits for one viewer: bounded, the newest row of a build once, and RESYNC instead of what did not fit. Pure."""

from collections import OrderedDict

from build_gateway.viewers.events import BuildEvent, LogEvent, resync

ITEMS = 256
SIZE_CHARACTERS = 1024 * 1024


class Outbox:
    """Frames for one viewer, in order."""

    def __init__(self, items: int = ITEMS, size_characters: int = SIZE_CHARACTERS) -> None:
        self._items = items
        self._size_limit = size_characters
        self._waiting: OrderedDict[object, BuildEvent | LogEvent | str] = OrderedDict()
        self._size = 0
        self._count = 0
        self.resyncs = 0
        """RESYNC frames put so far."""

    def __len__(self) -> int:
        return len(self._waiting)

    def reply(self, text: str) -> None:
        """A frame of the session's own (READY, PONG, ...)."""
        self._put(self._next(), text, len(text))

    def offer_build(self, event: BuildEvent) -> None:
        """A changed row; it takes the place of an older one of this build that still waits."""
        waiting = self._waiting.get(event.build_id)
        if isinstance(waiting, BuildEvent):
            older, newer = sorted((waiting, event), key=lambda row: row.revision)
            if older.events <= newer.events:
                self._size += len(newer.text) - len(waiting.text)
                self._waiting[event.build_id] = newer
                return
        key: object = event.build_id if waiting is None else self._next()
        self._put(key, event, len(event.text))

    def offer_log(self, event: LogEvent) -> None:
        """Log lines just stored."""
        self._put(self._next(), event, len(event.text))

    def resync(self, build_id: str | None, reason: str) -> None:
        """Ask the viewer to read again; queued once while it waits."""
        key = ("resync", build_id)
        if key not in self._waiting:
            self.resyncs += 1
            text = resync(build_id, reason)
            self._waiting[key] = text
            self._size += len(text)

    def take(self) -> str:
        """The next frame. Raises KeyError when none waits."""
        _, item = self._waiting.popitem(last=False)
        text = item if isinstance(item, str) else item.text
        self._size -= len(text)
        return text

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _put(self, key: object, item: BuildEvent | LogEvent | str, size: int) -> None:
        self._waiting[key] = item
        self._size += size
        if self._is_full():
            self._discard_logs()
        if self._is_full():
            self._discard_rows()

    def _is_full(self) -> bool:
        return len(self._waiting) > self._items or self._size > self._size_limit

    def _discard_logs(self) -> None:
        discarded = {key: item for key, item in self._waiting.items() if isinstance(item, LogEvent)}
        for key, item in discarded.items():
            del self._waiting[key]
            self._size -= len(item.text)
        for build_id in dict.fromkeys(item.build_id for item in discarded.values()):
            self.resync(build_id, "you read too slowly: read the log's new range")

    def _discard_rows(self) -> None:
        discarded = {key: item for key, item in self._waiting.items() if isinstance(item, BuildEvent)}
        for key, item in discarded.items():
            del self._waiting[key]
            self._size -= len(item.text)
        self.resync(None, "you read too slowly: read the list again")
