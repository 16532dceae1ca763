# Artifacts and archived logs. Deletion is the services' business; the bucket only ends what they left behind.

module "bucket" {
  source          = "../bucket"
  name            = var.name
  key_arn         = var.key_arn
  noncurrent_days = 30
}

# Browsers download, and agents upload, by signed links to the bucket itself.
resource "aws_s3_bucket_cors_configuration" "this" {
  bucket = module.bucket.name
  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = [var.public_url]
    allowed_headers = ["Range"]
    expose_headers  = ["ETag", "Content-Range"]
    max_age_seconds = 3600
  }
}
