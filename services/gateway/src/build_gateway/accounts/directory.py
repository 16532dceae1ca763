"""The directory: who a person is now, what ends their tokens, and the first administrator."""

import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from build_chassis.auth import Principal, ProjectRole, rank_of
from build_chassis.projects import Projects
from build_chassis.secret_rules import ADMIN_PASSWORD
from build_protocol.credentials import TOKEN_PREFIX
from build_protocol.frames import Revoked

from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.rights import GroupRoles, fingerprint, group_roles, principal_of
from build_gateway.accounts.second_factor import SecondFactors
from build_gateway.accounts.tokens import Claims, TokenInvalid, Tokens
from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import Group, Key, RefreshToken, Rights, TokenLevel, User

logger = logging.getLogger("gateway")
FRESH_SECONDS = 3.0
"""How long a user read from the store is trusted: a revocation lost by the control exchange takes effect within 5 s."""
LEEWAY_MS = 20_000
"""How long a spent refresh token is still answered: a page left before the answer came has only that one."""
ENDED_SESSIONS = 200
"""Log-outs a person's row holds; with more of them inside one access token's life, all of the person's sessions end."""
CACHED_USERS = 10_000
ADMIN = "admin"
_MOST: Mapping[TokenLevel | None, ProjectRole] = {"read": "viewer", "write": "developer"}
"""The highest role of a personal token of this level, whatever its person's is."""

