"""An SMTP server with a login, for the faults that a mail server has.

    python3 mail.py PORT DIRECTORY

`DIRECTORY/password` has the password of `app`; while `DIRECTORY/full` is there, connections are
turned away as a server at its limit does.
"""
import asyncio
import pathlib
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, directory = int(sys.argv[1]), pathlib.Path(sys.argv[2])


def authenticate(server, session, envelope, mechanism, data):
    good = LoginPassword(b"app", (directory / "password").read_bytes())
    return AuthResult(success=data == good, handled=False)


class Server(SMTP):
    def __init__(self):
        super().__init__(object(), authenticator=authenticate, auth_require_tls=False, hostname="mail")

    async def push(self, status):
        if (directory / "full").exists():
            await super().push("421 4.7.0 too many connections")
            self.transport.close()
        else:
            await super().push(status)


async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
