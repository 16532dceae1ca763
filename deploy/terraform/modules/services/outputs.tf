output "cluster" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "log_groups" {
  description = "Each service's log group."
  value       = { for name in keys(var.services) : name => aws_cloudwatch_log_group.this[name].name }
}

output "services" {
  description = "Each service's name in the cluster."
  value       = { for name, service in aws_ecs_service.this : name => service.name }
}

output "jobs" {
  description = "What `aws ecs run-task` is given for each job."
  value = {
    for name, job in aws_ecs_task_definition.job : name => {
      task_definition = job.arn
      subnets         = var.subnet_ids
      security_group  = var.security_group_id
    }
  }
}
