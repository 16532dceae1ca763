output "ws_endpoint" {
  description = "Where agents connect."
  value       = aws_apigatewayv2_stage.this.invoke_url
}

output "management_url" {
  description = "Where the gateways answer connections."
  value       = replace(aws_apigatewayv2_stage.this.invoke_url, "wss://", "https://")
}

output "table" {
  description = "The table of connections."
  value       = aws_dynamodb_table.connections.name
}

output "routes" {
  description = "Each route's integration, and what it is authorised by."
  value = {
    for key, route in aws_apigatewayv2_route.this : key => {
      integration   = local.routes[key]
      authorization = route.authorization_type
      shown         = sort(keys(aws_apigatewayv2_integration.this[local.routes[key]].request_parameters))
    }
  }
}

output "statements" {
  description = "What a gateway may do: answer these connections, and know whose they are."
  value = [
    {
      Sid      = "Connections"
      Effect   = "Allow"
      Action   = ["execute-api:ManageConnections"]
      Resource = ["${aws_apigatewayv2_api.this.execution_arn}/live/*/@connections/*"]
    },
    {
      Sid      = "Table"
      Effect   = "Allow"
      Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
      Resource = [aws_dynamodb_table.connections.arn]
    },
    {
      Sid      = "Key"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [var.key_arn]
    },
  ]
}
