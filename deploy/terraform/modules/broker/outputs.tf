output "host" {
  description = "Where amqps is, HOST:PORT."
  value       = trimprefix(aws_mq_broker.this.instances[0].endpoints[0], "amqps://")
}

output "management_url" {
  description = "Where accounts are made."
  value       = aws_mq_broker.this.instances[0].console_url
}

output "admin_secret_arn" {
  description = "The administrator's account, as JSON of username and password."
  value       = aws_secretsmanager_secret.admin.arn
}

output "id" {
  description = "Name of the broker, as its metrics have it."
  value       = aws_mq_broker.this.broker_name
}
