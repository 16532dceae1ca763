"""Jobs of a CI are agents without a key: tokens of a real issuer, in a process of its own, whose keys rotate."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from build_chassis import signing
from build_chassis.errors import ServiceError
from build_gateway.ci import issuers
from build_gateway.ci.issuers import IssuerAway, Issuers
from build_gateway.restored import hold_back
from build_gateway.retention import Retention
from build_testkit.gateway import BUILD, Gateway, hello, receive, record, say
from build_testkit.oidc_issuer import OidcIssuer, issuing
from build_testkit.signing import SECRET
from jose import jwk, jwt

AUDIENCE = "https://dashboard.example.com"


@pytest.fixture(scope="module")
def one_issuer() -> Iterator[OidcIssuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def issuer(one_issuer: OidcIssuer, tmp_path: Path) -> OidcIssuer:
    """The issuer, trusted for one repository's main branch."""
    one_issuer.behave()
    entry = {"agent": "ci", "issuer": one_issuer.url, "audience": AUDIENCE, "projects": ["torch-mlir"]}
    claims = {"repository": "llvm/torch-mlir", "ref": "refs/heads/*"}
    config = {"projects": {"torch-mlir": {}}, "trusted_ci": [{**entry, "claims": claims}]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return one_issuer


async def exchange(gateway: Gateway, token: str) -> httpx.Response:
    async with gateway.http as client:
        return await client.post("/api/auth/ci-token", json={"token": token})


async def test_a_job_is_an_agent_for_a_while(issuer: OidcIssuer, gateway: Gateway) -> None:
    """Its key reports builds of the entry's projects, of no other, and can do nothing else; all of it is on record."""
    answer = await exchange(gateway, issuer.token(AUDIENCE))
    lent = answer.json()
    assert (200, "no-store", "ci", ["torch-mlir"]) == (
        answer.status_code,
        answer.headers["cache-control"],
        lent["agent"],
        lent["projects"],
    )
    async with gateway.agent(lent["accessToken"]) as socket:
        assert (await hello(socket))["agent"] == "ci"
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START"), record(2)])
        await receive(socket, "ACK", confirmed=2)
        foreign = record(1, "BUILD_START", build_id=BUILD[:-1] + "9", project="other")
        await say(socket, type="RECORDS", records=[foreign])
        await receive(socket, "REFUSED", code="project_not_allowed")

    async with gateway.http as client:
        bearer = {"Authorization": f"Bearer {lent['accessToken']}"}
        assert (await client.get("/api/builds", headers=bearer)).status_code == 401
    key = next(item for item in (await gateway.as_admin("GET", "/api/keys")).json()["items"] if item.get("subject"))
    assert ("ci", "repo:llvm/torch-mlir:ref:refs/heads/main", True) == (
        key["name"],
        key["subject"],
        "lastUsedAt" in key,
    )
    assert 3_600_000 == key["expiresAt"] - key["createdAt"]
    (entry,) = [
        entry
        for entry in (await gateway.as_admin("GET", "/api/audit")).json()["items"]
        if entry["action"] == "exchange ci token"
    ]
    assert (key["id"], "ci repo:llvm/torch-mlir:ref:refs/heads/main") == (entry["subject"], entry["who"])


def forged(issuer: OidcIssuer, **headers: Any) -> str:
    """A token of the issuer's words, signed by a secret that everybody knows: the issuer's public key."""
    (published, *_) = httpx.get(f"{issuer.url}/jwks", trust_env=False).json()["keys"]
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "aud": AUDIENCE,
        "sub": "x",
        "iat": now,
        "exp": now + 60,
        "repository": "llvm/torch-mlir",
    }
    public = jwk.construct(published, "RS256").to_pem().decode()
    secret = public.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "").strip()
    return str(jwt.encode(claims, secret, "HS256", headers={"kid": published["kid"], **headers}))


async def test_every_other_token_is_refused(issuer: OidcIssuer, gateway: Gateway) -> None:
    """401 for each, with the reason, and no key; a token that names an address makes nobody ask there."""
    now = int(time.time())
    good = issuer.token(AUDIENCE)
    head, body, signature = good.split(".")
    tokens = {
        "another audience": issuer.token("https://elsewhere.example.com"),
        "another repository": issuer.token(AUDIENCE, repository="evil/torch-mlir"),
        "a pull request's ref": issuer.token(AUDIENCE, ref="refs/pull/1/merge"),
        "no repository": issuer.token(AUDIENCE, repository=None),
        "expired": issuer.token(AUDIENCE, exp=now - 60),
        "of the future": issuer.token(AUDIENCE, nbf=now + 600),
        "without end": issuer.token(AUDIENCE, exp=None),
        "without subject": issuer.token(AUDIENCE, sub=None),
        "another issuer": issuer.token(AUDIENCE, iss="https://evil.example.com"),
        "an unknown key": issuer.token(AUDIENCE, _kid="nobody's"),
        "a key's path": issuer.token(AUDIENCE, _kid="../../etc/passwd"),
        "its signature cut": f"{head}.{body}.",
        "its signature changed": f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        "signed by the public key": forged(issuer),
        "with an address of a key": forged(issuer, jku=f"{issuer.url}/stolen", x5u=f"{issuer.url}/stolen"),
        "one of our own": signing.encode({"iss": issuer.url, "aud": AUDIENCE, "sub": "x"}, SECRET),
        "the admin's": await gateway.login(),
        "none": f"eyJhbGciOiJub25lIn0.{body}.",
        "no token": "x",
        "a deep one": f"{'W' * 6000}.{'W' * 6000}.x",
    }

    answers = {name: await exchange(gateway, token) for name, token in tokens.items()}

    assert dict.fromkeys(tokens, 401) == {name: answer.status_code for name, answer in answers.items()}
    assert all("trusted_ci" in answer.json()["remedy"] for answer in answers.values())
    assert (await exchange(gateway, "x" * 20_000)).status_code == 422
    assert "/stolen" not in issuer.asked()
    assert 1 == len((await gateway.as_admin("GET", "/api/keys")).json()["items"])
    assert (await exchange(gateway, good)).status_code == 200


