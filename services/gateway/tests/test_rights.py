"""Rights: what somebody may do where, of all that gives them something. Pure."""

from typing import Any

import pytest
from build_chassis.auth import Principal
from build_chassis.errors import Forbidden, NotFound
from build_gateway.accounts.rights import fingerprint, group_roles, principal_of
from build_gateway.store.rows import Rights
from build_protocol.project_config import Project

PROJECTS = ("a", "b", "c")


def rights(role: Any = "viewer", projects: tuple[str, ...] | None = (), **roles: Any) -> Rights:
    return Rights(role=role, projects=projects, roles=roles)


GIVEN: dict[str, tuple[list[Rights], tuple[str | None, str | None, str | None]]] = {
    "nothing": ([rights()], (None, None, None)),
    "a role everywhere": ([rights("developer", None)], ("developer",) * 3),
    "a role in some": ([rights("developer", ("a",))], ("developer", None, None)),
    "another role in one": ([rights("viewer", None, b="maintainer")], ("viewer", "maintainer", "viewer")),
    "a lower role takes nothing away": ([rights("developer", None, b="viewer")], ("developer",) * 3),
    "own and a group's": (
        [rights("viewer", ("a",)), rights("developer", ("a", "b"))],
        ("developer", "developer", None),
    ),
    "everywhere by a group": ([rights("developer", ("a",)), rights("viewer", None)], ("developer", "viewer", "viewer")),
    "an admin of some is a maintainer": ([rights("admin", ("a",)), rights(b="viewer")], ("maintainer", "viewer", None)),
    "an admin of all": ([rights(c="viewer"), rights("admin", None)], ("admin",) * 3),
}


@pytest.mark.parametrize("case", GIVEN)
def test_the_highest_role_counts(case: str) -> None:
    """In each project for itself; a project that nothing names does not exist."""
    given, expected = GIVEN[case]

    who = principal_of("ann", given)

    assert expected == tuple(who.role_in(project) for project in PROJECTS)
    assert who.is_full_admin == (expected == ("admin",) * 3)
    assert who.projects is None or who.projects == {name for name, role in zip(PROJECTS, expected, strict=True) if role}


def test_a_change_needs_a_role_in_its_own_project() -> None:
    """A role elsewhere does not help; what somebody does not see is not there for them."""
    who = principal_of("ann", [rights(a="maintainer", b="viewer")])

    who.require("a", "maintainer")
    who.require("b", "viewer")
    with pytest.raises(Forbidden, match="role developer in project b"):
        who.require("b", "developer")
    with pytest.raises(NotFound, match="no project c"):
        who.require("c", "viewer")
    assert (who.projects_where("developer"), who.projects_where("viewer")) == (frozenset("a"), frozenset("ab"))
    assert principal_of("ann", [rights("viewer", None, a="developer")]).projects_where("developer") == frozenset("a")
    assert Principal("ann", "developer", None).projects_where("developer") is None


def test_equal_rights_have_one_fingerprint_and_others_another() -> None:
    """However they came about."""
    by_role = principal_of("ann", [rights("developer", ("a", "b"))])
    by_groups = principal_of("ann", [rights(b="developer"), rights(a="developer")])
    others = [principal_of("ann", given) for given, _ in GIVEN.values()]

    assert fingerprint(by_role) == fingerprint(by_groups)
    assert len({fingerprint(each) for each in others}) == len(
        {(str(each.projects), each.role, str(each.roles)) for each in others}
    )


def test_the_file_gives_roles_to_groups() -> None:
    """By project in the file, by group here."""
    file = {"a": Project(groups={"team": "developer", "leads": "maintainer"}), "b": Project(groups={"team": "viewer"})}

    assert group_roles(file) == {"team": {"a": "developer", "b": "viewer"}, "leads": {"a": "maintainer"}}
