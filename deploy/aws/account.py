"""What deploy.sh asks of AWS itself: the registry, secrets, the cluster, and which image was healthy last."""

import base64
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy.aws.commands import CommandFailed

POLL_SECONDS = 3.0
JOB_SECONDS = 1800.0


@dataclass
class Account:
    """One account and region, by boto3's own search for credentials; `endpoint`: another AWS than Amazon's."""

    region: str
    endpoint: str | None = None

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest of what is pushed there with this tag."""
        name = repository.partition("/")[2]
        try:
            found = self._client("ecr").describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return None
            raise
        return str(found["imageDetails"][0]["imageDigest"])

    def registry_login(self) -> tuple[str, str]:
        """User and password for the registry, good for twelve hours."""
        token = self._client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        return user, password

    def secrets(self, arns: Mapping[str, str]) -> dict[str, str | None]:
        """Values by name; None where there is none yet."""
        return {name: self._secret(arn) for name, arn in arns.items()}

    def healthy_image(self, cluster: str) -> str | None:
        """The image that was healthy last on this cluster."""
        try:
            return str(self._client("ssm").get_parameter(Name=_parameter(cluster))["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise

    def note_healthy(self, cluster: str, image: str) -> None:
        """Remember it as the one to go back to. Repeating it is harmless: one value for each cluster."""
        self._client("ssm").put_parameter(Name=_parameter(cluster), Value=image, Type="String", Overwrite=True)

    def run_job(self, cluster: str, job: Mapping[str, Any]) -> None:
        """Run a one-off task to its end. Raises CommandFailed where it does not start or ends with an error."""
        ecs = self._client("ecs")
        network = {"subnets": job["subnets"], "securityGroups": [job["security_group"]], "assignPublicIp": "DISABLED"}
        started = ecs.run_task(
            cluster=cluster,
            taskDefinition=job["task_definition"],
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
        )
        if started.get("failures"):
            raise CommandFailed(f"{job['task_definition']} does not start: {started['failures'][0].get('reason')}")
        task, until = started["tasks"][0]["taskArn"], time.monotonic() + JOB_SECONDS
        while time.monotonic() < until:
            (seen,) = ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]
            if seen["lastStatus"] == "STOPPED":
                codes = [container.get("exitCode") for container in seen["containers"]]
                if codes != [0]:
                    raise CommandFailed(f"{job['task_definition']} ended with {codes}: {seen.get('stoppedReason', '')}")
                return
            time.sleep(POLL_SECONDS)
        raise CommandFailed(f"{job['task_definition']} did not end within {JOB_SECONDS:g} s")

    def waiting_services(self, cluster: str, services: Iterable[str]) -> list[str]:
        """Services that do not run as wanted yet. Raises CommandFailed where ECS has given one up."""
        waiting = []
        for service in self._client("ecs").describe_services(cluster=cluster, services=sorted(services))["services"]:
            current = [each for each in service["deployments"] if each["status"] == "PRIMARY"]
            if any(each.get("rolloutState") == "FAILED" for each in service["deployments"]):
                raise CommandFailed(f"{service['serviceName']}: its tasks do not stay up, ECS has given it up")
            if service["runningCount"] < service["desiredCount"] or len(service["deployments"]) > len(current):
                waiting.append(service["serviceName"])
        return waiting

    def _secret(self, arn: str) -> str | None:
        try:
            return str(self._client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region, endpoint_url=self.endpoint)


def _parameter(cluster: str) -> str:
    return f"/{cluster}/healthy-image"
