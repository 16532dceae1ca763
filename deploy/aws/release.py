"""One deployment, in its order: refuse, image, schema, apply, look, and back where it is not healthy."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.aws.account import Account
from deploy.aws.commands import ANY_IMAGE, Checkout, CommandFailed, Images, Terraform
from deploy.aws.health import STREAM_SECONDS, Front, Unhealthy
from deploy.aws.refusals import refuse_dirty, refuse_placeholders, refuse_secrets

REPOSITORY = ("aws_ecr_repository.this", "aws_ecr_lifecycle_policy.this")
JOBS = (
    *("module.network", "module.broker", "module.stores", "module.secrets", "aws_security_group.services"),
    *("module.services.aws_ecs_cluster.this", "module.services.aws_vpc_security_group_egress_rule.out"),
    "module.services.aws_ecs_task_definition.job",
)
"""What a job needs: all of it is there before the services are, and none of it replaces one."""

POLL_SECONDS = 3.0


class RolledBack(Exception):
    """The new version was not healthy: what runs now, and why."""


@dataclass(frozen=True)
class Release:
    """What is deployed from where to where; `say` prints a line of what happens."""

    checkout: Checkout
    images: Images
    terraform: Terraform
    account: Account
    say: Callable[[str], None]
    healthy_seconds: float = 900.0
    """A version is to be healthy by then."""

    stream_seconds: float = STREAM_SECONDS
    public_url: str | None = None
    """Where it is looked at, if not at terraform's own output."""

    def run(self, *, is_dry: bool = False) -> None:
        """Deploy this commit; repeating it changes nothing.

        Raises:
            Refused: something is to be done first; nothing was changed.
            CommandFailed: a step before the services were touched failed; they run as they did.
            RolledBack: the version was not healthy, and the one before runs again, or there is none.
        """
        refuse_dirty(self.checkout.status())
        refuse_placeholders(self.terraform.variables.read_text())
        self.terraform.init()
        outputs = self.terraform.outputs()
        if "secrets" in outputs:
            refuse_secrets(self.account.secrets(outputs["secrets"]))
        if is_dry:
            self._dry(outputs)
            return
        if "repository" not in outputs:
            self.say("make the repository of images")
            self.terraform.apply(ANY_IMAGE, *REPOSITORY)
            outputs = self.terraform.outputs()
        image = self._image(outputs["repository"])
        before = self.account.healthy_image(outputs["cluster"]) if "cluster" in outputs else None
        self._migrate(image)
        self._apply(image, before)

    def _dry(self, outputs: Mapping[str, Any]) -> None:
        commit, repository = self.checkout.commit(), outputs.get("repository")
        digest = self.account.digest(repository, commit) if repository else None
        image = f"{repository}@{digest}" if digest else ANY_IMAGE
        changes, text = self.terraform.plan(image)
        self.say(text)
        self.say(f"image {image}" if digest else f"an image is built of {commit}")
        self.say("there are changes" if changes else "there are no changes")

    def _image(self, repository: str) -> str:
        """This commit's image by digest, built, scanned and pushed unless it was before."""
        commit = self.checkout.commit()
        digest = self.account.digest(repository, commit)
        if digest is None:
            name = f"{repository}:{commit}"
            self.say(f"build {name}")
            self.images.build(name)
            self.images.scan(name)
            self.images.push(name, *self.account.registry_login())
            digest = self.account.digest(repository, commit)
        if digest is None:
            raise CommandFailed(f"{repository} has no image of {commit}, though it was pushed")
        return f"{repository}@{digest}"

    def _migrate(self, image: str) -> None:
        """Bring the stores to this version's schema while the one before, which can go on with it, still runs."""
        self.terraform.apply(image, *JOBS)
        outputs = self.terraform.outputs()
        refuse_secrets(self.account.secrets(outputs["secrets"]))
        self.say("migrate the stores")
        self.account.run_job(outputs["cluster"], outputs["jobs"]["migrate"])

    def _apply(self, image: str, before: str | None) -> None:
        try:
            changes, text = self.terraform.plan(image)
            if changes:
                self.say(text)
                self.terraform.apply_plan()
            self._look()
        except (CommandFailed, Unhealthy) as error:
            raise RolledBack(f"{error}\n{self._back(image, before)}") from error
        self.account.note_healthy(self.terraform.outputs()["cluster"], image)
        self.say(f"{image} is healthy")

    def _back(self, image: str, before: str | None) -> str:
        """Apply what was healthy before; how that went."""
        if before is None or before == image:
            return "there is no earlier version to go back to: this one stays, as it is"
        self.say(f"not healthy: back to {before}")
        try:
            self.terraform.apply(before)
            self._look()
        except (CommandFailed, Unhealthy) as error:
            return f"back at {before}, and it is not healthy either: {error}"
        return f"back at {before}, which is healthy"

    def _look(self) -> None:
        """Wait until all services run, the front says it is ready and a build streams through. Raises Unhealthy."""
        outputs = self.terraform.outputs()
        key = self.account.secrets({"api_key": outputs["secrets"]["api_key"]})["api_key"]
        front = Front(self.public_url or outputs["public_url"], str(key), self.stream_seconds)
        until = time.monotonic() + self.healthy_seconds
        while True:
            waiting = self.account.waiting_services(outputs["cluster"], outputs["services"].values())
            if not waiting and front.is_ready():
                break
            if time.monotonic() > until:
                missing = f"not running: {', '.join(waiting)}" if waiting else f"{front.url}/readyz does not say so"
                raise Unhealthy(f"not ready within {self.healthy_seconds:g} s: {missing}")
            time.sleep(POLL_SECONDS)
        self.say(f"build {front.stream()} streamed through {front.url}")
