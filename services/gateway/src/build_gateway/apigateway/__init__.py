"""Connections that an API Gateway of AWS holds for the gateways: each frame is a request, each answer a post."""
