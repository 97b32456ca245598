"""The HTTP API as a Lambda behind an API Gateway REST API: `producer.api.lambda_handler`."""

from producer.api.handler import lambda_handler

__all__ = ["lambda_handler"]
