"""A real HTTP server that answers as GitHub's REST API for Actions is documented to: runs, jobs, logs, limits."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jose import JWTError, jwt

APP_ID = "1234"
TOKEN = "ghs_test"  # noqa: S105  nobody's


def stamp(at: float) -> str:
    """An instant as GitHub writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def log_line(at: float, text: str) -> str:
    """A line of a log: its time to a ten-millionth of a second, a space, its text."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + f"0Z {text}\n"


@dataclass
class GitHubServer:
    """One repository. `answers` are used up first, one per request: status and headers."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[int, str] = field(default_factory=dict)
    expired: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    """Logs whose first answer ends in the middle."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    left: int = 5000
    requests: list[tuple[str, int]] = field(default_factory=list)
    token_leaks: int = 0
    app_key: str = ""
    """The public key (PEM) of the app that is installed on the repository; none: no app is."""

    app_tokens: int = 0
    """How many tokens it was given."""

    url: str = ""

    def add_run(self, number: int, name: str = "CI", **more: Any) -> dict[str, Any]:
        """A run of a workflow."""
        run = {
            "id": number,
            "name": name,
            "head_branch": "main",
            "head_sha": "c13d7e2f9a8b4c5d6e7f80912a3b4c5d6e7f8091",
            "event": "push",
            "status": "in_progress",
            "conclusion": None,
            "run_attempt": 1,
            "created_at": stamp(time.time()),
            "repository": {"html_url": "https://github.com/llvm/torch-mlir"},
            **more,
        }
        self.runs.insert(0, run)
        return run

    def add_job(self, number: int, run: int, name: str, *, began_at: float, **more: Any) -> dict[str, Any]:
        """A job of a run, which runs."""
        job = {
            "id": number,
            "run_id": run,
            "run_attempt": 1,
            "name": name,
            "status": "in_progress",
            "conclusion": None,
            "started_at": stamp(began_at),
            "completed_at": None,
            "html_url": f"https://github.com/llvm/torch-mlir/actions/runs/{run}/job/{number}",
            "runner_name": "GitHub Actions 7",
            "labels": ["ubuntu-24.04"],
            "steps": [],
            **more,
        }
        self.jobs.append(job)
        return job

    def end_job(self, job: dict[str, Any], conclusion: str, *, ended_at: float, log: str | None) -> None:
        """A job ends; its log is there a moment later, or never."""
        job.update(status="completed", conclusion=conclusion, completed_at=stamp(ended_at))
        if log is not None:
            self.logs[job["id"]] = log

    # --- the server ---

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request as documented."""
        path = urlsplit(request.path)
        if path.path.startswith("/blob/"):
            self.token_leaks += "Authorization" in request.headers
            self._send_log(request, int(path.path.rpartition("/")[2]))
        elif self.answers:
            status, headers = self.answers.pop(0)
            self._send(request, status, {"message": "as the test wants it"}, headers)
        else:
            bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
            has_token = bearer == TOKEN
            rest = path.path.removeprefix("/api/v3/repos/llvm/torch-mlir/").split("/")
            if path.path.endswith(("/installation", "/access_tokens")):
                self._send(request, *self._installation(request.command, path.path, bearer))
            elif rest[:2] == ["actions", "jobs"] and rest[-1] == "logs":
                self._send(request, *self._log_link(int(rest[2]), has_token=has_token))
            else:
                query = {name: values[0] for name, values in parse_qs(path.query).items()}
                found = self._find(rest, query)
                status = 404 if found is None else 200
                self._send(request, status, found or {"message": "Not Found"}, is_free=has_token)

    def _installation(self, method: str, path: str, claim: str) -> tuple[int, Any]:
        """The answer to an app that asks for its installation, and for a token of it."""
        if not self.app_key:
            return 404, {"message": "Not Found"}
        try:
            claims = jwt.decode(claim, self.app_key, algorithms=["RS256"])
        except JWTError:
            return 401, {"message": "A JSON web token could not be decoded"}
        if claims["exp"] - time.time() > 600 or claims["iss"] != APP_ID:
            return 401, {"message": "'Expiration time' claim ('exp') is too far in the future"}
        if (method, path.rpartition("/")[2]) == ("GET", "installation"):
            return 200, {"id": 77}
        if (method, path) != ("POST", "/api/v3/app/installations/77/access_tokens"):
            return 404, {"message": "Not Found"}
        self.app_tokens += 1
        return 201, {"token": TOKEN, "expires_at": stamp(time.time() + 3600)}

    def _log_link(self, number: int, *, has_token: bool) -> tuple[int, Any, dict[str, str]]:
        """The answer to who asks for a job's log: status, body, headers."""
        if not has_token:
            return 403, {"message": "Must have admin rights to Repository."}, {}
        if number in self.expired:
            return 410, {"message": "Server Error"}, {}
        if number not in self.logs:
            return 404, {"message": "BlobNotFound"}, {}
        return 302, None, {"Location": f"{self.url}/blob/{number}"}

    def _find(self, rest: list[str], query: dict[str, str]) -> Any:
        first = (int(query.get("page", 1)) - 1) * int(query.get("per_page", 30))
        page = slice(first, first + int(query.get("per_page", 30)))
        match rest:
            case ["actions", "runs"]:
                since = query.get("created", ">=").removeprefix(">=")
                runs = [run for run in self.runs if run["created_at"] >= since]
                return {"total_count": len(runs), "workflow_runs": runs[page]}
            case ["actions", "runs", number]:
                return next((run for run in self.runs if run["id"] == int(number)), None)
            case ["actions", "runs", number, "attempts", attempt, "jobs"]:
                jobs = [j for j in self.jobs if j["run_id"] == int(number) and attempt in _attempts(j)]
                return {"total_count": len(jobs), "jobs": jobs[page]}
            case ["actions", "jobs", number]:
                return next((job for job in self.jobs if job["id"] == int(number)), None)
        return None

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: Any,
        headers: dict[str, str] | None = None,
        *,
        is_free: bool = False,
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        etag = f'W/"{hashlib.sha256(content).hexdigest()}"'
        if status == 200 and request.headers.get("If-None-Match") == etag:
            status, content = 304, b""
        # A 304 is free only where a token came with it.
        self.left -= not (status == 304 and is_free)
        self.requests.append((request.path, status))
        request.send_response(status)
        shown = {
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": str(int(time.time()) + 600),
            "ETag": etag,
        }
        for name, value in (shown | {"Content-Length": str(len(content))} | (headers or {})).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def _send_log(self, request: BaseHTTPRequestHandler, number: int) -> None:
        content = self.logs[number].encode()
        self.requests.append((request.path, 200))
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if number in self.cut:
            self.cut.discard(number)
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True
            return
        request.wfile.write(content)


def _attempts(job: dict[str, Any]) -> list[str]:
    """In the lists of which attempts a job stands: what succeeded stands in later ones too."""
    own = int(job["run_attempt"])
    return [str(own), *([str(own + 1)] if job["conclusion"] == "success" else [])]


@contextmanager
def github_server() -> Iterator[GitHubServer]:
    """A server while the context lasts; its repository is at `url`/llvm/torch-mlir."""
    github = GitHubServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """A request."""
            github.answer(self)

        do_GET = do_POST = answer  # noqa: N815  the names http.server calls

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its signature
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    github.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield github
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
