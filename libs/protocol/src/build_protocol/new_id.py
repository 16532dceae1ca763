"""New build ids. Apart from what else is known of ids, because a build's command waits for what this imports."""

import os


def new_build_id(now_ms: int, random: bytes | None = None) -> str:
    """A new UUIDv7 (RFC 9562): ids sort by their time, and 74 random bits make them unique.

    Args:
        now_ms: The time, in milliseconds since the Unix epoch.
        random: At least 10 bytes to use instead of the system's random ones.

    Returns:
        The id, in lower case with dashes.
    """
    noise = int.from_bytes(os.urandom(10) if random is None else random[:10], "big")
    value = (
        (now_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (noise >> 62 & 0xFFF) << 64 | 0b10 << 62 | noise & (2**62 - 1)
    )
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