async def test_keys_rotate_without_a_refusal(issuer: OidcIssuer) -> None:
    """A new key is believed at its first token, a retired one no longer once the kept ones are old."""
    now = [0.0]
    known = Issuers(lambda: now[0])
    old = signing.unverified(issuer.token(AUDIENCE)).kid
    assert await known.find_key(issuer.url, old) is not None

    issuer.rotate("ES256")
    now[0] += issuers.PAUSE_SECONDS
    token = issuer.token(AUDIENCE)
    key = await known.find_key(issuer.url, signing.unverified(token).kid)

    assert key is not None
    assert signing.decode_of_issuer(token, key, audience=AUDIENCE, issuer=issuer.url)["ref"] == "refs/heads/main"
    issuer.retire()
    assert await known.find_key(issuer.url, old) is not None
    now[0] += issuers.FRESH_SECONDS
    assert await known.find_key(issuer.url, old) is None


async def test_an_issuer_is_not_flooded(issuer: OidcIssuer) -> None:
    """Two hundred tokens of two hundred unknown keys, at once: it is asked once."""
    known, before = Issuers(lambda: 0.0), len(issuer.asked())

    found = await asyncio.gather(*(known.find_key(issuer.url, f"unknown-{n}") for n in range(200)))

    assert [None] * 200 == found
    assert 2 == len(issuer.asked()) - before


@pytest.mark.parametrize(
    "how",
    [
        {"status": 500},
        {"status": 302, "headers": {"Location": "/jwks"}},
        {"says": {"issuer": "https://evil.example.com"}},
        {"says": {"jwks_uri": "http://127.0.0.1:1/jwks"}},
        {"says": {"jwks_uri": "http://169.254.169.254/latest/meta-data"}},
        {"says": {"jwks_uri": "file:///etc/passwd"}},
        {"says": {"jwks_uri": None}},
        {"more": issuers.ANSWER_BYTES},
    ],
)
async def test_an_odd_issuer_is_believed_by_its_earlier_answer(issuer: OidcIssuer, how: dict[str, Any]) -> None:
    """For an hour; nobody but the issuer is asked, no redirect is followed, no answer is read without end. Then 503."""
    now = [0.0]
    known = Issuers(lambda: now[0])
    kid = signing.unverified(issuer.token(AUDIENCE)).kid
    assert await known.find_key(issuer.url, kid) is not None
    issuer.behave(**how)

    now[0] = issuers.STALE_SECONDS - 1
    assert await known.find_key(issuer.url, kid) is not None
    now[0] = issuers.STALE_SECONDS
    with pytest.raises(IssuerAway):
        await known.find_key(issuer.url, kid)
    with pytest.raises(IssuerAway):
        await Issuers(lambda: now[0]).find_key(issuer.url, kid)
    issuer.behave()
    now[0] += issuers.PAUSE_SECONDS
    assert await known.find_key(issuer.url, kid) is not None


async def test_nobody_answers_for_an_issuer() -> None:
    """503, which agents try again; a refused connection is no reason to wait."""
    with pytest.raises(ServiceError) as away:
        await Issuers(lambda: 0.0).find_key("http://127.0.0.1:1", "x")
    assert away.value.status == 503


async def test_lent_keys_do_not_pile_up(issuer: OidcIssuer, gateway: Gateway) -> None:
    """They count for no rotation, end with a restored backup, and are forgotten an hour after their end."""
    lent = [(await exchange(gateway, issuer.token(AUDIENCE))).json() for _ in range(3)]
    parts = gateway.app.state.dependencies
    assert (await gateway.as_admin("POST", "/api/keys", {"name": "ci"})).status_code == 201
    assert 5 == len(await parts.store.list_keys())

    await hold_back(parts.store, confirmed=False)
    assert await parts.keys.find(lent[0]["accessToken"]) is None
    await Retention(parts.store).forget_old(round(time.time() * 1000) + 2 * 3_600_000 + 1000)

    assert ["ci", "default"] == sorted(key.name for key in await parts.store.list_keys())
