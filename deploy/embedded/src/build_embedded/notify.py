"""`build-dashboard notify test`: does a message arrive, with the settings that the server would send it with?"""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from build_chassis.projects import Projects
from build_chassis.settings import read_settings
from build_notifier.channels.contract import Recipient
from build_notifier.channels.mail import MAIL
from build_notifier.settings import Settings
from build_notifier.trial import recipients, send_trial
from build_protocol.clock import now_ms


def notify(arguments: Sequence[str]) -> None:
    """Try the channels. `arguments` are those behind `notify`. SystemExit 1 where a message was not taken."""
    parser = argparse.ArgumentParser(
        prog="build-dashboard notify test",
        description="Send a test message now, with the settings of the environment and of .env in this folder, and say "
        "of each recipient whether it was taken.",
    )
    parser.add_argument("what", choices=["test"])
    parser.add_argument("--to", metavar="ADDRESS", action="append", default=[], help="a mail address; may be repeated")
    parser.add_argument("--project", help="everybody whom this project's news reach: people, owners, chat rooms")
    options = parser.parse_args(arguments)
    # Nothing is signed here: any key will do.
    settings = read_settings(Settings, jwt_secret_key=secrets.token_hex(32))
    projects = Projects(Path(settings.config_path))
    to = [Recipient(MAIL, address) for address in options.to]
    if options.project:
        to += recipients(projects, options.project)
    if projects.fault:
        sys.exit(f"build-dashboard notify: {projects.fault}")
    if not to:
        who = f"project {options.project} notifies nobody" if options.project else "nobody is named"
        sys.exit(f"build-dashboard notify: {who}: give --to ADDRESS, or --project with somebody in config.yaml")
    outcomes = asyncio.run(send_trial(settings, projects, options.project or "build-dashboard", to, now_ms()))
    for recipient, fault in outcomes:
        print(f"{recipient.address}: {f'not sent: {fault}' if fault else 'taken; look whether it arrived'}")
    sys.exit(1 if any(fault for _, fault in outcomes) else 0)
