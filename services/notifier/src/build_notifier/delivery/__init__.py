"""Delivery: notifications are sent, each attempt recorded before it begins."""
