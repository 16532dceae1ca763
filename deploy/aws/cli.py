"""`./deploy.sh`: its options, and how it ends."""

import argparse
import os
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from deploy.aws.account import Account
from deploy.aws.commands import Checkout, CommandFailed, Images, Terraform
from deploy.aws.refusals import Refused
from deploy.aws.release import Release, RolledBack

ROOT = Path(__file__).parents[2]
REFUSED, FAILED, ROLLED_BACK = 2, 1, 3


def main() -> int:
    """Deploy; 0 where the version is healthy, 2 refused, 1 failed before the services changed, 3 rolled back."""
    parser = argparse.ArgumentParser(prog="deploy.sh", description=__doc__)
    parser.add_argument("--var-file", type=Path, default=ROOT / "deploy/terraform/production.tfvars", metavar="FILE")
    parser.add_argument(
        "--terraform", type=Path, default=ROOT / "deploy/terraform", metavar="DIR", help="another configuration"
    )
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"))
    parser.add_argument("--public-url", metavar="URL", help="look at it there rather than at public_url")
    parser.add_argument("--healthy-seconds", type=float, default=900, metavar="S", help="it is to be healthy by then")
    parser.add_argument("--dry-run", action="store_true", help="refuse and plan as else, and change nothing")
    options = parser.parse_args()
    release = Release(
        Checkout(ROOT),
        Images(ROOT),
        Terraform(options.terraform.resolve(), options.var_file.resolve()),
        Account(options.region, os.environ.get("AWS_ENDPOINT_URL")),
        say=lambda text: print(text, flush=True),
        healthy_seconds=options.healthy_seconds,
        public_url=options.public_url,
    )
    try:
        release.run(is_dry=options.dry_run)
    except Refused as refused:
        return _end(REFUSED, f"refused: {refused}")
    except (CommandFailed, ClientError, BotoCoreError) as error:
        return _end(FAILED, f"failed: {error}")
    except RolledBack as back:
        return _end(ROLLED_BACK, f"rolled back: {back}")
    return 0


def _end(code: int, text: str) -> int:
    print(f"deploy.sh: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
