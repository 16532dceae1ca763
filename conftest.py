"""Real servers for every suite, each started at most once a run: RabbitMQ, MariaDB, MongoDB, S3."""

import os
import sys

from build_testkit.memory_disk import memory_disk

# In a git hook they name the hook's repository: what tests commit would land there.
for _name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[_name]

# Where Python may keep no bytecode, each of a thousand processes that tests start would compile all it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if disk := memory_disk():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(disk))

pytest_plugins = [
    "build_testkit.rabbitmq",
    "build_testkit.mariadb",
    "build_testkit.mongodb",
    "build_testkit.seaweedfs",
    "build_testkit.engine",
    "build_testkit.stores",
]
