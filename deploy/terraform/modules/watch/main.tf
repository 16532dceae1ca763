# Alarms, a dashboard and questions to the log. The alarms are deploy/monitoring/alarms.json, which Prometheus' rules are
# compared with; their metrics are what services write to their logs (build_chassis.emf), and AWS' own.

locals {
  table = jsondecode(file("${path.module}/../../../monitoring/alarms.json"))
  # Where a metric of AWS' own is found; null: the services'.
  namespaces = {
    "AWS/ECS"            = { ClusterName = var.cluster }
    "AWS/ApplicationELB" = { LoadBalancer = var.load_balancer }
    "AWS/AmazonMQ"       = { Broker = var.broker }
    "AWS/RDS"            = { DBInstanceIdentifier = coalesce(var.database, "none") }
  }
  alarms = {
    for alarm in local.table.alarms : alarm.name => alarm if alarm.namespace != "AWS/RDS" || var.database != null
  }
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.key_arn
}

resource "aws_sns_topic_subscription" "mail" {
  for_each  = toset(var.emails)
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.summary
  namespace           = coalesce(each.value.namespace, var.namespace)
  metric_name         = each.value.metric
  dimensions          = merge(each.value.namespace == null ? {} : local.namespaces[each.value.namespace], each.value.dimensions)
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period_seconds
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = { Severity = each.value.severity }
}

# Tasks that are not there: one alarm for each service.
resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each            = var.services
  alarm_name          = "${var.name}-ServiceDown-${each.key}"
  alarm_description   = "No task of ${each.key} runs: see its events in ECS, and the log group ${var.log_groups[each.key]}."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = var.cluster, ServiceName = each.value }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = { Severity = "page" }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, chart in local.table.charts : {
        type   = "metric"
        x      = 12 * (index % 2)
        y      = 6 * floor(index / 2)
        width  = 12
        height = 6
        properties = {
          title  = chart.title
          region = var.region
          stat   = chart.statistic
          period = 60
          metrics = [
            for line in chart.lines : concat(
              [coalesce(line.namespace, var.namespace), line.metric],
              flatten([
                for name, value in merge(line.namespace == null ? {} : local.namespaces[line.namespace], line.dimensions) : [name, value]
              ]),
              [{ label = line.label }],
            ) if line.namespace != "AWS/RDS" || var.database != null
          ]
        }
      }
    ]
  })
}

# State transitions of builds, connections of agents and the rest that is looked for after the fact.
resource "aws_cloudwatch_query_definition" "this" {
  for_each        = { for query in local.table.queries : query.name => query }
  name            = "${var.name}/${each.key}"
  log_group_names = [for service in each.value.services : var.log_groups[service]]
  query_string    = each.value.query
}
