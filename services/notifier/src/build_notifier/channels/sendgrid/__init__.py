"""SendGrid: mails through its v3 API, and the signed events it posts about them."""

from build_notifier.channels.sendgrid.channel import SENDGRID, SendGridChannel

__all__ = ["SENDGRID", "SendGridChannel"]
