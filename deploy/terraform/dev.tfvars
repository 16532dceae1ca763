# For trying out: one of each, deleted without asking. `terraform apply -var-file=dev.tfvars -var image=...`
environment     = "dev"
region          = "us-east-1"
zones           = ["us-east-1a", "us-east-1b"]
public_url      = "https://builds-dev.example.org"
certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
is_redundant    = false
broker_class    = "mq.t3.micro"
database_class  = "db.t4g.medium"
database_gib    = 20
log_days        = 14
