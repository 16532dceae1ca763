# Amazon MQ for RabbitMQ. Its one account here is the administrator's; `python /accounts/rabbitmq.py` makes those of the
# services, each with the rights of deploy/rabbitmq/definitions.template.json.

locals {
  port   = 5671
  secret = jsondecode(data.aws_secretsmanager_secret_version.admin.secret_string)
}

data "aws_secretsmanager_random_password" "admin" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "admin" {
  name       = "${var.name}/broker/admin"
  kms_key_id = var.key_arn
}

resource "aws_secretsmanager_secret_version" "admin" {
  secret_id     = aws_secretsmanager_secret.admin.id
  secret_string = jsonencode({ username = "administrator", password = data.aws_secretsmanager_random_password.admin.random_password })
  lifecycle {
    ignore_changes = [secret_string] # a new one is drawn at each reading
  }
}

# What was drawn first, and stays.
data "aws_secretsmanager_secret_version" "admin" {
  secret_id  = aws_secretsmanager_secret.admin.id
  depends_on = [aws_secretsmanager_secret_version.admin]
}

resource "aws_security_group" "this" {
  name        = "${var.name}-broker"
  description = "The broker"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "amqps" {
  for_each                     = toset([tostring(local.port), "443"]) # 443: its management interface
  security_group_id            = aws_security_group.this.id
  description                  = "Services"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
}

resource "aws_mq_broker" "this" {
  broker_name                = var.name
  engine_type                = "RabbitMQ"
  engine_version             = "3.13"
  auto_minor_version_upgrade = true
  deployment_mode            = var.is_redundant ? "CLUSTER_MULTI_AZ" : "SINGLE_INSTANCE"
  host_instance_type         = var.instance_class
  publicly_accessible        = false
  subnet_ids                 = var.is_redundant ? var.subnet_ids : [var.subnet_ids[0]]
  security_groups            = [aws_security_group.this.id]

  encryption_options {
    kms_key_id        = var.key_arn
    use_aws_owned_key = false
  }
  logs {
    general = true
  }
  maintenance_window_start_time {
    day_of_week = "SUNDAY"
    time_of_day = "03:00"
    time_zone   = "UTC"
  }
  user {
    username = local.secret.username
    password = local.secret.password
  }
}
