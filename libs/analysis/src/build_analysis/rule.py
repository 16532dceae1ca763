"""Rules: what a line of a tool means, as data.

A rule file is YAML: `tool`, and `rules`, each with an `id`, one or more `has` literals (one must be in the line, which
is checked before the regular expression), a `match`, and examples the rule must and must not answer. Named groups of
`match` become fields of the failure: file, line, col, message, more (appended to the message), target, command, tool,
location (of the project), code (of the tool), number (of the test).
"""

import re
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from build_analysis.failure import Fault

Role = Literal["cause", "ignore", "open", "close", "end", "rollup", "green", "list", "retry", "post"]
ScopeKind = Literal["edge", "test", "gtest", "listing", "action", "log", "run", "step", "attempt"]
"""What a frame is: a leaf (edge, test, gtest, listing, action), a log that a wrapper prints below its own words, one
run of a program that ends with a summary, a CI system's step, an attempt at the whole."""
CONTAINERS = frozenset({"log", "run", "step", "attempt"})

FIELDS = frozenset(
    {"file", "line", "col", "message", "more", "target", "command", "tool", "location", "code", "number"}
)

RANKS = {
    "disk_full": 10,
    "out_of_memory": 10,
    "permission_error": 12,
    "network_error": 12,
    "cache_error": 12,
    "runner_lost": 12,
    "device_error": 12,
    "sanitizer_report": 20,
    "compiler_crash": 20,
    "crash": 20,
    "timeout": 20,
}
"""The nearer to the root cause, the smaller; what is not named here is a specific diagnostic (30)."""

SPECIFIC, WRAPPER, UNKNOWN = 30, 50, 60
PACKAGER_RANK = 42
"""From here on pip, setuptools and their like only say that what they ran failed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class _Matching(_Part):
    match: str
    unless: str | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`match`, compiled."""
        return re.compile(self.match)

    @cached_property
    def unless_pattern(self) -> re.Pattern[str] | None:
        """`unless`, compiled."""
        return re.compile(self.unless) if self.unless else None


class Lookup(_Matching):
    """Looks for a line near the one that matched, to fill fields that line does not show.

    `take` chooses the first or the last matching line within reach; `until` ends the search. `set` replaces fields of
    the failure (a category, a tool) when the lookup finds its line; found groups only fill fields still absent, unless
    `replace`.
    """

    within: int = Field(40, ge=1, le=2000, description="Lines.")
    until: str | None = None
    take: Literal["first", "last"] = "first"
    replace: bool = False
    required: bool = Field(False, description="The rule answers only if this looks back on such a line.")
    paragraph: bool = Field(False, description="Goes on while the following lines match.")
    set: dict[str, str] = Field(default_factory=dict)

    @cached_property
    def until_pattern(self) -> re.Pattern[str] | None:
        """`until`, compiled."""
        return re.compile(self.until) if self.until else None


class Example(_Part):
    """Log text, and what the analyser must find in it: the fields named here, in its first failure."""

    text: str
    expect: dict[str, str | int | None] = Field(default_factory=dict)


