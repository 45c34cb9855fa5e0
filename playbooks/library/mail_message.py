#!/usr/bin/python
"""Send a plain-text mail over SMTP with STARTTLS."""

from __future__ import annotations

DOCUMENTATION = """
module: mail_message
short_description: Send a plain-text mail over SMTP with STARTTLS
description:
  - It is changed when the server has taken the mail for every recipient. It fails when the server refuses one of them.
options:
  host: {description: Address of the mail server, type: str, required: true}
  port: {description: Port of the mail server, type: int, default: 587}
  user: {description: Account to log in with, type: str, required: true}
  password: {description: Password of the account, type: str, required: true}
  ca: {description: Certificate authority to trust (the system's when it is empty), type: str, default: ""}
  sender: {description: Who it is from, type: str, required: true}
  to: {description: Who gets it, type: list, elements: str, required: true}
  subject: {description: Subject in one line, type: str, required: true}
  text: {description: What it says, type: str, required: true}
"""
RETURN = """
message_id: {description: The mail's own id, type: str, returned: success}
"""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from ansible.module_utils.basic import AnsibleModule

TIMEOUT_S = 10


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 587},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "ca": {"type": "str", "default": ""},
            "sender": {"type": "str", "required": True},
            "to": {"type": "list", "elements": "str", "required": True},
            "subject": {"type": "str", "required": True},
            "text": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    where = f"{asked['host']}:{asked['port']}"
    mail = EmailMessage()
    try:
        mail["From"], mail["To"], mail["Subject"] = asked["sender"], ", ".join(asked["to"]), asked["subject"].strip()
    except ValueError as error:
        module.fail_json(msg=f"the mail cannot be written: {error}")
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=asked["sender"].rpartition("@")[2])
    mail.set_content(asked["text"])
    if not asked["to"]:
        module.fail_json(msg="the mail has no recipient")
    if module.check_mode:
        module.exit_json(changed=True, message_id=mail["Message-ID"])
    try:
        context = ssl.create_default_context(cafile=asked["ca"] or None)
        with smtplib.SMTP(asked["host"], asked["port"], timeout=TIMEOUT_S) as server:
            server.starttls(context=context)
            server.login(asked["user"], asked["password"])
            refused = server.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        module.fail_json(msg=f"{where} did not take the mail: {error}")
    if refused:
        module.fail_json(msg=f"{where} refused {', '.join(sorted(refused))}")
    module.exit_json(changed=True, message_id=mail["Message-ID"])


if __name__ == "__main__":
    main()
