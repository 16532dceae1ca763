"""Keys: digests that stand for what a row is about, so that writing it twice is writing it once."""

from hashlib import blake2b, sha256


def branch_key(project: str, branch: str | None) -> str:
    """The key of a branch's row."""
    return _digest("branch", project, branch or "")


def silence_id(project: str, branch: str | None, signature: str, last_build: str) -> str:
    """The id of an agent's or a config's silence since its last build."""
    return _digest("silence", project, branch or "", signature, last_build)[:16]


def notification_id(rule: str, incident: str, transition: str, recipient: str) -> str:
    """The claim on notifying one recipient of one thing: 64 hex digits, whoever decides it."""
    return sha256("\x1f".join((rule, incident, transition, recipient)).encode()).hexdigest()


def short(text: str) -> str:
    """12 hex digits that stand for a text which must not be shown, or is too long for a key."""
    return _digest("short", text)[:12]


def _digest(*words: str) -> str:
    return blake2b("\x1f".join(words).encode(), digest_size=16).hexdigest()
