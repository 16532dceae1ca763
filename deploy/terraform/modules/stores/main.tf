# A MySQL of its own, whose administrator's password RDS makes, keeps and rotates. `python /accounts/mysql.py` makes a
# database and an account for each service.

resource "aws_security_group" "this" {
  name        = "${var.name}-stores"
  description = "The services' databases"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "mysql" {
  security_group_id            = aws_security_group.this.id
  description                  = "Services"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.name}-mysql84"
  family = "mysql8.4"
  parameter {
    name  = "require_secure_transport"
    value = "1"
  }
  # "Stored" is told to agents only after the log is on disk, at both ends.
  parameter {
    name  = "innodb_flush_log_at_trx_commit"
    value = "1"
  }
  parameter {
    name  = "sync_binlog"
    value = "1"
  }
}

resource "aws_iam_role" "monitoring" {
  name = "${var.name}-database-monitoring"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "mysql"
  engine_version = "8.4"
  instance_class = var.instance_class

  storage_type          = "gp3"
  allocated_storage     = var.storage_gib
  max_allocated_storage = 10 * var.storage_gib
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  username                      = "administrator"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.key_arn

  multi_az               = var.is_redundant
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false

  backup_retention_period         = 14
  backup_window                   = "02:00-03:00"
  maintenance_window              = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  deletion_protection             = var.is_redundant
  skip_final_snapshot             = !var.is_redundant
  final_snapshot_identifier       = "${var.name}-last"
  enabled_cloudwatch_logs_exports = ["error", "slowquery"]

  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
}
