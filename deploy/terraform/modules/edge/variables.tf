variable "name" {
  description = "Name of the load balancer; 23 characters at most, with the suffix of its target group."
  type        = string
}

variable "account_id" {
  description = "The account; part of its log bucket's name."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, in two zones at least."
  type        = list(string)
}

variable "gateway_security_group_id" {
  description = "The gateways'; it is opened for this load balancer."
  type        = string
}

variable "allowed_cidrs" {
  description = "From where it is reached."
  type        = list(string)
}

variable "certificate_arn" {
  description = "ACM certificate."
  type        = string
}

variable "is_redundant" {
  description = "Nobody deletes it by mistake."
  type        = bool
}

variable "log_days" {
  description = "How long its log is kept, days."
  type        = number
}
