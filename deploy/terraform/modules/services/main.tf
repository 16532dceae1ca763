# The five services on Fargate: one task definition, role, log group and scaling rule each, found by name on port 8080.

locals {
  port  = 8080
  tasks = merge(var.services, var.jobs)

  # What every container is: without rights, on a file system that it cannot change but for /tmp.
  containers = { for name, task in local.tasks : name => {
    name                   = name
    image                  = var.image
    command                = task.command
    essential              = true
    user                   = "10001"
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    environment            = [for variable, value in task.environment : { name = variable, value = value }]
    secrets                = [for variable, arn in task.secrets : { name = variable, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this[name].name
        awslogs-region        = var.region
        awslogs-stream-prefix = name
      }
    }
  } }
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enhanced"
  }
}

resource "aws_service_discovery_http_namespace" "this" {
  name = var.name
}

resource "aws_vpc_security_group_ingress_rule" "each_other" {
  security_group_id            = var.security_group_id
  description                  = "Services ask each other"
  referenced_security_group_id = var.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

# Databases and broker by their own rules; mail providers, chats and AWS itself by HTTPS, a mail server by submission.
resource "aws_vpc_security_group_egress_rule" "out" {
  for_each          = { https = 443, submission = 587, amqps = 5671, mysql = 3306, mongodb = 27017, services = local.port }
  security_group_id = var.security_group_id
  description       = each.key
  cidr_ipv4         = contains(["https", "submission", "mongodb"], each.key) ? "0.0.0.0/0" : var.cidr
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = local.tasks
  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.key_arn
}

data "aws_iam_policy_document" "tasks_may_be" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What starts a task may read that service's secrets and write its log, and no other's.
resource "aws_iam_role" "execution" {
  for_each           = local.tasks
  name               = "${var.name}-${each.key}-start"
  assume_role_policy = data.aws_iam_policy_document.tasks_may_be.json
}

data "aws_iam_policy_document" "execution" {
  for_each = local.tasks
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this[each.key].arn}:*"]
  }
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = distinct([for arn in values(each.value.secrets) : regex("^arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:[^:]+", arn)])
  }
  statement {
    sid       = "Unlock"
    actions   = ["kms:Decrypt"]
    resources = [var.key_arn]
  }
  statement {
    sid       = "Image"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [var.repository_arn]
  }
  statement {
    sid       = "Registry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # of the account; the action knows no narrower resource
  }
}

resource "aws_iam_role_policy" "execution" {
  for_each = local.tasks
  name     = "start"
  role     = aws_iam_role.execution[each.key].id
  policy   = data.aws_iam_policy_document.execution[each.key].json
}

# What a running task may do itself: nothing, where a service names nothing.
resource "aws_iam_role" "task" {
  for_each           = local.tasks
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.tasks_may_be.json
}

resource "aws_iam_role_policy" "task" {
  for_each = toset(nonsensitive([for name, service in var.services : name if length(service.statements) > 0]))
  name     = "own"
  role     = aws_iam_role.task[each.key].id
  policy   = jsonencode({ Version = "2012-10-17", Statement = var.services[each.key].statements })
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = var.services
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  # Fargate encrypts it; the services write there what they spool and nothing that has to last.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.containers[each.key], {
    stopTimeout  = 60
    portMappings = [{ name = "http", containerPort = local.port, protocol = "tcp", appProtocol = "http" }]
    healthCheck = {
      command     = ["CMD", "python", "-m", "build_chassis.ready"]
      interval    = 10
      timeout     = 10
      retries     = 3
      startPeriod = 60
    }
  })])
}

# Run once by deploy.sh with the services' image and to an end: no service, no scaling, no port.
resource "aws_ecs_task_definition" "job" {
  for_each                 = var.jobs
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  depends_on               = [aws_iam_role_policy.execution]

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([local.containers[each.key]])
}

resource "aws_ecs_service" "this" {
  for_each                          = var.services
  name                              = each.key
  cluster                           = aws_ecs_cluster.this.id
  task_definition                   = aws_ecs_task_definition.this[each.key].arn
  launch_type                       = "FARGATE"
  desired_count                     = each.value.least
  health_check_grace_period_seconds = each.value.target_group_arn == null ? null : 120
  enable_execute_command            = false
  propagate_tags                    = "SERVICE"

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }
  service_connect_configuration {
    enabled   = true
    namespace = aws_service_discovery_http_namespace.this.arn
    service {
      port_name      = "http"
      discovery_name = each.key
      client_alias {
        dns_name = each.key
        port     = local.port
      }
      # Log lines come by connections that may say nothing for long.
      timeout {
        idle_timeout_seconds        = 0
        per_request_timeout_seconds = 0
      }
    }
  }
  dynamic "load_balancer" {
    for_each = each.value.target_group_arn == null ? [] : [each.value.target_group_arn]
    content {
      target_group_arn = load_balancer.value
      container_name   = each.key
      container_port   = local.port
    }
  }
  lifecycle {
    ignore_changes = [desired_count] # the scaling rules' business
  }
}

resource "aws_appautoscaling_target" "this" {
  for_each           = { for name, service in var.services : name => service if service.most > service.least }
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this[each.key].name}"
  min_capacity       = each.value.least
  max_capacity       = each.value.most
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each           = aws_appautoscaling_target.this
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_in_cooldown  = 600 # each one taken away makes its agents and viewers connect anew
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "load" {
  for_each           = { for name, target in aws_appautoscaling_target.this : name => target if var.services[name].load != null }
  name               = var.services[each.key].load.metric
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = var.services[each.key].load.target
    scale_in_cooldown  = 600
    scale_out_cooldown = 60
    customized_metric_specification {
      namespace   = var.services[each.key].load.namespace
      metric_name = var.services[each.key].load.metric
      statistic   = "Average"
      dynamic "dimensions" {
        for_each = var.services[each.key].load.dimensions
        content {
          name  = dimensions.key
          value = dimensions.value
        }
      }
    }
  }
}
