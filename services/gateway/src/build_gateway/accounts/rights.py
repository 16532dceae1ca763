"""Rights: what a person may do, of all that gives them something: of several roles the highest counts. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from build_chassis.auth import Principal, ProjectRole, Role, rank_of
from build_protocol.project_config import Project

from build_gateway.store.rows import Rights

GroupRoles = Mapping[str, Mapping[str, ProjectRole]]
"""By group, its role in single projects."""


def principal_of(name: str, given: Iterable[Rights]) -> Principal:
    """Who has all of these rights."""
    everywhere: list[Role] = []
    single: dict[str, ProjectRole] = {}
    for rights in given:
        if rights.projects is None:
            everywhere.append(rights.role)
        for project in rights.projects or ():
            # An admin of some projects could give itself the others: there is no more to it than to a maintainer.
            role = "maintainer" if rights.role == "admin" else rights.role
            single[project] = max(single.get(project, role), role, key=rank_of)
        for project, role in rights.roles.items():
            single[project] = max(single.get(project, role), role, key=rank_of)
    if everywhere:
        base = max(everywhere, key=rank_of)
        higher = {project: role for project, role in single.items() if rank_of(role) > rank_of(base)}
        return Principal(name, base, None, roles=higher)
    least = min(single.values(), key=rank_of) if single else "viewer"
    others = {project: role for project, role in single.items() if role != least}
    return Principal(name, least, frozenset(single), roles=others)


def group_roles(projects: Mapping[str, Project]) -> GroupRoles:
    """What config.yaml gives to groups."""
    roles: dict[str, dict[str, ProjectRole]] = {}
    for name, project in projects.items():
        for group, role in project.groups.items():
            roles.setdefault(group, {})[name] = role
    return roles


def fingerprint(principal: Principal) -> str:
    """The same for the same rights: a token holds as long as its owner has those that it was given with."""
    projects = None if principal.projects is None else sorted(principal.projects)
    rights = [principal.role, projects, sorted(principal.roles.items())]
    return hashlib.sha256(json.dumps(rights).encode()).hexdigest()[:16]
