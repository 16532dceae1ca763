# What each service is started with.

locals {
  has_database = nonsensitive(length(var.store_urls) == 0)
  has_front    = var.front == "apigateway"
  namespace    = "BuildDashboard/${var.environment}"
  secret       = module.secrets.arns
  small        = { cpu = 512, memory = 1024 }
  large        = { cpu = 1024, memory = 2048 }

  # What all of them are given, as docker-compose.yml's &environment.
  environment = {
    JWT_ALGORITHM          = "HS256"
    BUILD_DASHBOARD_CONFIG = "/app/config.yaml"
    CLOCK_CONFIRMED_ON     = ""
    LOG_LEVEL              = "INFO"
    CLOUDWATCH_NAMESPACE   = local.namespace
  }
  listen = {
    for name in ["gateway", "ingest", "notifier", "artifacts", "history"] : name => {
      "${upper(name)}_HOST"         = "0.0.0.0"
      "${upper(name)}_PORT"         = "8080"
      "${upper(name)}_METRICS_HOST" = "127.0.0.1" # CloudWatch has them by the log
    }
  }
  known = {
    for name in ["gateway", "ingest", "notifier", "artifacts", "history"] : name => {
      JWT_SECRET_KEY             = local.secret["jwt_secret_key"]
      AMQP_URL                   = local.secret["amqp_${name}"]
      "${upper(name)}_STORE_URL" = local.secret["store_${name}"]
    }
  }

  services = {
    gateway = merge(local.large, {
      command = ["build-dashboard", "serve", "gateway"]
      least   = var.is_redundant ? var.gateways.least : 1
      most    = var.gateways.most
      environment = merge(local.environment, local.listen.gateway, {
        GATEWAY_INGEST_URL    = "http://ingest:8080"
        GATEWAY_NOTIFIER_URL  = "http://notifier:8080"
        GATEWAY_ARTIFACTS_URL = "http://artifacts:8080"
        GATEWAY_HISTORY_URL   = "http://history:8080"
        BUILD_DASHBOARD_URL   = var.public_url
        TRUSTED_PROXIES       = join(",", module.network.public_cidrs)
        }, local.has_front ? {
        GATEWAY_APIGATEWAY_URL   = module.apigateway[0].management_url
        GATEWAY_APIGATEWAY_TABLE = module.apigateway[0].table
        AWS_REGION               = var.region
      } : {})
      secrets = merge(local.known.gateway, {
        BUILD_DASHBOARD_ADMIN_PASSWORD = local.secret["admin_password"]
        BUILD_DASHBOARD_API_KEY        = local.secret["api_key"]
      }, local.has_front ? { GATEWAY_APIGATEWAY_SECRET = local.secret["front_secret"] } : {})
      statements       = local.has_front ? module.apigateway[0].statements : []
      target_group_arn = module.edge.target_group_arn
      load = {
        namespace  = local.namespace
        metric     = "gateway_agents"
        dimensions = { service = "gateway" }
        target     = 2500
      }
    })
    ingest = merge(local.large, {
      command          = ["build-dashboard", "serve", "ingest"]
      least            = var.is_redundant ? var.ingests.least : 1
      most             = var.ingests.most
      environment      = merge(local.environment, local.listen.ingest, { INGEST_ARTIFACTS_URL = "http://artifacts:8080" })
      secrets          = local.known.ingest
      statements       = []
      target_group_arn = null
      load = {
        namespace  = "AWS/AmazonMQ"
        metric     = "MessageReadyCount"
        dimensions = { Broker = module.broker.id }
        target     = 5000
      }
    })
    notifier = merge(local.small, {
      command = ["build-dashboard", "serve", "notifier"]
      least   = var.is_redundant ? 2 : 1
      most    = var.is_redundant ? 2 : 1
      environment = merge(local.environment, local.listen.notifier, {
        NOTIFIER_INGEST_URL    = "http://ingest:8080"
        NOTIFIER_HISTORY_URL   = "http://history:8080"
        NOTIFIER_ARTIFACTS_URL = "http://artifacts:8080"
        NOTIFICATION_EMAIL     = var.notification_email
        BUILD_DASHBOARD_URL    = var.public_url
      })
      secrets          = merge(local.known.notifier, var.notification_email == "" ? {} : { SECRET_API_KEY = local.secret["sendgrid_api_key"] })
      statements       = []
      target_group_arn = null
      load             = null
    })
    artifacts = merge(local.small, {
      command = ["build-dashboard", "serve", "artifacts"]
      least   = var.is_redundant ? 2 : 1
      most    = var.is_redundant ? 4 : 1
      environment = merge(local.environment, local.listen.artifacts, {
        ARTIFACTS_INGEST_URL    = "http://ingest:8080"
        AWS_REGION              = var.region
        S3_BUCKET               = module.objects.bucket
        ARTIFACTS_S3_ENCRYPTION = "aws:kms"
        ARTIFACTS_S3_KMS_KEY    = aws_kms_key.this.arn
        ARTIFACTS_S3_TRANSFER   = "direct"
        ARTIFACTS_KEEP_DAYS     = tostring(var.artifact_days)
      })
      secrets = local.known.artifacts
      # No access key: the task's role is boto3's own search.
      statements = [
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
          Resource = ["${module.objects.arn}/*"]
        },
        {
          Sid      = "Bucket"
          Effect   = "Allow"
          Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
          Resource = [module.objects.arn]
        },
        {
          Sid      = "Key"
          Effect   = "Allow"
          Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource = [aws_kms_key.this.arn]
        },
      ]
      target_group_arn = null
      load             = null
    })
    history = merge(local.small, {
      command          = ["build-dashboard", "serve", "history"]
      least            = var.is_redundant ? 2 : 1
      most             = var.is_redundant ? 2 : 1
      environment      = merge(local.environment, local.listen.history, { HISTORY_INGEST_URL = "http://ingest:8080" })
      secrets          = local.known.history
      statements       = []
      target_group_arn = null
      load             = null
    })
  }

  # Brings every store to the release's schema: it knows all their URLs, the broker's not. The settings ask for the key.
  jobs = {
    migrate = merge(local.small, {
      command     = ["build-dashboard", "migrate", "--services"]
      environment = local.environment
      secrets = merge({ JWT_SECRET_KEY = local.secret["jwt_secret_key"] }, {
        for name in keys(local.known) : "${upper(name)}_STORE_URL" => local.secret["store_${name}"]
      })
    })
  }
}
