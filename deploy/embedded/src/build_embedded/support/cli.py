"""The command `support-bundle`."""

import argparse
import io
import os
import sys
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from build_chassis.metrics_listener import port_beside
from pydantic import ValidationError

from build_embedded.support import collecting
from build_embedded.support.masking import Leak, masked

UNITS = ("build-dashboard", "build-dashboard-agent")


def support_bundle(arguments: Sequence[str]) -> None:
    """Write the bundle. `arguments` are those behind `support-bundle`. SystemExit where none may be written."""
    options = _parser().parse_args(arguments)
    data: Path = options.data.expanduser().resolve()
    try:
        settings = collecting.settings()
    except ValidationError as error:
        sys.exit(f"build-dashboard support-bundle: settings cannot be read: {error.error_count()} faults; see `up`")
    metrics_port = options.metrics_port or port_beside(options.port)
    texts = {
        "about.json": collecting.about(data),
        "settings.json": collecting.settings_text(settings),
        "schemas.txt": collecting.schemas(data),
        "readyz.json": collecting.answer(f"http://127.0.0.1:{options.port}/readyz"),
        "metrics.txt": collecting.answer(f"http://127.0.0.1:{metrics_port}/metrics"),
        "config.yaml": collecting.end_of(options.config),
        **{f"logs/{number}-{path.name}": collecting.end_of(path) for number, path in enumerate(options.log)},
    }
    if (journal := collecting.journal(UNITS)) is not None:
        texts["logs/journal.txt"] = journal
    try:
        known = [*collecting.secrets_of(settings, data, Path.cwd()), *collecting.secrets_of_chats(options.config)]
        fit = masked(texts, known)
    except Leak as leak:
        sys.exit(f"build-dashboard support-bundle: {leak} would show a secret: nothing was written; please report this")
    name = f"build-dashboard-support-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.tar.gz"
    target: Path = options.output or Path(name)
    _write(target, fit)
    print(f"{target}: {', '.join(fit)}")
    print("Secrets and mail addresses are masked; look into it before you hand it on: names of people, projects,")
    print("machines and branches are in it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build-dashboard support-bundle",
        description="What whoever helps needs to know of this server, in one file: release, settings, schemas, "
        "readiness, metrics, config.yaml and logs, without secrets and mail addresses. Called in the server's folder.",
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="directory of all stores (default: ./data)")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="(default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="where the server listens (default: %(default)s)")
    parser.add_argument("--metrics-port", type=int, help="where its metrics are (default: 1000 above)")
    parser.add_argument("--log", type=Path, action="append", default=[], help="its end goes along; may be repeated")
    parser.add_argument("--output", type=Path, help="the file (default: one with the time in its name)")
    return parser


def _write(target: Path, texts: dict[str, str]) -> None:
    """For its owner only; a file that is there is not overwritten."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        sys.exit(f"build-dashboard support-bundle: {target} cannot be written: {error.strerror}")
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, text in texts.items():
            body = text.encode()
            entry = tarfile.TarInfo(f"build-dashboard-support/{name}")
            entry.size = len(body)
            bundle.addfile(entry, io.BytesIO(body))