RESET = "where nobody can log in, `build-dashboard reset-admin` on the server (`… serve gateway reset-admin`) helps"


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token, the refresh cookie that renews it, and for how many seconds each is valid."""

    access_token: str
    access_seconds: int
    refresh_token: str
    refresh_seconds: int
    user: User


class Directory:
    """People and their tokens."""

    def __init__(
        self,
        store: GatewayStore,
        passwords: Passwords,
        tokens: Tokens,
        *,
        refresh_seconds: int,
        session_seconds: int,
        announce: Callable[[Revoked], Awaitable[None]],
        projects: Projects,
        personal_tokens: Callable[[str], Awaitable[Key | None]] | None = None,
        second_factors: SecondFactors | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._tokens = tokens
        self._refresh_seconds = refresh_seconds
        self._session_seconds = session_seconds
        self._announce = announce
        self._personal_tokens = personal_tokens
        self._second_factors = second_factors
        self._clock = clock
        self._projects = projects
        self._seen: OrderedDict[str, tuple[float, User | None]] = OrderedDict()
        self._groups: tuple[float, dict[str, Group]] = (float("-inf"), {})
        self._configured: tuple[object, GroupRoles] = (None, {})
        self.confirm: Callable[[User], Awaitable[User | None]] | None = None
        """Asks the single sign-on about its people; without one none of them gets in."""

    async def ensure_admin(self, password: str) -> None:
        """User `admin` exists, with this password where it is new; one that is there stays as it is in every respect.

        Idempotent by name, also for gateways that start at once.
        """
        user = await self._store.find_user(ADMIN)
        if user is None:
            if await self._store.add_user(new_admin(await self._passwords.hash(password), int(self._clock() * 1000))):
                logger.info("add user %s with the password of %s", ADMIN, ADMIN_PASSWORD.name)
                return
            user = await self._store.find_user(ADMIN)
        if user is None:
            return
        if not user.is_full_admin:
            state = "is disabled" if user.disabled else f"has role {user.role}, not every right"
            logger.warning("user %s %s, and a restart changes nothing of it: %s", ADMIN, state, RESET)
        if not await self._passwords.check(password, user.password_hash):
            logger.warning(
                "%s is not the password of user %s: the one in force was set earlier and stays; %s",
                ADMIN_PASSWORD.name,
                ADMIN,
                RESET,
            )

    async def change(self, name: str, change: Callable[[User], User], *, ends_sessions: bool = True) -> User | None:
        """Change a user as stored now; tokens issued before are no longer valid, sockets close.

        None: there is no such user. Raises LastAdmin.

        Args:
            name: The user's.
            change: Pure, and called again where others change the user, too.
            ends_sessions: Whether the person has to log in again; if not, only tokens with other rights end.
        """
        changed = await self._store.change_user(
            name, lambda user: ending_tokens(change(user)) if ends_sessions else change(user)
        )
        if changed is None:
            return None
        self.forget(name)
        await self._announce(Revoked(user=name))
        return changed

    async def put_group(self, group: Group) -> None:
        """Put the group in place of the one of its name; tokens of its members that had other rights end."""
        await self._store.put_group(group)
        await self._group_changed(group.name)

    async def drop_group(self, name: str) -> bool:
        """Delete the group; whether there was one. Its members stay members of a group that gives nothing."""
        was_there = await self._store.drop_group(name)
        await self._group_changed(name)
        return was_there

    async def login(self, name: str, password: str, code: str | None = None) -> Grant | None:
        """A grant when the password is right, and the code where one is needed.

        None takes as long, whether or not the user exists. Raises SecondFactorMissing, TooManyFailures.
        """
        user = await self._store.find_user(name)
        is_right = await self._passwords.check(password, user.password_hash if user else None)
        if user is None or not is_right or not user.may_log_in:
            return None
        if self._second_factors is not None and not await self._second_factors.check(user, code):
            return None
        return await self.begin_session(user)

    async def begin_session(self, user: User) -> Grant:
        """A grant for somebody who has proven who they are."""
        ends_at = int(self._clock()) + self._session_seconds
        return await self._grant(user, secrets.token_hex(16), secrets.token_urlsafe(32), ends_at)

    async def refresh(self, token: str) -> Grant | None:
        """The grant that follows a refresh token; shown again later than LEEWAY_MS after, its whole session ends.

        Shown again earlier it is answered with the same successor: there is one line of tokens, and one session.
        """
        now_ms = int(self._clock() * 1000)
        spent = await self._store.spend_refresh(_sha256(token), now_ms)
        if spent is None:
            return None
        row, was_first = spent
        if not was_first and now_ms > (row.spent_at or 0) + LEEWAY_MS:
            logger.warning("end a session of user %s: a spent refresh token was shown again", row.user)
            await self.end_session(row.user, row.family)
            return None
        user = await self._store.find_user(row.user)
        if user is not None:
            user = await self._confirmed(user)
        is_over = now_ms >= min(row.expires_at, row.session_ends_at)
        if user is None or not user.may_log_in or user.version != row.user_version or is_over:
            return None
        grant = await self._grant(user, row.family, self._tokens.successor(token), row.session_ends_at // 1000)
        # A log-out meanwhile either sees the new token and deletes it, or is seen here.
        user = await self._store.find_user(row.user)
        if user is None or row.family in user.ended_sessions:
            await self._store.drop_refresh(row.family)
            return None
        return grant

    async def logout(self, refresh_token: str) -> None:
        """End the session of this refresh token; an unknown token changes nothing."""
        spent = await self._store.spend_refresh(_sha256(refresh_token), int(self._clock() * 1000))
        if spent is not None:
            await self.end_session(spent[0].user, spent[0].family)

    async def end_session(self, name: str, session: str) -> None:
        """End one log-in of a person: its tokens at once here, everywhere within 5 s; its sockets close."""
        now_ms = int(self._clock() * 1000)
        until = now_ms + self._tokens.seconds * 1000

        def end(user: User) -> User:
            ended = {each: at for each, at in user.ended_sessions.items() if at > now_ms} | {session: until}
            changed = user.model_copy(update={"ended_sessions": ended})
            return changed if len(ended) <= ENDED_SESSIONS else ending_tokens(changed)

        await self._store.change_user(name, end)
        await self._store.drop_refresh(session)
        self.forget(name)
        await self._announce(Revoked(user=name))

    async def principal(self, token: str) -> tuple[Principal, Claims]:
        """The user of this access token or personal token, as stored now. Raises TokenInvalid."""
        claims = await self._personal(token) if is_personal(token) else self._tokens.read(token)
        return await self.still(claims), claims

    async def still(self, claims: Claims) -> Principal:
        """The principal of claims read earlier, if they are still valid. Raises TokenInvalid."""
        user = await self._find(claims.user)
        if user is not None and user.version < claims.version:
            # Given after we looked, by another gateway or after `reset-admin`: it is signed, so it is no guess.
            self.forget(claims.user)
            user = await self._find(claims.user)
        if user is None or not user.may_log_in or user.version != claims.version or self._clock() >= claims.expires_at:
            raise TokenInvalid
        if claims.session in user.ended_sessions:
            raise TokenInvalid
        user = await self._confirmed(user)
        if user is None or user.version != claims.version:
            raise TokenInvalid
        principal = await self.principal_now(user)
        if claims.rights not in (None, fingerprint(principal)):
            # A gateway that has not read the newest groups yet takes a token of one that has.
            self.forget_groups()
            principal = await self.principal_now(user)
            if claims.rights != fingerprint(principal):
                raise TokenInvalid
        return narrowed(principal, claims)

    async def principal_now(self, user: User) -> Principal:
        """Who the user is with the rights of the own row, of the groups and of config.yaml."""
        given: list[Rights] = [user]
        if user.groups:
            groups, configured = await self._known_groups(), self._in_config()
            given += [groups[name] for name in user.groups if name in groups]
            given += [
                Rights(role="viewer", projects=(), roles=dict(configured[name]))
                for name in user.groups
                if name in configured
            ]
        return principal_of(user.name, given)

    async def _personal(self, token: str) -> Claims:
        """A personal token as the claims of a session that it would be: its person's rights are read each time."""
        key = None if self._personal_tokens is None else await self._personal_tokens(token)
        user = None if key is None or key.user is None else await self._find(key.user)
        if key is None or user is None or key.expires_at is None or key.password != password_mark(user):
            raise TokenInvalid
        only = None if key.projects is None else frozenset(key.projects)
        return Claims(user.name, user.version, key.id, key.expires_at // 1000, level=key.level, only=only)

    def forget(self, name: str) -> None:
        """Read this user from the store again."""
        self._seen.pop(name, None)

    def forget_groups(self) -> None:
        """Read the groups from the store again."""
        self._groups = (float("-inf"), {})

    async def _grant(self, user: User, session: str, refresh_token: str, ends_at: int) -> Grant:
        left_seconds = ends_at - int(self._clock())
        refresh_seconds = min(self._refresh_seconds, left_seconds)
        access_seconds = min(self._tokens.seconds, left_seconds)
        await self._store.add_refresh(
            RefreshToken(
                sha256=_sha256(refresh_token),
                family=session,
                user=user.name,
                user_version=user.version,
                session_ends_at=ends_at * 1000,
                expires_at=int((self._clock() + refresh_seconds) * 1000),
            )
        )
        rights = fingerprint(await self.principal_now(user))
        access_token = self._tokens.mint(user.name, user.version, session, access_seconds, rights)
        return Grant(access_token, access_seconds, refresh_token, refresh_seconds, user)

    async def _confirmed(self, user: User) -> User | None:
        """The user; of the single sign-on, as the provider has them by now."""
        if not user.identity:
            return user
        return None if self.confirm is None else await self.confirm(user)

    async def _group_changed(self, name: str) -> None:
        self.forget_groups()
        await self._announce(Revoked(group=name))

    async def _known_groups(self) -> dict[str, Group]:
        read_at, groups = self._groups
        if self._clock() - read_at >= FRESH_SECONDS:
            groups = {group.name: group for group in await self._store.list_groups()}
            self._groups = (self._clock(), groups)
        return groups

    def _in_config(self) -> GroupRoles:
        projects = self._projects.current()
        if self._configured[0] is not projects:
            self._configured = (projects, group_roles(projects))
        return self._configured[1]

    async def _find(self, name: str) -> User | None:
        read_at, user = self._seen.get(name, (float("-inf"), None))
        if self._clock() - read_at < FRESH_SECONDS:
            return user
        user = await self._store.find_user(name)
        self._seen[name] = (self._clock(), user)
        self._seen.move_to_end(name)
        if len(self._seen) > CACHED_USERS:
            self._seen.popitem(last=False)
        return user


def narrowed(principal: Principal, claims: Claims) -> Principal:
    """The principal with no more than a personal token may; all of it for a log-in."""
    if claims.level in _MOST:
        most = _MOST[claims.level]
        roles = {project: min(role, most, key=rank_of) for project, role in principal.roles.items()}
        principal = replace(principal, role=min(principal.role, most, key=rank_of), roles=roles)
    if claims.only is None:
        return principal
    only = claims.only if principal.projects is None else principal.projects & claims.only
    return replace(principal, projects=only)


def password_mark(user: User) -> str:
    """What differs once the password is another: tokens of before end then, whoever made them."""
    return _sha256(user.password_hash)[:16]


def new_admin(password_hash: str, now_ms: int) -> User:
    """User `admin` with every right."""
    return User(name=ADMIN, role="admin", password_hash=password_hash, created_at=now_ms)


def is_personal(token: str) -> bool:
    """Whether this is the form of a person's own token."""
    return token.startswith(f"{TOKEN_PREFIX}_")


def ending_tokens(user: User) -> User:
    """The user with a version for which no token was issued yet."""
    return user.model_copy(update={"version": user.version + 1, "ended_sessions": {}})


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
