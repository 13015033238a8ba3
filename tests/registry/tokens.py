"""A token server that docker-registry trusts (distribution's auth/token.md, auth/jwt.md); openssl signs."""

import base64
import json
import secrets
import time
from urllib.parse import parse_qs, urlsplit

from tests.registry.authority import openssl
from tests.registry.listener import Quiet

REFUSAL = b'{"errors": [{"code": "UNAUTHORIZED", "message": "incorrect name or password"}]}'
SERVICE, ISSUER = "here", "tests"


class Tokens:
    """Gives ann, whose password is "secret", all that she asks for, and others what is public.

    `asked` holds (method, scopes) of each request, `refresh` is her identity token, and
    the next `stale` tokens are out of date.
    """

    def __init__(self, authority):
        self.certificate, self.key = authority.sign("tokens")
        self.roots = authority.certificate
        self.asked = []
        self.refresh = "an-identity-token"
        self.stale = 0

    def configuration(self, address):
        """The lines of docker-registry's configuration."""
        fields = f"realm: 'http://{address}/token', service: {SERVICE}, issuer: {ISSUER}"
        return f"auth: {{token: {{{fields}, rootcertbundle: {self.roots}}}}}"

    def token(self, scopes, *, everything):
        begin = int(time.time())
        if self.stale:
            self.stale, begin = self.stale - 1, begin - 1000
        access = []
        for kind, name, actions in (scope.split(":") for scope in scopes):
            public = ["pull"] if name.startswith("public/") and "pull" in actions else []
            granted = actions.split(",") if everything else public
            access.append({"type": kind, "name": name, "actions": granted})
        times = {"nbf": begin - 5, "iat": begin, "exp": begin + 300}
        names = {"iss": ISSUER, "sub": "ann", "aud": SERVICE, "jti": secrets.token_hex(8)}
        return self._signed({**names, **times, "access": access})

    def _signed(self, claims):
        chain = "".join(self.certificate.read_text().split("-----")[2].split())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [chain]}
        text = ".".join(plain(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{plain(numbers(openssl('dgst', '-sha256', '-sign', self.key, input=text.encode())))}"


def plain(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def numbers(signature):
    """Return the two numbers of an ECDSA signature in DER (RFC 3279) side by side (RFC 7518, section 3.4)."""
    first = signature[3]
    parts = signature[4 : 4 + first], signature[6 + first :]
    return b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in parts)


class TokenHandler(Quiet):
    def do_GET(self):  # noqa: N802 - http.server's name
        query = parse_qs(urlsplit(self.path).query)
        account = self.headers.get("Authorization")
        expected = f"Basic {base64.b64encode(b'ann:secret').decode()}"
        self._answer(query.get("scope", []), account, expected)

    def do_POST(self):  # noqa: N802 - as above
        form = parse_qs(self.body().decode())
        assert form["grant_type"] == ["refresh_token"]
        scopes = form.get("scope", [""])[0].split()
        self._answer(scopes, form["refresh_token"][0], self.server.owner.refresh)

    def _answer(self, scopes, account, expected):
        owner = self.server.owner
        owner.asked.append((self.command, scopes))
        if account not in (None, expected):
            self.reply(
                401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "incorrect name or password"}]}'
            )
            return
        found = {"token": owner.token(scopes, everything=account is not None), "expires_in": 300}
        self.reply(200, json.dumps(found).encode())
