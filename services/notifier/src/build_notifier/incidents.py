"""Incidents: what a verdict changes about a branch, and what of that is news. Pure.

| a coloured build                                | the branch                                 | told          |
|-------------------------------------------------|--------------------------------------------|---------------|
| red, shows a signature of an open incident      | joins it                                   | to new owners |
| red, shows another one, its config is in one    | the incident gains the signature           | changed       |
| red, but started before its incident was closed | belongs to the closed one                  | -             |
| red, and heard of only after its lane's fix     | opens an incident that is over, or joins   | opened, fixed |
| red, else                                       | opens an incident                          | opened        |
| red, and its config never had a colour          | opens or joins silently: it is no news     | -             |
| green                                           | recovers; the last one closes the incident | fixed         |

Builds without a colour (lost, cancelled, infra) and builds that their lane overtook (`late.py`) change no incident.
"""

from build_protocol.messages import BuildVerdict, Commit

from build_notifier import ids, late
from build_notifier.branch import Branch, Evidence, Incident, Lane, Member
from build_notifier.colours import Colour, Place, colour_of, place_of, signatures_of
from build_notifier.draft import Draft
from build_notifier.planning.missing import note_agent

SIGNATURES_KEPT = 50
"""An incident that changes its face more often than this is no longer news."""


def apply(branch: Branch, verdict: BuildVerdict, *, now_ms: int, quiet_ms: int) -> Branch:
    """The branch after this verdict of origin `ci`; a repeated or overtaken verdict changes nothing."""
    config, place, colour = verdict.data.config, place_of(verdict), colour_of(verdict)
    lane = branch.lanes.get(config)
    is_newest = lane is None or _follows(place, lane.last)
    if not is_newest and (lane is None or colour is None or late.is_known(lane, place)):
        return branch
    draft = Draft.of(branch, now_ms, quiet_ms)
    if colour is not None and _is_colour_of_its_lane(lane, place):
        if colour == "red":
            _redden(draft, verdict, lane.colour if lane else None)
        else:
            _recover(draft, verdict)
    elif lane is not None and colour == "red":
        late.note_red(draft, lane, verdict)
    if is_newest:
        note_agent(draft, verdict)
    known = lane or Lane(last=place, heard_at=now_ms)
    if is_newest:
        known = known.model_copy(update={"last": place, "heard_at": now_ms})
    draft.lanes[config] = late.remembering(known, verdict, colour) if colour is not None else known
    return draft.result()


def _is_colour_of_its_lane(lane: Lane | None, place: Place) -> bool:
    return lane is None or lane.newest is None or _follows(place, lane.newest.place)


def _follows(place: Place, other: Place) -> bool:
    if place.build_id == other.build_id:
        return place.revision > other.revision
    return place > other


def _redden(draft: Draft, verdict: BuildVerdict, before: Colour | None) -> None:
    signatures, config = signatures_of(verdict), verdict.data.config
    shown = draft.breaks_showing(signatures)
    own = [incident for incident in draft.open_incidents("break") if config in incident.red_configs]
    if shown:
        for incident in shown:
            _join(draft, incident, verdict, before)
    elif (closed := late.closed_meanwhile(draft, verdict, signatures)) is not None:
        _join_late(draft, closed, verdict)
    elif own:
        _change(draft, own[0], signatures[0], verdict)
    else:
        incident = draft.open(signatures[0], verdict, is_told=before is not None)
        if incident.is_told:
            draft.say("opened", incident, incident.opening)


def _join(draft: Draft, incident: Incident, verdict: BuildVerdict, before: Colour | None) -> None:
    config = verdict.data.config
    if config in incident.red_configs:
        return
    is_news = before is not None
    joined = incident.model_copy(
        update={
            "members": {**incident.members, config: Member(config=config, build_id=verdict.build_id)},
            "suspects": _shared(incident.suspects, verdict.data.commits),
            "is_told": incident.is_told or is_news,
        }
    )
    draft.put(joined)
    if is_news:
        # Told again under the same key: whoever was told already is not, a joining config's owner is.
        draft.say("opened", joined, joined.opening if incident.is_told else Evidence.of(verdict))


def _change(draft: Draft, incident: Incident, signature: str, verdict: BuildVerdict) -> None:
    if len(incident.signatures) >= SIGNATURES_KEPT:
        return
    changed = incident.model_copy(update={"signatures": [*incident.signatures, signature], "is_told": True})
    draft.put(changed)
    draft.say("changed", changed, Evidence.of(verdict), key=f"changed:{ids.short(signature)}")


def _join_late(draft: Draft, incident: Incident, verdict: BuildVerdict) -> None:
    config = verdict.data.config
    update: dict[str, object] = {
        "members": {**incident.members, config: Member(config=config, build_id=verdict.build_id)}
    }
    if draft.withdraw(incident, "fixed"):
        # Nobody was told of the fix yet, and here is a config that still waits for it.
        update |= {"is_open": True, "closed_at": None, "closing": None}
    draft.put(incident.model_copy(update=update))


def _recover(draft: Draft, verdict: BuildVerdict) -> None:
    config = verdict.data.config
    for incident in draft.open_incidents("break"):
        member = incident.members.get(config)
        if member is None or member.is_recovered:
            continue
        members = {**incident.members, config: member.model_copy(update={"is_recovered": True})}
        recovered = incident.model_copy(update={"members": members})
        if recovered.is_over:
            evidence = Evidence.of(verdict)
            recovered = recovered.model_copy(update={"is_open": False, "closed_at": draft.now_ms, "closing": evidence})
            if incident.is_told:
                draft.hurry(recovered)
                draft.say("fixed", recovered, evidence)
        draft.put(recovered)


def _shared(known: list[Commit] | None, more: list[Commit] | None) -> list[Commit] | None:
    """Commits that all configs with a known range suspect; the range known first where they share none."""
    if known is None or more is None:
        return known if more is None else more
    named = {commit.sha for commit in more}
    return [commit for commit in known if commit.sha in named] or known
