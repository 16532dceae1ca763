output "repository" {
  description = "Where deploy.sh pushes the image."
  value       = aws_ecr_repository.this.repository_url
}

output "cluster" {
  description = "Name of the ECS cluster."
  value       = module.services.cluster
}

output "services" {
  description = "Names of the ECS services."
  value       = module.services.services
}

output "front" {
  description = "What the host of public_url is an alias of."
  value       = { dns_name = module.edge.dns_name, zone_id = module.edge.zone_id }
}

output "secrets" {
  description = "ARNs of the secrets by name; a person puts the value of sendgrid_api_key."
  value       = module.secrets.arns
}

output "accounts" {
  description = "What makes the services' accounts at broker and database, as administrators."
  value = {
    broker_url      = module.broker.management_url
    broker_secret   = module.broker.admin_secret_arn
    database_secret = local.has_database ? module.stores[0].admin_secret_arn : null
  }
}

output "alarms" {
  description = "Topic of the alarms."
  value       = module.watch.topic_arn
}

output "public_url" {
  description = "The address people and agents use."
  value       = var.public_url
}

output "jobs" {
  description = "One-off tasks: `migrate` is to be run before the services are replaced."
  value       = module.services.jobs
}

output "ws_endpoint" {
  description = "Where agents connect: the API Gateway where there is one, else public_url."
  value       = local.has_front ? module.apigateway[0].ws_endpoint : replace(var.public_url, "https://", "wss://")
}
