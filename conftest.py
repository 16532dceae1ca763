"""Real servers for every suite, started at most once a run: `rabbitmq`, `mariadb`, `mongodb` and their URLs."""

pytest_plugins = ["chassis.testing.rabbitmq", "chassis.testing.mariadb", "chassis.testing.mongodb"]
