# Tally in an AWS account by Terraform or OpenTofu: a stack of a release's template. The template is
# longer than CloudFormation takes inline (51,200 bytes), so it lies in a bucket, beside the zips.
# First: `make release`, and `aws s3 cp --recursive build/release s3://BUCKET/tally/`. Terraform does
# not upload the zips: it would delete older ones, which a stack that is rolled back asks for again.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "The region of the stack and of the bucket."
  type        = string
}

variable "stack_name" {
  description = "The stack's name; its queues, logs and alarms are called after it."
  type        = string
  default     = "tally"
}

variable "bucket" {
  description = "The bucket that holds the release."
  type        = string
}

variable "prefix" {
  description = "What stands before the release's files in the bucket."
  type        = string
  default     = "tally/"
}

variable "release" {
  description = "The folder that `make release` filled: the template's name tells one from another."
  type        = string
  default     = "../../build/release"
}

variable "momento_endpoint" {
  description = "The bare name of the cell of Momento's key; empty for another store."
  type        = string
  default     = ""
}

# The key itself is no variable: it would be in Terraform's state.
variable "momento_api_key_secret_arn" {
  description = "The whole ARN of the secret that holds Momento's key; empty for another store."
  type        = string
  default     = ""
}

variable "alarm_topic_arn" {
  description = "The SNS topic of the alarms; empty for none."
  type        = string
  default     = ""
}

variable "permissions_boundary_arn" {
  description = "The policy that bounds the stack's roles; empty for none."
  type        = string
  default     = ""
}

variable "parameters" {
  description = "All other parameters of the template, by their names."
  type        = map(string)
  default     = {}
}

locals {
  named = {
    PackagesBucket         = var.bucket
    PackagesPrefix         = var.prefix
    MomentoEndpoint        = var.momento_endpoint
    MomentoApiKeySecretArn = var.momento_api_key_secret_arn
    AlarmTopicArn          = var.alarm_topic_arn
    PermissionsBoundaryArn = var.permissions_boundary_arn
  }
  parameters = merge(local.named, var.parameters)
  stamp      = substr(sha256(jsonencode(local.parameters)), 0, 10)
  template   = one(fileset(var.release, "template-*.json"))
}

# API Gateway serves a deployment of the API, which is what the API was when that was made. So the
# deployment is called after the parameters, and a change of one makes it anew.
resource "aws_s3_object" "template" {
  bucket  = var.bucket
  key     = "${var.prefix}${var.stack_name}/${local.stamp}-${local.template}"
  content = replace(file("${var.release}/${local.template}"), "/\"(ApiDeployment[0-9a-f]+)\"/", "\"$${1}${local.stamp}\"")
}

resource "aws_cloudformation_stack" "tally" {
  name         = var.stack_name
  template_url = "https://${var.bucket}.s3.${var.region}.amazonaws.com/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM"]
  parameters   = local.parameters

  lifecycle {
    prevent_destroy = true # its queues would go with it, and what is in them
  }
}

output "queue_url" {
  description = "Where increments are sent."
  value       = aws_cloudformation_stack.tally.outputs["QueueUrl"]
}

output "export_command" {
  description = "Tells tally of this deployment."
  value       = aws_cloudformation_stack.tally.outputs["ExportCommand"]
}
