"""Jobs: whose token this is, by the issuers and claims that config.yaml trusts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from build_chassis import signing
from build_chassis.errors import Unauthenticated
from build_chassis.signing import JWTError
from build_protocol.trusted_ci import TrustedCi

from build_gateway.ci.issuers import Issuers

TOKEN_CHARACTERS = 16 * 1024


class JobUnknown(Unauthenticated):
    """Which of the token's parts did not fit is disclosed: the job's owner configures both sides."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"this CI token is none that is trusted here: {why}",
            remedy="compare the job's issuer, audience and claims with `trusted_ci` in the server's config.yaml.",
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A job that may act as this agent; `subject` is the CI's name for it. `expires_at` of its token, in seconds."""

    agent: str
    projects: Sequence[str]
    subject: str
    expires_at: int


class Jobs:
    """Reads jobs' tokens. `trusted` gives the entries of config.yaml as they stand now."""

    def __init__(self, trusted: Callable[[], Sequence[TrustedCi]], issuers: Issuers) -> None:
        self._trusted = trusted
        self._issuers = issuers

    async def read(self, token: str) -> Job:
        """Whose token this is; the first entry that it fits decides.

        Raises:
            JobUnknown: It is not trusted.
            IssuerAway: Its signature cannot be checked now.
        """
        if len(token) > TOKEN_CHARACTERS:
            raise JobUnknown(f"it has more than {TOKEN_CHARACTERS} characters")
        try:
            seen = signing.unverified(token)
        except JWTError as error:
            raise JobUnknown("it is no JSON web token") from error
        # From here on only what config.yaml says is used: the token chooses among its issuers, and brings no address.
        entries = [entry for entry in self._trusted() if entry.issuer == seen.issuer]
        if not entries:
            raise JobUnknown(f"its issuer is {seen.issuer!r:.200}")
        key = await self._issuers.find_key(entries[0].issuer, seen.kid)
        if key is None:
            raise JobUnknown("its issuer has no such key")
        why = "no entry has its audience"
        for audience in dict.fromkeys(entry.audience for entry in entries):
            try:
                claims = signing.decode_of_issuer(token, key, audience=audience, issuer=entries[0].issuer)
            except JWTError as error:
                if not signing.is_other_audience(error):
                    raise JobUnknown(str(error)[:200]) from error
                continue
            for entry in entries:
                if entry.audience == audience and entry.matches(claims):
                    return Job(entry.agent, tuple(entry.projects), str(claims["sub"])[:200], int(claims["exp"]))
            why = "no entry has its claims"
        raise JobUnknown(why)
