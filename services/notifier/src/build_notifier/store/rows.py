"""What branches and notifications look like in a store: what they are found by, beside all of them as JSON text."""

from typing import Any

from build_notifier.records.branch import Branch
from build_notifier.records.notification import Notification
from build_notifier.store.contract import StoredBranch


def branch_values(branch: Branch, version: int) -> dict[str, Any]:
    """All of a branch's row but its key."""
    found_by = {"project": branch.project, "due_at": branch.due_at, "touched_at": branch.touched_at}
    return {**found_by, "version": version, "body": branch.to_json()}


def notification_values(notification: Notification, version: int) -> dict[str, Any]:
    """All of a notification's row but its id."""
    return {
        "project": notification.project,
        "state": notification.state,
        "incident": notification.incident,
        "build_id": notification.build_id,
        "due_at": notification.due_at,
        "created_at": notification.created_at,
        "version": version,
        "body": notification.to_json(),
    }


def branch_of(body: str, version: int) -> StoredBranch:
    """The branch back from its row."""
    return StoredBranch(Branch.model_validate_json(body), version)


def notification_of(body: str, version: int) -> Notification:
    """The notification back from its row."""
    return Notification.model_validate_json(body).model_copy(update={"version": version})
