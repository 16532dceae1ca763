output "target_group_arn" {
  description = "Where gateways register."
  value       = aws_lb_target_group.gateways.arn
}

output "dns_name" {
  description = "What the host of public_url is an alias of."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Its zone, for such an alias."
  value       = aws_lb.this.zone_id
}

output "dimension" {
  description = "The load balancer, as its metrics have it."
  value       = aws_lb.this.arn_suffix
}
