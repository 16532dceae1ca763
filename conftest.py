"""Real servers for every suite, each started at most once a run: RabbitMQ, MariaDB, MongoDB, S3."""

pytest_plugins = [
    "chassis.testing.rabbitmq",
    "chassis.testing.mariadb",
    "chassis.testing.mongodb",
    "chassis.testing.seaweedfs",
    "chassis.testing.stores",
]
