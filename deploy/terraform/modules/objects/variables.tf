variable "name" {
  description = "Name of the bucket; nobody else in the world has it."
  type        = string
}

variable "public_url" {
  description = "The page's origin."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of what it stores."
  type        = string
}
