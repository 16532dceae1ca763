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

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "The services'."
  type        = string
}

variable "image" {
  description = "The image of all services, by digest."
  type        = string
}

variable "repository_arn" {
  description = "Where that image is pulled from."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of logs and secrets."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept, days."
  type        = number
}

variable "services" {
  description = "Each service by name: what runs, with what, how often; `load` is what it scales by beside CPU; `statements` are IAM statements of its own role."
  type = map(object({
    command     = list(string)
    cpu         = number
    memory      = number
    least       = number
    most        = number
    environment = map(string)
    secrets     = map(string)
    statements = optional(list(object({
      Sid      = string
      Effect   = string
      Action   = list(string)
      Resource = list(string)
    })), [])
    target_group_arn = optional(string)
    load = optional(object({
      namespace  = string
      metric     = string
      dimensions = map(string)
      target     = number
    }))
  }))
}

variable "jobs" {
  description = "What is run once, to its end, before the services are replaced; by name."
  type = map(object({
    command     = list(string)
    cpu         = number
    memory      = number
    environment = map(string)
    secrets     = map(string)
  }))
  default = {}
}
