output "name" {
  description = "Its name, once writers may write."
  value       = aws_s3_bucket.this.bucket
  depends_on  = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "Its ARN."
  value       = aws_s3_bucket.this.arn
}
