# The founding document's deployment on AWS. What a service is started with is named once, in services.tf; it equals what
# docker-compose.yml gives it (deploy/tests/test_terraform.py).

data "aws_caller_identity" "this" {}

locals {
  name       = "${var.environment}-builds"
  account_id = data.aws_caller_identity.this.account_id
}

# One key for what is stored: queues, databases, objects, secrets, logs.
data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"] # this key
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account_id}:root"]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:aws:logs:${var.region}:${local.account_id}:log-group:/${local.name}/*"]
    }
  }
  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "${local.name}: queues, databases, objects, secrets, logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_ecr_repository" "this" {
  name                 = local.name
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "What a rollback may need, and no more"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 50 }
      action       = { type = "expire" }
    }]
  })
}

module "network" {
  source       = "./modules/network"
  name         = local.name
  region       = var.region
  cidr         = var.cidr
  zones        = var.zones
  is_redundant = var.is_redundant
  key_arn      = aws_kms_key.this.arn
  log_days     = var.log_days
}

resource "aws_security_group" "services" {
  name        = "${local.name}-services"
  description = "The five services"
  vpc_id      = module.network.vpc_id
}

module "broker" {
  source                   = "./modules/broker"
  name                     = local.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  client_security_group_id = aws_security_group.services.id
  is_redundant             = var.is_redundant
  instance_class           = var.broker_class
  key_arn                  = aws_kms_key.this.arn
}

module "stores" {
  count                    = local.has_database ? 1 : 0
  source                   = "./modules/stores"
  name                     = local.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  client_security_group_id = aws_security_group.services.id
  is_redundant             = var.is_redundant
  instance_class           = var.database_class
  storage_gib              = var.database_gib
  key_arn                  = aws_kms_key.this.arn
}

module "objects" {
  source     = "./modules/objects"
  name       = "${local.name}-artifacts-${local.account_id}"
  public_url = var.public_url
  key_arn    = aws_kms_key.this.arn
}

module "secrets" {
  source        = "./modules/secrets"
  name          = local.name
  key_arn       = aws_kms_key.this.arn
  broker_host   = module.broker.host
  has_database  = local.has_database
  database_host = local.has_database ? module.stores[0].host : ""
  store_urls    = var.store_urls
  has_mails     = var.notification_email != ""
  has_front     = var.front == "apigateway"
}

module "edge" {
  source                    = "./modules/edge"
  name                      = local.name
  account_id                = local.account_id
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.public_subnet_ids
  gateway_security_group_id = aws_security_group.services.id
  allowed_cidrs             = var.allowed_cidrs
  certificate_arn           = var.certificate_arn
  is_redundant              = var.is_redundant
  log_days                  = var.log_days
}

module "apigateway" {
  count      = var.front == "apigateway" ? 1 : 0
  source     = "./modules/apigateway"
  name       = local.name
  public_url = var.public_url
  secret_arn = local.secret["front_secret"]
  key_arn    = aws_kms_key.this.arn
  log_days   = var.log_days
}

module "services" {
  source            = "./modules/services"
  name              = local.name
  region            = var.region
  cidr              = var.cidr
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = aws_security_group.services.id
  image             = var.image
  repository_arn    = aws_ecr_repository.this.arn
  key_arn           = aws_kms_key.this.arn
  log_days          = var.log_days
  services          = local.services
  jobs              = local.jobs
}

module "watch" {
  source        = "./modules/watch"
  name          = local.name
  region        = var.region
  key_arn       = aws_kms_key.this.arn
  namespace     = local.namespace
  cluster       = module.services.cluster
  services      = module.services.services
  log_groups    = module.services.log_groups
  load_balancer = module.edge.dimension
  broker        = module.broker.id
  database      = local.has_database ? module.stores[0].id : null
  emails        = var.alarm_emails
}
