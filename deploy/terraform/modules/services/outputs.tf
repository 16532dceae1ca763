output "cluster" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "log_groups" {
  description = "Each service's log group."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.name }
}

output "services" {
  description = "Each service's name in the cluster."
  value       = { for name, service in aws_ecs_service.this : name => service.name }
}
