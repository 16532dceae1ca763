"""What deploy.sh refuses before it changes anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.aws.refusals import Refused, refuse_dirty, refuse_placeholders, refuse_secrets

ROOT = Path(__file__).parents[2]


def test_a_tree_with_changes_is_refused() -> None:
    """The image is named by its commit: what is in none would run under a wrong name. A clean tree passes."""
    refuse_dirty("")
    with pytest.raises(Refused, match=r"deploy\.sh, new file\.txt"):
        refuse_dirty(" M deploy.sh\n?? new file.txt\n")


@pytest.mark.parametrize("name", ["dev", "production"])
def test_variables_as_they_come_are_refused_by_name(name: str) -> None:
    """Both files of variables still have the examples' host and certificate."""
    with pytest.raises(Refused, match="public_url, certificate_arn"):
        refuse_placeholders((ROOT / f"deploy/terraform/{name}.tfvars").read_text())


def test_own_variables_pass() -> None:
    """A comment that names an example is none, and an empty list is a choice."""
    refuse_placeholders(
        'public_url = "https://builds.lab.net" # like builds.example.org\n# x = "example.org"\nalarm_emails = []\n'
        'certificate_arn = "arn:aws:acm:us-east-1:210987654321:certificate/6f1c0f0e-93f9-4b0e-a2d1-0b8a7a0f1e11"\n'
    )


def test_one_placeholder_in_a_list_is_enough() -> None:
    """Two of which one is somebody's own."""
    with pytest.raises(Refused, match="alarm_emails"):
        refuse_placeholders('alarm_emails = ["ops@lab.net", "on-call@example.org"]')


@pytest.mark.parametrize("value", ["<sendgrid_api_key>", "", None, "changeme", "your_jwt_secret", " \n"])
def test_secrets_without_a_value_are_refused_by_name_alone(value: str | None) -> None:
    """The message has the secret's name, and no secret's value."""
    with pytest.raises(Refused) as refused:
        refuse_secrets({"sendgrid_api_key": value, "api_key": "u0sRZ2hFQk1"})

    assert "sendgrid_api_key" in str(refused.value)
    assert "u0sRZ2hFQk1" not in str(refused.value)


def test_drawn_secrets_pass() -> None:
    """Passwords, URLs with one, and an address of a database are values."""
    refuse_secrets({"api_key": "bmk_u0sRZ2hFQk1", "amqp_ingest": "amqps://ingest:u0sR@b-1.mq.us-east-1.amazonaws.com/"})


def test_the_script_refuses_a_dirty_tree_and_ends_with_2(tmp_path: Path) -> None:
    """deploy.sh itself, in a clone with one new file: refused before terraform or AWS is asked."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", str(clone)], check=True)
    (clone / "deploy").mkdir()
    shutil.copytree(ROOT / "deploy/aws", clone / "deploy/aws", ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "stray").write_text("")
    program = clone / "bin" / "uv"
    program.parent.mkdir()
    # The workspace is this checkout's: what uv would install is there.
    program.write_text(f'#!/bin/sh\nshift 4\nexec "{shutil.which("python")}" "$@"\n')
    program.chmod(0o755)
    shutil.copy(ROOT / "deploy.sh", clone)

    done = subprocess.run(
        ["./deploy.sh", "--dry-run"],
        cwd=clone,
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("deploy.sh: refused: commit or stash first")
