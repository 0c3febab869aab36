"""A mail server that keeps what it takes: one JSON file a message. Tests only."""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Keep:
    """Every message is in its file before the server says that it has it."""

    def __init__(self, folder):
        self.folder = folder
        self.count = len(os.listdir(folder))

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        name = os.path.join(self.folder, f"message-{self.count:06}.json")
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "encrypted": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
            "data": envelope.content.decode("utf-8", "replace"),
        }
        with open(name + ".new", "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.rename(name + ".new", name)
        return "250 kept"


def check(server, session, envelope, mechanism, login):
    right = (os.environ["SMTP_USER"], os.environ["SMTP_PASSWORD"])
    return AuthResult(success=(login.login.decode(), login.password.decode()) == right, handled=False)


async def main(port, tls, folder):
    context = None
    if tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    handler = Keep(folder)

    def session():
        return SMTP(
            handler,
            hostname="mail.test",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=check,
            auth_required=True,
            auth_require_tls=tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", port, ssl=context if tls == "implicit" else None)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
