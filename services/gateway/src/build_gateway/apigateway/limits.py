"""What an API Gateway lets through, by its quotas; of these, only the time-outs end a connection by themselves."""

FRAME_BYTES = 32 * 1024
"""One frame of a client: a longer one ends its connection with 1009, unless it comes in pieces."""

MESSAGE_BYTES = 128 * 1024
"""One message to a client."""

IDLE_SECONDS = 10 * 60.0
"""A connection over which nothing went for so long is ended."""

LIFE_SECONDS = 2 * 60 * 60.0
"""And every one after this."""

LATE_SECONDS = 60.0
"""`$disconnect` may never come: a connection that must have ended is one that has, after this."""
