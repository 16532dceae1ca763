# The front: TLS, and WebSockets that may be silent for an hour.

resource "aws_security_group" "this" {
  name        = "${var.name}-edge"
  description = "The load balancer"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each          = toset(var.allowed_cidrs)
  security_group_id = aws_security_group.this.id
  description       = "People and agents"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  for_each          = toset(var.allowed_cidrs)
  security_group_id = aws_security_group.this.id
  description       = "Sent on to https"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "gateways" {
  security_group_id            = aws_security_group.this.id
  description                  = "Gateways"
  referenced_security_group_id = var.gateway_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_vpc_security_group_ingress_rule" "gateways" {
  security_group_id            = var.gateway_security_group_id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

# The load balancer writes with S3's own keys and with no other.
module "log" {
  source          = "../bucket"
  name            = "${var.name}-front-log-${var.account_id}"
  keep_days       = var.log_days
  noncurrent_days = 7
  writer          = { service = "logdelivery.elasticloadbalancing.amazonaws.com", prefix = "AWSLogs/${var.account_id}" }
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  idle_timeout               = 3600
  drop_invalid_header_fields = true
  enable_deletion_protection = var.is_redundant
  access_logs {
    bucket  = module.log.name
    enabled = true
  }
}

resource "aws_lb_target_group" "gateways" {
  name                 = "${var.name}-gateways"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  port                 = 8080
  protocol             = "HTTP"
  deregistration_delay = 60
  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 10
    timeout             = 8
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  certificate_arn   = var.certificate_arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateways.arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}
