output "host" {
  description = "Where it is, HOST:PORT."
  value       = aws_db_instance.this.endpoint
}

output "admin_secret_arn" {
  description = "The administrator's account, as JSON of username and password."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "id" {
  description = "Name of the instance, as its metrics have it."
  value       = aws_db_instance.this.identifier
}
