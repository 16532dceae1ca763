"""Which tokens of a CI's jobs an entry of config.yaml trusts, and which entries nobody may write."""

from typing import Any

import pytest
from build_protocol.trusted_ci import TrustedCi
from pydantic import ValidationError

GITHUB, GITLAB, BUILDKITE = (
    "https://token.actions.githubusercontent.com",
    "https://gitlab.com",
    "https://agent.buildkite.com",
)


def entry(**changes: Any) -> TrustedCi:
    return TrustedCi.model_validate(
        {
            "agent": "ci",
            "issuer": "https://ci.example.com",
            "audience": "https://dashboard.example.com",
            "claims": {"repository": "llvm/torch-mlir"},
            "projects": ["torch-mlir"],
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("wanted", "shown", "fits"),
    [
        ({"repository": "llvm/torch-mlir"}, {"repository": "llvm/torch-mlir"}, True),
        ({"repository": "llvm/torch-mlir"}, {"repository": "llvm/torch-mlir-evil"}, False),
        ({"repository": "llvm/torch-mlir"}, {"repository": "LLVM/torch-mlir"}, False),
        ({"repository": "llvm/torch-mlir"}, {}, False),
        ({"repository": "llvm/*"}, {"repository": "llvm/x"}, True),
        ({"repository": "llvm/*"}, {"repository": "llvm/x/y"}, False),
        ({"repository": "llvm/*"}, {"repository": "evil/llvm/x"}, False),
        (
            {"sub": "repo:llvm/*:ref:refs/heads/main"},
            {"sub": "repo:llvm/x:ref:refs/heads/evil:ref:refs/heads/main"},
            False,
        ),
        ({"ref": ["refs/heads/main", "refs/heads/release*"]}, {"ref": "refs/heads/release-1"}, True),
        ({"ref": "a.b"}, {"ref": "a-b"}, False),
        ({"ref": "a"}, {"ref": "a\n"}, False),
        ({"ref_protected": "true"}, {"ref_protected": True}, True),
        ({"id": "7"}, {"id": 7}, True),
        ({"groups": "b"}, {"groups": ["a", "b"]}, True),
        ({"groups": "b"}, {"groups": {"b": 1}}, False),
        ({"a": "1", "b": "2"}, {"a": "1"}, False),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}, True),
    ],
)
def test_a_token_must_say_all_of_it(wanted: dict[str, Any], shown: dict[str, Any], fits: bool) -> None:
    """Every claim, to the character; `*` crosses no `/` or `:`; of a list, one; more of the token is not asked."""
    assert fits is entry(claims=wanted).matches({"iss": "https://ci.example.com", **shown})
    assert not entry(claims=wanted).matches({"iss": "https://ci.example.com/", **shown})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "http://ci.example.com"}, "no issuer"),
        ({"issuer": "https://169.254.169.254"}, "no issuer"),
        ({"issuer": "https://[fe80::1]"}, "no issuer"),
        ({"issuer": "file:///etc/passwd"}, "no issuer"),
        ({"issuer": "ci.example.com"}, "no issuer"),
        ({"issuer": "https://user@ci.example.com"}, "no issuer"),
        ({"issuer": "https://ci.example.com?x"}, "no issuer"),
        ({"claims": {}}, "at least 1"),
        ({"projects": []}, "at least 1"),
        ({"projects": ["../x"]}, "pattern"),
        ({"audience": ""}, "at least 1"),
        ({"agent": "a b"}, "pattern"),
        ({"issuer": GITHUB, "claims": {"ref": "refs/heads/main"}}, "everybody has jobs"),
        ({"issuer": GITHUB, "claims": {"repository": "*/torch-mlir"}}, "everybody has jobs"),
        ({"issuer": GITHUB, "claims": {"repository": ["llvm/x", "*/*"]}}, "everybody has jobs"),
        ({"issuer": GITLAB, "claims": {"ref_protected": "true"}}, "everybody has jobs"),
        ({"issuer": BUILDKITE, "claims": {"pipeline_slug": "nightly"}}, "everybody has jobs"),
    ],
)
def test_an_entry_that_trusts_too_many_is_refused(changes: dict[str, Any], words: str) -> None:
    """No issuer that could be anybody on the way, or a cloud's own; nobody is trusted for a branch's name alone."""
    with pytest.raises(ValidationError, match=words):
        entry(**changes)


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        (GITHUB, {"repository_owner_id": "17", "ref": "refs/heads/*"}),
        (GITLAB, {"project_path": "llvm/torch-mlir"}),
        (BUILDKITE, {"organization_slug": "llvm", "pipeline_slug": "*"}),
        ("http://127.0.0.1:8443", {"x": "1"}),
        ("https://gitlab.example.com:8443/path", {"ref_protected": "true"}),
    ],
)
def test_entries_of_the_three_and_of_ones_own_ci(issuer: str, claims: dict[str, str]) -> None:
    """One's own GitLab has one's own jobs only; this machine needs no TLS."""
    assert entry(issuer=issuer, claims=claims).matches(
        {"iss": issuer, **{k: v.replace("*", "x") for k, v in claims.items()}}
    )
