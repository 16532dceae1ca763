"""Limits of the protocol; all sizes count encoded JSON bytes unless a name says otherwise."""

RECORD_BYTES = 24 * 1024
"""One BuildMessage, encoded."""

FRAME_BYTES = 256 * 1024
"""One WebSocket frame, unless WELCOME says another number."""

POST_BYTES = 768 * 1024
"""Frames an agent posts at once where no WebSocket passes: fronts commonly take bodies of up to 1 MiB."""

POST_WAIT_SECONDS = 25.0
"""A post is answered after this at the latest: proxies cut what is silent for longer."""

RECORDS_PER_FRAME = 512
"""Records in one RECORDS frame."""

WINDOW_BYTES = 2 * 1024 * 1024
"""Record bytes an agent may have sent and not yet confirmed by the broker."""

UNTRUSTED_BUILD_BYTES = 16 * 1024 * 1024
"""Records of one untrusted build, all together."""

HELLO_SECONDS = 5.0
"""A connection that has not sent HELLO (agent) or AUTH (viewer) by then is closed with 4408."""

HEARTBEAT_SECONDS = 10.0
DISCONNECTED_SECONDS = 45.0
"""Silence after which a build's agent is shown as disconnected (a badge)."""

LOST_SECONDS = 300.0
"""Silence after which a running build is provisionally lost; a late finish overrides it."""

HEADS_SECONDS = 5.0
"""Ingest repeats the heads of running builds this often, so that a lost tail or live event heals."""

BACKOFF_MAX_SECONDS = 64.0

SUBSCRIPTION_PROJECTS = 100
SUBSCRIPTION_BUILDS = 50

LOG_LINES_PER_PAGE = 10_000
"""Lines one `GET /api/builds/{id}/logs` answers at most as JSON."""
