# One secret for each thing somebody must know; each service's role reads its own and no other (modules/services).
# What is drawn here is in the state too: see backend.tf.example.

locals {
  drawn = merge(
    { jwt_secret_key = 64, admin_password = 24, api_key = 64 },
    var.has_front ? { front_secret = 64 } : {},
  )
  # Put there by a person: deploy.sh refuses to go on while one is a placeholder.
  given    = toset(var.has_mails ? ["sendgrid_api_key"] : [])
  services = toset(["gateway", "ingest", "notifier", "artifacts", "history"])
  # Names are known before anything exists, hosts after.
  names = setunion(
    [for service in local.services : "amqp_${service}"],
    var.has_database ? [for service in local.services : "store_${service}"] : [],
  )
  given_urls = nonsensitive(toset([for service in keys(var.store_urls) : "store_${service}"]))
  urls = merge(
    { for service in local.services : "amqp_${service}" => "amqps://${service}:%s@${var.broker_host}/" },
    {
      for service in local.services :
      "store_${service}" => "mysql://${service}:%s@${var.database_host}/build_dashboard_${service}?ssl_ca=/app/trust/rds.pem"
    },
  )
}

data "aws_secretsmanager_random_password" "drawn" {
  for_each            = merge(local.drawn, { for name in local.names : name => 48 })
  password_length     = each.value
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "this" {
  for_each   = setunion(keys(local.drawn), local.names, local.given, local.given_urls)
  name       = "${var.name}/${each.key}"
  kms_key_id = var.key_arn
}

resource "aws_secretsmanager_secret_version" "drawn" {
  for_each      = local.drawn
  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = data.aws_secretsmanager_random_password.drawn[each.key].random_password
  lifecycle {
    ignore_changes = [secret_string] # another one is drawn at each reading
  }
}

resource "aws_secretsmanager_secret_version" "accounts" {
  for_each      = local.names
  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = format(local.urls[each.key], data.aws_secretsmanager_random_password.drawn[each.key].random_password)
  lifecycle {
    ignore_changes = [secret_string]
  }
}

resource "aws_secretsmanager_secret_version" "given" {
  for_each      = local.given
  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = "<${each.key}>"
  lifecycle {
    ignore_changes = [secret_string]
  }
}

resource "aws_secretsmanager_secret_version" "stores" {
  for_each      = local.given_urls
  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = var.store_urls[trimprefix(each.key, "store_")]
}
