"""The team's mail server: SMTP on loopback. It takes mail only over STARTTLS and with a password."""

import asyncio
import email
import email.policy
import hmac
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from drillbook_lab.base.topology import HOST
from drillbook_lab.listeners.sink.store import Store

USER = "oncall"


class Mailroom:
    """aiosmtpd's handler: keeps each mail, once for all of its recipients."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
        body = mail.get_body(("plain",))
        self._store.add(
            {
                "from": envelope.mail_from,
                "to": list(envelope.rcpt_tos),
                "subject": str(mail["subject"] or ""),
                "text": body.get_content() if body is not None else "",
            }
        )
        return "250 kept"


@asynccontextmanager
async def smtp_server(store: Store, port: int, password: str, certificate: Path) -> AsyncIterator[None]:
    """Listen while the context lasts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()

    def known(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        right = (
            isinstance(given, LoginPassword)
            and given.login == USER.encode()
            and hmac.compare_digest(given.password, password.encode())
        )
        return AuthResult(success=right, handled=False)

    def session() -> SMTP:
        return SMTP(
            Mailroom(store),
            hostname=HOST,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=known,
            enable_SMTPUTF8=True,
            loop=loop,
        )

    server = await loop.create_server(session, HOST, port)
    try:
        yield
    finally:
        server.close()
