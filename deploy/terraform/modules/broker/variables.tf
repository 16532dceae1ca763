variable "name" {
  description = "Name of the broker."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, one in each zone."
  type        = list(string)
}

variable "client_security_group_id" {
  description = "Who may connect."
  type        = string
}

variable "is_redundant" {
  description = "Three nodes, with quorum queues on all of them; else one."
  type        = bool
}

variable "instance_class" {
  description = "Of each node."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of what it stores."
  type        = string
}
