output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Where the front is."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Where everything else is."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "public_cidrs" {
  description = "Addresses the front calls from: what services believe about clients."
  value       = [for zone in var.zones : aws_subnet.public[zone].cidr_block]
}
