"""SMTP: mails through any mail server."""

from notifier.channels.smtp.channel import SmtpChannel

__all__ = ["SmtpChannel"]