class Rule(_Matching):
    """One thing a tool says.

    Roles: `cause` is a failure; `ignore` is a false friend; `open` and `close` bound a scope (a ninja edge, a test)
    whose `outcome` decides what its lines mean; `end` ends a run of diagnostics; `rollup` is a wrapper's word that
    something before it failed; `green` says that all before it went well; `list` heads a list of failed tests; `retry`
    says that what just failed is tried again; `post` says that a CI job is over and cleans up.
    """

    id: str
    role: Role = "cause"
    category: str = "unknown"
    fault: Fault | None = None
    tool: str | None = None
    has: tuple[str, ...] = Field(min_length=1, description="Literals, one of which is in every line that may match.")
    rank: int | None = None
    certain: bool = Field(False, description="No wrapper need confirm it.")
    tentative: bool = Field(False, description="Tools retry it: a failure only if the log ends or fails soon after.")
    scope: ScopeKind | None = None
    outcome: Literal["failed", "passed"] | None = None
    becomes: str | None = Field(None, description="What specific diagnostics inside this scope are: lit_test_failure.")
    alone: bool = Field(False, description="A failure of its own, whatever stands next to it.")
    marked: bool = Field(False, description="Only for what a CI system marks as an error and no other rule answers.")
    lookbehind: bool = Field(False, description="Also found by looking back from a failure; the gate may pass it by.")
    retracts: tuple[str, ...] = Field(
        (), description="Tools whose failed tests passed in the end, as a green word says; `*` is a whole job's word."
    )
    announces: bool = Field(False, description="Names a failed test whose reason, or a list, follows.")
    item: str | None = Field(None, description="One entry of a list.")
    message: str | None = Field(None, description="Instead of the line's own text.")
    strips: str | None = Field(None, description="What stands before each line of the log that this opens.")
    attached: bool = Field(False, description="Opens a log only below a failure whose rule says `awaits_log`.")
    awaits_log: bool = Field(False, description="A wrapper's word: the cause is in the log that follows.")
    panics_are: str | None = Field(None, description="What a crash means in the log that this opens.")
    frames: Literal["python"] | None = None
    signed_by: tuple[str, ...] = Field((), description="Fields that form the signature; default by category.")
    before: tuple[Lookup, ...] = ()
    after: tuple[Lookup, ...] = ()
    examples: tuple[Example, ...] = ()
    counter_examples: tuple[str, ...] = ()

    @field_validator("match")
    @classmethod
    def _groups_are_fields(cls, match: str) -> str:
        unknown = set(re.compile(match).groupindex) - FIELDS
        if unknown:
            msg = f"groups that are no fields: {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        return match

    @cached_property
    def item_pattern(self) -> re.Pattern[str] | None:
        """`item`, compiled."""
        return re.compile(self.item) if self.item else None

    @cached_property
    def strips_pattern(self) -> re.Pattern[str] | None:
        """`strips`, compiled."""
        return re.compile(self.strips) if self.strips else None

    @cached_property
    def effective_rank(self) -> int:
        """The rule's own rank, else its category's."""
        return self.rank if self.rank is not None else rank_of(self.category)


class Frame(_Part):
    """One kind of scope as a tool prints it: what begins it, what ends it and how it went, and what it lies within.

    `begin` and `end` are rules without a role; what the end of a frame says of its outcome is the rule's `outcome`.
    """

    kind: ScopeKind
    tool: str
    parent: ScopeKind | None = None
    about: str = ""
    begin: tuple[Rule, ...] = ()
    end: tuple[Rule, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _roles_follow_from_the_place(cls, frame: Any) -> Any:
        if not isinstance(frame, dict):
            return frame
        roles = {"begin": "open", "end": "close"}
        implied = {"scope": frame.get("kind"), "tool": frame.get("tool")}
        placed = {
            place: [{"role": role, **implied, **rule} for rule in frame.get(place) or ()]
            for place, role in roles.items()
        }
        return {**frame, **placed}


class RuleFile(_Part):
    """The rules of one tool, and the frames of it or of many."""

    tool: str = ""
    about: str = ""
    rules: tuple[Rule, ...] = ()
    frames: tuple[Frame, ...] = ()

    def all_rules(self) -> tuple[Rule, ...]:
        """The rules, and what begins and ends the frames; a rule without a tool of its own gets the file's."""
        framed = tuple(rule for frame in self.frames for rule in (*frame.begin, *frame.end))
        own = (rule if rule.tool else rule.model_copy(update={"tool": self.tool}) for rule in self.rules)
        return (*framed, *own)


def rank_of(category: str) -> int:
    """How near a category is to the root cause; smaller is nearer."""
    return RANKS.get(category, SPECIFIC)
