"""A check run with the verdict: from an agent's records through history's judgement to what GitHub is sent."""

import time
from pathlib import Path
from typing import Any

import pytest
from build_protocol.ids import new_build_id
from build_testkit.reporting import report, totals_of
from build_testkit.stack import embedded_stack, wait_until
from build_testkit.web import web_server
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOME = "/repos/llvm/torch-mlir"
GREEN, RED, CHANGE = ("a" * 40, "b" * 40, "c" * 40)
ERROR = "../lib/Conversion/Fold.cpp:7:3: error: no member named 'fold' in 'mlir::Op'"


def build_of(commit: str, *, began_at: int, is_red: bool, branch: str = "main", origin: str = "ci") -> list[Any]:
    """The records of a build that ended."""
    lines = ["[1/2] Building CXX object a.cpp.o", *([f"FAILED: a.cpp.o\n{ERROR}"] if is_red else [])]
    lines = [each for line in lines for each in line.split("\n")]
    head = {"buildId": new_build_id(began_at), "project": "mlir"}
    start = {"branch": branch, "config": "linux", "commit": commit, "origin": origin}
    end = {"status": "failed" if is_red else "succeeded", "exitCode": int(is_red), "totals": totals_of(lines)}
    return [
        {**head, "seq": 1, "type": "BUILD_START", "timestamp": began_at, "data": start},
        {**head, "seq": 2, "type": "BUILD_LOG", "timestamp": began_at + 1, "data": {"firstLine": 1, "lines": lines}},
        {**head, "seq": 3, "type": "BUILD_COMPLETE", "timestamp": began_at + 1000, "data": end},
    ]


def test_a_commit_is_blocked_by_what_it_brought_and_by_nothing_else(tmp_path: Path) -> None:
    """The build that broke is a failure; a change that fails alike, on a branch of its own, is neutral."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (tmp_path / "app.pem").write_bytes(key)
    config = tmp_path / "config.yaml"
    config.write_text("projects: {mlir: {branch: main, channels: ['github-checks://llvm/torch-mlir']}}\n")
    with web_server() as web:
        web.routes = {
            f"GET {HOME}/installation": (200, {"id": 7}),
            "POST /app/installations/7/access_tokens": (201, {"token": "t", "expires_at": "2099-01-01T00:00:00Z"}),
            f"GET {HOME}/contents/CODEOWNERS": (200, b"lib/Conversion/ @llvm/conversion\n"),
            f"POST {HOME}/check-runs": (201, {"id": 1}),
            **{f"GET {HOME}/commits/{commit}/check-runs": (200, {"check_runs": []}) for commit in (GREEN, RED, CHANGE)},
        }
        settings = {
            "BUILD_DASHBOARD_CONFIG": str(config),
            "NOTIFIER_GITHUB_APP_ID": "12",
            "NOTIFIER_GITHUB_APP_KEY_FILE": str(tmp_path / "app.pem"),
            "NOTIFIER_GITHUB_HOST": web.url,
        }

        def made() -> dict[str, dict[str, Any]]:
            runs = [body for method, path, body in list(web.seen) if (method, path) == ("POST", f"{HOME}/check-runs")]
            return {run["head_sha"]: run for run in runs}

        with embedded_stack(tmp_path, settings) as stack:
            now = int(time.time() * 1000)
            report(stack, [build_of(GREEN, began_at=now - 60_000, is_red=False)])
            report(stack, [build_of(RED, began_at=now - 40_000, is_red=True)])
            wait_until(lambda: {GREEN, RED} <= made().keys(), 100, "check runs of the branch", every=0.1)
            report(stack, [build_of(CHANGE, began_at=now - 20_000, is_red=True, branch="fold", origin="premerge")])
            wait_until(lambda: CHANGE in made(), 100, "a check run of the change", every=0.1)
        runs = made()
    assert ["success", "failure", "neutral"] == [runs[each]["conclusion"] for each in (GREEN, RED, CHANGE)]
    assert "New here" in runs[RED]["output"]["title"]
    assert "It was red before" in runs[CHANGE]["output"]["title"]
    (annotation,) = runs[RED]["output"]["annotations"]
    assert ("lib/Conversion/Fold.cpp", 7) == (annotation["path"], annotation["start_line"])
    assert "no member named 'fold'" in annotation["message"]
    assert "llvm/conversion" in runs[RED]["output"]["summary"]
    assert 3 == len([path for method, path, _ in web.seen if (method, path) == ("POST", f"{HOME}/check-runs")])
