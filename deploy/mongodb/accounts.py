"""Make the replica set of docker-compose's MongoDB, and an account for each service: `python accounts.py`.

Each service's store URL names its account and its database, on which alone the account has rights. Doing it again
changes nothing, but that a password is what the URL says now.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pymongo import MongoClient
from pymongo.errors import OperationFailure

SECRETS = Path(os.environ.get("SECRETS", "/run/secrets"))
SERVICES = ("gateway", "ingest", "notifier", "artifacts", "history")
NOT_YET_INITIATED, IS_INITIATED, EXISTS = 94, 23, 51003
PRIMARY_SECONDS = 60


def secret(name: str) -> str:
    """The content of a secret's file."""
    return (SECRETS / name).read_text().strip()


def initiate(client: MongoClient, host: str) -> None:
    """Make the set, whose only member is this server, and wait until it is its primary."""
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == NOT_YET_INITIATED:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": host}]})
    end = time.monotonic() + PRIMARY_SECONDS
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > end:
            sys.exit(f"mongodb-accounts: {host} did not become primary within {PRIMARY_SECONDS} s: see its log")
        time.sleep(0.2)


def account(client: MongoClient, url: str) -> str:
    """Create or change the account that this store URL names; its name and database."""
    parts = urlsplit(url)
    name, database = parts.username, parts.path.strip("/")
    what = {"pwd": unquote(parts.password or ""), "roles": [{"role": "readWrite", "db": database}]}
    try:
        client.admin.command("createUser", name, **what)
    except OperationFailure as error:
        if error.code != EXISTS:
            raise
        client.admin.command("updateUser", name, **what)
    return f"{name} on {database}"


def main() -> None:
    """Do it, and say what was done; never a password."""
    urls = [secret(f"mongodb_{service}") for service in SERVICES]
    host = urlsplit(urls[0]).hostname or "mongodb"
    client: MongoClient = MongoClient(
        host, username="root", password=secret("mongodb_root_password"), directConnection=True
    )
    initiate(client, f"{host}:27017")
    for url in urls:
        print("mongodb-accounts:", account(client, url))


if __name__ == "__main__":
    main()
