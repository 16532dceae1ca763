variable "environment" {
  description = "Name of this installation; the first part of every name it makes."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment: 2 to 16 of a-z, 0-9 and '-', a letter first; it is part of names of buckets and brokers."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "image" {
  description = "The image of all services, by digest: REPOSITORY@sha256:... A tag can be moved to what nobody scanned."
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image: name it by digest, REPOSITORY@sha256:<64 hex digits>; deploy.sh does."
  }
}

variable "public_url" {
  description = "The address people and agents use, https://HOST."
  type        = string
  validation {
    condition     = can(regex("^https://[^/]+$", var.public_url))
    error_message = "public_url: https://HOST without a path; cookies and mails are made from it."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of that host, in this region."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network; a /16 to /20."
  type        = string
  default     = "10.42.0.0/16"
}

variable "zones" {
  description = "Availability zones it spreads over."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2
    error_message = "zones: two at least; the load balancer and the databases ask for it."
  }
}

variable "allowed_cidrs" {
  description = "From where the front is reached."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "is_redundant" {
  description = "Three broker nodes, a standby database, a NAT gateway in each zone, two of each service. False for trying out."
  type        = bool
  default     = true
}

variable "store_urls" {
  description = "Databases by URL (DocumentDB, Atlas), one for each service; empty: this makes a MySQL of its own."
  type        = map(string)
  default     = {}
  sensitive   = true
  validation {
    condition     = length(var.store_urls) == 0 || length(setsubtract(["gateway", "ingest", "notifier", "artifacts", "history"], keys(var.store_urls))) == 0
    error_message = "store_urls: one for each of gateway, ingest, notifier, artifacts and history, or none at all."
  }
}

variable "database_class" {
  description = "Instance class of the MySQL this makes."
  type        = string
  default     = "db.m7g.large"
}

variable "database_gib" {
  description = "Its storage to begin with, GiB; it grows to ten times of it."
  type        = number
  default     = 100
}

variable "broker_class" {
  description = "Instance class of each broker node; three nodes ask for mq.m5.large at least."
  type        = string
  default     = "mq.m5.large"
}

variable "gateways" {
  description = "Gateways that run at least and at most; each holds 5,000 agents and as many viewers."
  type        = object({ least = number, most = number })
  default     = { least = 2, most = 10 }
}

variable "ingests" {
  description = "Ingest replicas that run at least and at most; eight shards are divided among them."
  type        = object({ least = number, most = number })
  default     = { least = 2, most = 8 }
}

variable "log_days" {
  description = "How long logs are kept, days."
  type        = number
  default     = 90
}

variable "artifact_days" {
  description = "How long the services keep artifacts, days; the bucket ends what they forgot a month later."
  type        = number
  default     = 90
}

variable "notification_email" {
  description = "The address mails are sent from."
  type        = string
  default     = ""
}

variable "alarm_emails" {
  description = "Who is notified of alarms."
  type        = list(string)
  default     = []
}

variable "front" {
  description = "`alb`: WebSockets at the load balancer alone. `apigateway`: an API Gateway WebSocket API beside it."
  type        = string
  default     = "alb"
  validation {
    condition     = contains(["alb", "apigateway"], var.front)
    error_message = "front: alb or apigateway."
  }
}
