"""Keys: digests that stand for what a row is about, so that writing it twice is writing it once."""

from hashlib import blake2b, sha256


def branch_key(project: str, branch: str) -> str:
    """The key of a branch's row."""
    return _digest("branch", project, branch)


def incident_id(project: str, branch: str, signature: str, opened_by: str) -> str:
    """The id of the incident this build opens with this signature."""
    return _digest("incident", project, branch, signature, opened_by)[:16]


def notification_id(rule: str, incident: str, transition: str, recipient: str) -> str:
    """The claim on telling one recipient one thing: 64 hex digits, whoever decides it."""
    return sha256("\x1f".join((rule, incident, transition, recipient)).encode()).hexdigest()


def short(text: str) -> str:
    """12 hex digits that stand for a text which must not be shown, or is too long for a key."""
    return _digest("short", text)[:12]


def _digest(*words: str) -> str:
    return blake2b("\x1f".join(words).encode(), digest_size=16).hexdigest()
