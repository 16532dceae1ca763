variable "name" {
  description = "First part of every name."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network."
  type        = string
}

variable "zones" {
  description = "Availability zones, two at least, eight at most."
  type        = list(string)
}

variable "is_redundant" {
  description = "A NAT gateway in each zone, not one for all."
  type        = bool
}

variable "key_arn" {
  description = "The KMS key of logs."
  type        = string
}

variable "log_days" {
  description = "How long refused connections are kept, days."
  type        = number
}
