output "topic_arn" {
  description = "Where alarms are published: subscribe a pager."
  value       = aws_sns_topic.alarms.arn
}
