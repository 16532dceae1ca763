"""The cut: past a quota the lines of a build's log keep their numbers and lose their text. Pure.

Records keep their places, so that the agent's spool empties and nothing behind them waits; what is cut is one gap of
the log, which grows. The cut begins with the step after the one that reached the quota: it is stored before any text is
dropped by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from build_protocol.messages import Gap

from build_ingest.records.delivery import RecordDelivery
from build_ingest.records.fold import GAPS_SHOWN, BuildState, Cut


@dataclass(frozen=True, slots=True)
class Quota:
    """How many bytes of log a build keeps, and why, as a sentence for the gap."""

    max_bytes: int
    reason: str


def without_text(state: BuildState | None, deliveries: Sequence[RecordDelivery]) -> list[RecordDelivery]:
    """The deliveries that follow `state`, as they are kept and shown."""
    if state is None or state.cut is None:
        return list(deliveries)
    return [_blank(delivery) for delivery in deliveries]


def is_cut(state: BuildState | None, seq: int) -> bool:
    """Whether the record of this number lost its text."""
    return state is not None and state.cut is not None and seq > state.cut.after_seq


def cut(after: BuildState, accepted: Sequence[RecordDelivery], quota: Quota | None) -> BuildState:
    """The state after a step that `accepted` made, with its cut begun or grown."""
    known = after.cut
    if known is None:
        if quota is None or after.build.log_bytes <= quota.max_bytes:
            return after
        gap = Gap(after_line=after.build.log_lines, bytes=0, lines=0, reason=quota.reason)
        return after.model_copy(update={"cut": Cut(after_seq=after.applied, gap=gap)})
    dropped_bytes = sum(_text_bytes(delivery) for delivery in accepted)
    if not dropped_bytes:
        return after
    gap = known.gap.model_copy(
        update={"bytes": known.gap.bytes + dropped_bytes, "lines": after.build.log_lines - known.gap.after_line}
    )
    shown = [gap, *(other for other in after.build.gaps if other != known.gap)][:GAPS_SHOWN]
    build = after.build.model_copy(update={"gaps": shown})
    return after.model_copy(update={"build": build, "cut": known.model_copy(update={"gap": gap})})


def _blank(delivery: RecordDelivery) -> RecordDelivery:
    log = delivery.log
    if log is None:
        return delivery
    data = log.data.model_copy(update={"lines": [""] * len(log.data.lines)})
    return replace(delivery, record=log.model_copy(update={"data": data}))


def _text_bytes(delivery: RecordDelivery) -> int:
    return 0 if delivery.log is None else sum(len(line.encode()) for line in delivery.log.data.lines)
