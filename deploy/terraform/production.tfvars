# Three zones, nothing alone, nothing deleted by mistake.
environment        = "production"
region             = "us-east-1"
zones              = ["us-east-1a", "us-east-1b", "us-east-1c"]
public_url         = "https://builds.example.org"
certificate_arn    = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
notification_email = "builds@example.org"
alarm_emails       = ["on-call@example.org"]
log_days           = 365
