"""Which jobs of a CI are agents here without a key: part of config.yaml, and how a job's token matches it."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from build_protocol.model import ProjectName

AGENT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OWNERS: Mapping[str, tuple[str, ...]] = {
    "token.actions.githubusercontent.com": (
        "repository_owner_id",
        "repository_id",
        "repository_owner",
        "repository",
        "sub",
    ),
    "gitlab.com": ("namespace_id", "project_id", "namespace_path", "project_path", "sub"),
    "agent.buildkite.com": ("organization_id", "pipeline_id", "organization_slug", "sub"),
}
"""Claims that tell whose job it is, where everybody may have one."""

ClaimText = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class TrustedCi(BaseModel):
    """Jobs that exchange their CI's OIDC token for an agent's key, good for a short time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str = Field(pattern=AGENT_NAME, max_length=128, description="The agent that these jobs are.")
    issuer: str = Field(max_length=512, description="Who signs the tokens, exactly as their `iss` says it.")
    audience: ClaimText = Field(description="Whom the tokens are for (`aud`): this dashboard's address.")
    claims: dict[str, ClaimText | list[ClaimText]] = Field(
        min_length=1,
        description="What a token must say, all of it; of a list, one. `*` stands for anything but `/` and `:`.",
    )
    projects: list[ProjectName] = Field(min_length=1, description="What these jobs may report of.")

    @field_validator("issuer")
    @classmethod
    def _issuer_is_reached_safely(cls, value: str) -> str:
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not is_local and (parts.scheme != "https" or not parts.hostname or _is_metadata(parts.hostname)):
            raise ValueError(f"{value!r} is no issuer: write https://host, as its tokens' `iss` has it")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"{value!r} is no issuer: an address without user, `?` and `#`")
        return value

    @model_validator(mode="after")
    def _somebody_is_named(self) -> "TrustedCi":
        owners = _OWNERS.get(urlsplit(self.issuer).hostname or "", ())
        if owners and not any(all("*" not in text for text in _texts(self.claims.get(name, "*"))) for name in owners):
            raise ValueError(
                f"claims: everybody has jobs at {self.issuer}; name yours by {', '.join(owners)} without *"
            )
        return self

    def matches(self, claims: Mapping[str, Any]) -> bool:
        """Whether a token with these claims is one of these jobs'; its signature and audience were checked."""
        return claims.get("iss") == self.issuer and all(
            any(_is_like(pattern, value) for pattern in _texts(wanted) for value in _values_of(claims.get(name)))
            for name, wanted in self.claims.items()
        )


def _texts(wanted: str | Sequence[str]) -> Sequence[str]:
    return [wanted] if isinstance(wanted, str) else wanted


def _values_of(value: Any) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, list):
        return [each for each in value if isinstance(each, str)]
    return [str(value)] if isinstance(value, str | int) else []


def _is_like(pattern: str, text: str) -> bool:
    return re.fullmatch("[^/:]*".join(map(re.escape, pattern.split("*"))), text) is not None


def _is_metadata(host: str) -> bool:
    """Whether this is where clouds hand out their machines' credentials."""
    try:
        return ip_address(host).is_link_local
    except ValueError:
        return False
