"""The audit trail: what is noted, and that it cannot be changed unseen."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from build_gateway.audit import Audit, broken_at
from build_gateway.audited import REFUSALS_A_MINUTE, Audited, is_act
from build_gateway.routes import audit as routes
from build_gateway.store import open_store
from build_gateway.store.rows import AuditEntry
from build_testkit.gateway import PASSWORD, Gateway
from starlette.responses import PlainTextResponse


async def trail(gateway: Gateway) -> list[AuditEntry]:
    return list(reversed(await gateway.app.state.dependencies.store.list_audit()))


@asynccontextmanager
async def logged_in(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield client


async def test_changes_refusals_and_log_outs_are_noted(gateway) -> None:
    """Who, what, from where, with what result and under which id of the access log, denied or not."""
    async with logged_in(gateway) as client:
        made = await client.post(
            "/api/users", json={"name": "bob", "password": "four geese on a bicycle", "role": "viewer"}
        )
        await client.get("/api/users", headers={"Authorization": "Bearer a.b.c"})
        await client.get("/api/users")
        await client.post("/api/auth/logout")
    found = {(entry.who, entry.subject, entry.result) for entry in await trail(gateway)}

    assert {
        ("admin", "127.0.0.1", "200"),
        ("admin", "bob", str(made.status_code)),
        ("nobody", "GET /api/users", "401"),
        ("admin", "POST /api/auth/logout", "204"),
    } <= found
    assert made.is_success
    assert ("admin", "GET /api/users", "200") not in found
    ids = {entry.request_id for entry in await trail(gateway)}
    assert made.headers["x-request-id"] in ids
    assert {"127.0.0.1"} == {entry.address for entry in await trail(gateway) if entry.request_id}


async def test_a_flood_of_refusals_is_noted_in_part(gateway) -> None:
    """Nobody fills the store by being refused: so many a minute of one address, and again in the next."""
    at = 59.0
    refusing = Audited(
        PlainTextResponse("no", status_code=401), audit=Audit(gateway.app.state.dependencies.store), now=lambda: at
    )

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(refusing), base_url="http://gateway") as client:
            for _ in range(REFUSALS_A_MINUTE + 10):
                await client.get("/api/users")
        return len([entry for entry in await trail(gateway) if entry.action == "refused"])

    first = await ask()
    at = 60.0
    second = await ask()

    assert (first, second) == (REFUSALS_A_MINUTE, 2 * REFUSALS_A_MINUTE)


@pytest.mark.parametrize(
    ("method", "path", "is_noted"),
    [
        ("POST", "/api/incidents/x/override", True),
        ("PUT", "/api/notifications/mutes/x", True),
        ("DELETE", "/api/keys/x", True),
        ("GET", "/api/artifacts/x/download", True),
        ("GET", "/api/artifacts/objects/ticket", True),
        ("GET", "/api/audit/export", True),
        ("GET", "/api/builds/x", False),
    ],
)
def test_changes_and_downloads_are_acts(method: str, path: str, is_noted: bool) -> None:
    """Of every service, and of routes that are yet to come; reading a page is none."""
    assert is_noted == is_act(method, path)


async def test_admins_read_and_export_the_trail(gateway) -> None:
    """A page, a file with a line an entry, and a check of all of it; nobody else."""
    async with logged_in(gateway) as client:
        page = (await client.get("/api/audit")).json()["items"]
        lines = [json.loads(line) for line in (await client.get("/api/audit/export")).text.splitlines()]
        check = (await client.get("/api/audit/check")).json()
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        denied = [(await client.get(path)).status_code for path in ("/api/audit", "/api/audit/export")]

    known = [{name: value for name, value in entry.items() if value is not None} for entry in page]
    assert known == lines[-len(page) :]
    assert (len(lines), None) == (check["entries"], check.get("broken"))
    assert [401, 401] == denied


def subject_of(entry: AuditEntry | None) -> str | None:
    return entry.subject if entry else None


async def test_a_trail_that_was_changed_is_seen(tmp_path) -> None:
    """Changed, taken out, put in between or written anew with another number: each breaks the chain."""
    store = open_store(f"sqlite:///{tmp_path}/g.sqlite")
    await store.open()
    audit = Audit(store)
    for subject in ("one", "two", "three"):
        await audit.note("ann", "act", subject)
    one, two, three = reversed(await store.list_audit())
    await store.close()

    assert broken_at([three, one, two]) is None
    assert subject_of(broken_at([one, two.model_copy(update={"who": "bob"}), three])) == "two"
    assert subject_of(broken_at([one, three])) == "three"
    assert subject_of(broken_at([two, three])) == "two"
    assert subject_of(broken_at([one, two, two.model_copy(update={"subject": "between"}), three])) == "between"


async def test_the_trail_is_narrowed_paged_and_exported_alike(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who, what, whom, result and time, page by page without a gap, as lines and as a table."""
    store, names = gateway.app.state.dependencies.store, [f"user-{n}" for n in range(40)]
    for n, name in enumerate(names):
        await store.append_audit(AuditEntry(at=1000 + n // 3, who="Ann", action="drop", subject=name, result="204"))
        await store.append_audit(AuditEntry(at=1000 + n // 3, who="bob", action="keep", subject=name, result="403"))
    monkeypatch.setattr(routes, "LOOKED_AT", 17)
    narrow: dict[str, str | int] = {"who": "aNN", "action": "dro", "result": "204", "after_at": 1002}
    async with logged_in(gateway) as client:
        found: dict[str, None] = {}
        before = 2000
        while True:
            page = (await client.get("/api/audit", params={**narrow, "before_at": before})).json()
            found |= dict.fromkeys(entry["subject"] for entry in page["items"])
            if page.get("nextBeforeAt") is None:
                break
            before = page["nextBeforeAt"]
        params = {**narrow, "before_at": 2000}
        lines = (await client.get("/api/audit/export", params=params)).text.splitlines()
        table = await client.get("/api/audit/export", params={**params, "format": "csv"})
        odd = [
            (await client.get("/api/audit", params={name: "x"})).status_code for name in ("after_at", "who_", "format")
        ]

    rows = list(csv.DictReader(table.text.splitlines()))
    assert list(reversed(names[6:])) == list(found)
    assert list(found) == [json.loads(line)["subject"] for line in lines] == [row["subject"] for row in rows]
    assert ("text/csv; charset=utf-8", 'attachment; filename="audit.csv"') == (
        table.headers["content-type"],
        table.headers["content-disposition"],
    )
    assert ("1970-01-01T00:00:01.013+00:00", "Ann") == (rows[0]["at"], rows[0]["who"])
    assert [422] * 3 == odd


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx", '=HYPERLINK("http://evil")', "a\r\n=x"])
async def test_a_table_runs_nothing_in_a_spreadsheet(gateway: Gateway, name: str) -> None:
    """What begins like a formula is text, and a line break stays within its field."""
    await gateway.app.state.dependencies.store.append_audit(AuditEntry(at=1, who=name, action="act", subject="x"))
    async with logged_in(gateway) as client:
        text = (await client.get("/api/audit/export", params={"format": "csv", "before_at": 1})).text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["who"] in (f"'{name}", name)
    assert row["who"][0] not in "=+-@\t\r"
