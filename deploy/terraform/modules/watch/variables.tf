variable "name" {
  description = "First part of every name."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of alarms' messages."
  type        = string
}

variable "namespace" {
  description = "Namespace of the services' metrics."
  type        = string
}

variable "cluster" {
  description = "Name of the services' cluster."
  type        = string
}

variable "services" {
  description = "Each service's name in the cluster."
  type        = map(string)
}

variable "log_groups" {
  description = "Each service's log group."
  type        = map(string)
}

variable "load_balancer" {
  description = "The load balancer, as its metrics have it."
  type        = string
}

variable "broker" {
  description = "The broker, as its metrics have it."
  type        = string
}

variable "database" {
  description = "The database instance, as its metrics have it; null: none of its own."
  type        = string
  default     = null
}

variable "emails" {
  description = "Who is notified."
  type        = list(string)
}
