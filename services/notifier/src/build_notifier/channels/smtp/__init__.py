"""SMTP: mails through any mail server."""

from build_notifier.channels.smtp.channel import SmtpChannel

__all__ = ["SmtpChannel"]
