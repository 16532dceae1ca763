"""Verdicts of failures: whose red it is, judged by what came before it in its lane, with the evidence."""

from typing import Literal

from build_protocol.model import WireModel

from history.facts import UNCLASSIFIED, Point

Verdict = Literal["new", "already_red", "flaky", "infra", "unknown"]


class Judged(WireModel):
    """The verdict of one failed build and the sentence that says why; `unknown` never reads as harmless."""

    verdict: Verdict
    evidence: str


def judge(red: Point, before: Point | None, is_green_elsewhere: bool) -> Judged:
    """Judge a failed build.

    `before` is the coloured build that started before it in its lane, None when there is none;
    `is_green_elsewhere`: the same commit also built green in this lane.
    """
    if red.fault == "infra":
        return Judged(verdict="infra", evidence="the first failure is a fault of the machine")
    if is_green_elsewhere:
        return Judged(verdict="flaky", evidence="the same commit also built green in this config")
    if red.fault == "flaky":
        return Judged(verdict="flaky", evidence="the first failure is of a kind known to come and go")
    return _against(red, before)


def _against(red: Point, before: Point | None) -> Judged:
    if before is None:
        return Judged(verdict="unknown", evidence="no earlier build of this config to compare with")
    if before.colour == "green":
        return Judged(verdict="new", evidence=f"build {before.id} before it was green")
    if (set(red.signatures) & set(before.signatures)) - {UNCLASSIFIED}:
        return Judged(verdict="already_red", evidence=f"build {before.id} before it failed in the same way")
    if UNCLASSIFIED in (*red.signatures, *before.signatures):
        return Judged(verdict="unknown", evidence=f"build {before.id} before it failed too; how is not known of both")
    return Judged(verdict="new", evidence=f"build {before.id} before it failed in another way")
