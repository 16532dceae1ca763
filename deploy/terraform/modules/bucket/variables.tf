variable "name" {
  description = "Its name; nobody else in the world has it."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of what it stores; null: S3's own key."
  type        = string
  default     = null
}

variable "keep_days" {
  description = "When an object goes, days; null: whoever wrote it deletes it."
  type        = number
  default     = null
}

variable "noncurrent_days" {
  description = "How long what was overwritten or deleted stays, days."
  type        = number
}

variable "writer" {
  description = "A service of AWS that writes below a prefix; null: none."
  type        = object({ service = string, prefix = string })
  default     = null
}
