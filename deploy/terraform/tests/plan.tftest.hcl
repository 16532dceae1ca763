# `terraform test`, without an account: what is planned is what was meant.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_secretsmanager_secret_version" {
    defaults = { secret_string = "{\"username\":\"administrator\",\"password\":\"drawn-by-a-mock-of-secrets-manager\"}" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:mock-AbCdEf" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/mock/0000000000000000" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/mock/0000000000000000" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:111122223333:mock" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = { arn = "arn:aws:ecr:us-east-1:111122223333:repository/mock" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { id = "arn:aws:ecs:us-east-1:111122223333:cluster/mock", arn = "arn:aws:ecs:us-east-1:111122223333:cluster/mock" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:111122223333:task-definition/mock:1" }
  }
  mock_resource "aws_service_discovery_http_namespace" {
    defaults = { arn = "arn:aws:servicediscovery:us-east-1:111122223333:namespace/ns-mock" }
  }
  mock_resource "aws_mq_broker" {
    defaults = { instances = [{ console_url = "https://b-mock.mq.us-east-1.amazonaws.com", endpoints = ["amqps://b-mock.mq.us-east-1.amazonaws.com:5671"], ip_address = "10.42.128.5" }] }
  }
  mock_resource "aws_apigatewayv2_stage" {
    defaults = { invoke_url = "wss://mock.execute-api.us-east-1.amazonaws.com/live" }
  }
  mock_resource "aws_db_instance" {
    defaults = { endpoint = "mock.rds.amazonaws.com:3306", master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds-AbCdEf", kms_key_id = "mock", secret_status = "active" }] }
  }
}

variables {
  environment     = "test"
  image           = "111122223333.dkr.ecr.us-east-1.amazonaws.com/test@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  zones           = ["us-east-1a", "us-east-1b", "us-east-1c"]
  public_url      = "https://builds.example.org"
  certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
}

run "production_has_nothing_alone" {
  assert {
    condition     = output.cluster != ""
    error_message = "there is a cluster"
  }
  assert {
    condition     = length(output.services) == 5
    error_message = "five services"
  }
  assert {
    condition     = module.broker.id == "test-builds" && module.stores[0].id == "test-builds"
    error_message = "broker and database are there by name"
  }
}

run "stores_by_url_need_no_database" {
  variables {
    store_urls = {
      gateway   = "mongodb://g.example.org/gateway"
      ingest    = "mongodb://g.example.org/ingest"
      notifier  = "mongodb://g.example.org/notifier"
      artifacts = "mongodb://g.example.org/artifacts"
      history   = "mongodb://g.example.org/history"
    }
  }
  assert {
    condition     = length(module.stores) == 0 && output.accounts.database_secret == null
    error_message = "no database is made where all are given by URL"
  }
}

run "an_api_gateway_has_the_seeds_routes_and_asks_the_gateway_who_connects" {
  variables {
    front = "apigateway"
  }
  assert {
    condition = { for key, route in module.apigateway[0].routes : key => route.integration } == {
      "$connect" = "connect", "$disconnect" = "disconnect", "RECORDS" = "message", "SUBSCRIBE" = "message", "$default" = "message"
    }
    error_message = "connect, disconnect, build_update, subscribe and all else have an integration"
  }
  assert {
    condition     = contains(module.apigateway[0].routes["$connect"].shown, "integration.request.header.Authorization")
    error_message = "$connect shows the gateway the API key, whose refusal is the authorisation"
  }
  assert {
    condition     = alltrue([for route in module.apigateway[0].routes : contains(route.shown, "integration.request.header.X-Front-Secret")])
    error_message = "no integration is without the secret"
  }
  assert {
    condition     = contains(keys(output.secrets), "front_secret")
    error_message = "the secret is drawn"
  }
}

run "no_api_gateway_unless_asked_for" {
  assert {
    condition     = length(module.apigateway) == 0 && !contains(keys(output.secrets), "front_secret") && output.ws_endpoint == "wss://builds.example.org"
    error_message = "the load balancer alone"
  }
}

run "some_urls_are_refused" {
  command = plan
  variables {
    store_urls = { gateway = "mongodb://g.example.org/gateway" }
  }
  expect_failures = [var.store_urls]
}

run "a_tag_is_refused" {
  command = plan
  variables {
    image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/test:latest"
  }
  expect_failures = [var.image]
}

run "one_zone_is_refused" {
  command = plan
  variables {
    zones = ["us-east-1a"]
  }
  expect_failures = [var.zones]
}

run "plain_http_is_refused" {
  command = plan
  variables {
    public_url = "http://builds.example.org"
  }
  expect_failures = [var.public_url]
}
