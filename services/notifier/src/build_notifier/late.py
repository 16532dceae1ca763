"""Late verdicts: builds that are heard of only after a build of their lane that started later. Pure.

Verdicts of one build come in order; those of several builds need not, least of all when everything comes back after an
outage. A red build that had ended before its lane's next green one did would have been told of in its time, so it is
told of now, together with its fix. One that ended after it was overtaken, and is no news.
"""

from collections.abc import Sequence

from build_protocol.messages import BuildVerdict

from build_notifier.branch import Coloured, Evidence, Incident, Lane, Member
from build_notifier.colours import Colour, Place, place_of, signatures_of
from build_notifier.draft import Draft

BUILDS_KEPT = 10
"""Coloured builds a lane remembers: more of one config than end during an outage."""


def is_known(lane: Lane, place: Place) -> bool:
    """Whether the lane remembers this build, or one of a revision as high; or no longer remembers so far back."""
    same = next((build.place for build in lane.builds if build.place.build_id == place.build_id), None)
    if same is not None:
        return same.revision >= place.revision
    return len(lane.builds) >= BUILDS_KEPT and place < lane.builds[0].place


def remembering(lane: Lane, verdict: BuildVerdict, colour: Colour) -> Lane:
    """The lane with this coloured build in its place, without what is too long ago."""
    place = place_of(verdict)
    others = [build for build in lane.builds if build.place.build_id != place.build_id]
    # Only the evidence of a fix is ever asked for again: what failed, and how, may be long.
    evidence = Evidence.of(verdict).model_copy(update={"failure": None, "error": None})
    builds = sorted([*others, Coloured(colour=colour, place=place, evidence=evidence)], key=lambda build: build.place)
    return lane.model_copy(update={"builds": builds[-BUILDS_KEPT:]})


def note_red(draft: Draft, lane: Lane, verdict: BuildVerdict) -> None:
    """Note a red build that is heard of after a later one of its lane."""
    fix = _fix_of(lane, verdict)
    if fix is None:
        return
    signatures, config = signatures_of(verdict), verdict.data.config
    recovered = Member(config=config, build_id=verdict.build_id, is_recovered=True)
    known = draft.breaks_showing(signatures)
    if not known and (closed := closed_meanwhile(draft, verdict, signatures)) is not None:
        known = [closed]
    for incident in known:
        draft.put(incident.model_copy(update={"members": {config: recovered, **incident.members}}))
    if known:
        return
    incident = draft.open(signatures[0], verdict, is_told=True).model_copy(
        update={"members": {config: recovered}, "is_open": False, "closed_at": draft.now_ms, "closing": fix}
    )
    draft.put(incident)
    draft.say("opened", incident, incident.opening)
    draft.hurry(incident)
    draft.say("fixed", incident, fix)


def closed_meanwhile(draft: Draft, verdict: BuildVerdict, signatures: Sequence[str]) -> Incident | None:
    """The closed incident this build was under way for: it shows it, and started before the build that closed it."""
    started_at = place_of(verdict).started_at
    for incident in reversed(draft.incidents.values()):
        if (
            not incident.is_open
            and incident.kind == "break"
            and incident.closing is not None
            and started_at < incident.closing.started_at
            and not set(signatures).isdisjoint(incident.signatures)
        ):
            return incident
    return None


def _fix_of(lane: Lane, verdict: BuildVerdict) -> Evidence | None:
    """The green build that ended a red one's break; None: it was its lane's first, is judged anew, or was overtaken."""
    place, ended_at = place_of(verdict), verdict.data.ended_at
    is_known = any(build.place.build_id == place.build_id for build in lane.builds)
    is_first = not any(build.place < place for build in lane.builds)
    fix = next((build.evidence for build in lane.builds if build.colour == "green" and build.place > place), None)
    if is_known or is_first or fix is None or ended_at is None or fix.ended_at is None:
        return None
    return fix if ended_at < fix.ended_at else None
