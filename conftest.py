"""Real servers for every suite, each started at most once a run: RabbitMQ, MariaDB, MongoDB, S3."""

import os

# In a git hook they name the hook's repository: what tests commit would land there.
for _name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[_name]

pytest_plugins = [
    "build_testkit.rabbitmq",
    "build_testkit.mariadb",
    "build_testkit.mongodb",
    "build_testkit.seaweedfs",
    "build_testkit.stores",
]
