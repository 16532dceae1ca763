"""Delivery: spooled records go to the gateway over one outgoing WebSocket, whatever stands in the way."""
