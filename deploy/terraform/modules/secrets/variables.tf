variable "name" {
  description = "First part of every name."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of secrets."
  type        = string
}

variable "broker_host" {
  description = "HOST:PORT of the broker."
  type        = string
}

variable "has_database" {
  description = "Whether this makes a MySQL."
  type        = bool
}

variable "database_host" {
  description = "HOST:PORT of that MySQL; without one, empty."
  type        = string
}

variable "store_urls" {
  description = "Databases by URL, for each service; empty: the MySQL's."
  type        = map(string)
  sensitive   = true
}

variable "has_mails" {
  description = "Whether SendGrid's key is needed."
  type        = bool
}

variable "has_front" {
  description = "Whether an API Gateway shows the gateways a secret."
  type        = bool
}
