variable "name" {
  description = "First part of every name."
  type        = string
}

variable "public_url" {
  description = "Where the integrations reach the gateways."
  type        = string
}

variable "secret_arn" {
  description = "The secret that integrations show to the gateways."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of the table and the log."
  type        = string
}

variable "log_days" {
  description = "How long the log is kept, days."
  type        = number
}
