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
