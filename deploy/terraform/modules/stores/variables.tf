variable "name" {
  description = "Name of the database instance."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
}

variable "client_security_group_id" {
  description = "Who may connect."
  type        = string
}

variable "is_redundant" {
  description = "A standby in another zone, and nobody deletes it by mistake."
  type        = bool
}

variable "instance_class" {
  description = "Of the instance."
  type        = string
}

variable "storage_gib" {
  description = "Storage to begin with, GiB."
  type        = number
}

variable "key_arn" {
  description = "The KMS key of what it stores."
  type        = string
}
