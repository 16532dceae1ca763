"""`reset-admin`: restores access for an operator with the server's store, whatever happened to passwords and admins."""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.secret_rules import USER_PASSWORD
from build_protocol.clock import now_ms

from build_gateway.accounts.directory import ADMIN, ending_tokens, new_admin
from build_gateway.accounts.passwords import Passwords
from build_gateway.audit import Audit
from build_gateway.store import GatewayStore, open_store


def add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The command's options, for every program that offers it."""
    parser.description = (
        f"Give user `{ADMIN}` a new password, enable it and let it administer all projects; its sessions end. "
        "The dashboard may run meanwhile."
    )
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input rather than make one"
    )
    return parser


def reset_admin(store_url: str, *, from_stdin: bool) -> None:
    """Reset it in this store and print the password, where it was made, on stdout; SystemExit with the error."""
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else secrets.token_urlsafe(12)
    if fault := USER_PASSWORD.fault(password):
        sys.exit(f"reset-admin: {fault}")
    place = urlsplit(store_url)
    if place.scheme == "sqlite" and not Path(place.path[1:]).is_file():
        sys.exit(f"reset-admin: there is no store at {place.path[1:]}: name the dashboard's own, as the gateway has it")
    try:
        asyncio.run(_reset(open_store(store_url), password))
    except (StoreUnavailable, Unusable) as error:
        sys.exit(f"reset-admin: nothing was changed: {error}")
    print(f"User {ADMIN} has a new password and every right.", file=sys.stderr)
    if not from_stdin:
        print(password)


def main(store_url: str, arguments: Sequence[str]) -> None:
    """`python -m build_gateway reset-admin`."""
    options = add_options(argparse.ArgumentParser(prog="python -m build_gateway reset-admin")).parse_args(arguments)
    reset_admin(store_url, from_stdin=options.password_stdin)


async def _reset(store: GatewayStore, password: str) -> None:
    try:
        await store.open()
        fresh = new_admin(await Passwords().hash(password), now_ms())
        rights = fresh.model_dump(include={"role", "projects", "disabled", "on_hold", "password_hash", "second_factor"})
        if not await store.add_user(fresh):
            await store.change_user(ADMIN, lambda user: ending_tokens(user.model_copy(update=rights)))
        await Audit(store).note(f"uid {os.getuid()} on the server", "reset admin", ADMIN)
    finally:
        await store.close()
