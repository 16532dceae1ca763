"""Intake: deliveries of the shard queues become stored records, then announcements."""
