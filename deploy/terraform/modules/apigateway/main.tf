# A WebSocket API beside the load balancer: each frame is a request to a gateway, each answer a post to the connection.
# Its routes are the frames' own `type`; what has no route of its own is `$default`'s, at the same integration.

locals {
  # The founding document's routes and the frames they are here.
  routes = {
    "$connect"    = "connect"
    "$disconnect" = "disconnect"
    "RECORDS"     = "message" # build_update
    "SUBSCRIBE"   = "message" # subscribe
    "$default"    = "message"
  }
  shown = {
    "integration.request.header.X-Front-Secret"  = "'${data.aws_secretsmanager_secret_version.secret.secret_string}'"
    "integration.request.header.X-Connection-Id" = "context.connectionId"
    "integration.request.header.X-Source-Ip"     = "context.identity.sourceIp"
  }
  # Who connects: the gateway's refusal is the authorisation, as these APIs know no other that reads an API key.
  asked = {
    "integration.request.header.Authorization"          = "route.request.header.Authorization"
    "integration.request.header.Origin"                 = "route.request.header.Origin"
    "integration.request.header.Sec-WebSocket-Protocol" = "route.request.header.Sec-WebSocket-Protocol"
  }
}

data "aws_secretsmanager_secret_version" "secret" {
  secret_id = var.secret_arn
}

resource "aws_apigatewayv2_api" "this" {
  name                       = var.name
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.type"
}

resource "aws_apigatewayv2_integration" "this" {
  for_each             = toset(values(local.routes))
  api_id               = aws_apigatewayv2_api.this.id
  integration_type     = "HTTP_PROXY"
  integration_method   = "POST"
  integration_uri      = "${var.public_url}/apigateway/${each.key}"
  timeout_milliseconds = 29000
  request_parameters   = merge(local.shown, each.key == "connect" ? local.asked : {})
}

resource "aws_apigatewayv2_route" "this" {
  for_each           = local.routes
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
  authorization_type = "NONE" # $connect is refused by its integration, the others have passed it
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}/apigateway"
  retention_in_days = var.log_days
  kms_key_id        = var.key_arn
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "live"
  auto_deploy = true
  default_route_settings {
    throttling_rate_limit  = 10000
    throttling_burst_limit = 5000
  }
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format = jsonencode({
      at         = "$context.requestTimeEpoch"
      connection = "$context.connectionId"
      event      = "$context.eventType"
      route      = "$context.routeKey"
      status     = "$context.status"
      source     = "$context.identity.sourceIp"
    })
  }
}

resource "aws_dynamodb_table" "connections" {
  name         = "${var.name}-connections"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "connection_id"
  attribute {
    name = "connection_id"
    type = "S"
  }
  # API Gateway ends every connection after two hours; a row whose end nobody reported goes by itself.
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = var.key_arn
  }
  point_in_time_recovery {
    enabled = true
  }
}
