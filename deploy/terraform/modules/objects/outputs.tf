output "bucket" {
  description = "Name of the bucket."
  value       = module.bucket.name
}

output "arn" {
  description = "Its ARN."
  value       = module.bucket.arn
}
