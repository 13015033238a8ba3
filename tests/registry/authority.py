"""Certificates, made by openssl: an authority, and what it signs."""

import subprocess


def openssl(*words, **options):
    return subprocess.run(["openssl", *words], capture_output=True, check=True, timeout=60, **options).stdout


class Authority:
    """`folder` gets ca.crt and ca.key, and for each signed name NAME.crt and NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.certificate = folder / "ca.crt"
        openssl(
            "req", "-x509", *self._new("ca"), "-out", self.certificate, "-days", "2", "-subj", "/CN=tests",
            "-addext", "basicConstraints=critical,CA:true",
        )  # fmt: skip

    def sign(self, name, *names):
        """Make a certificate for some `DNS:…` and `IP:…`; returns it and its key."""
        request, certificate = self.folder / f"{name}.csr", self.folder / f"{name}.crt"
        openssl("req", *self._new(name), "-out", request, "-subj", f"/CN={name}")
        extra = self.folder / f"{name}.ext"
        extra.write_text(f"subjectAltName={','.join(names)}\n" if names else "keyUsage=digitalSignature\n")
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", extra, "-out", certificate,
        )  # fmt: skip
        return certificate, self.folder / f"{name}.key"

    def _new(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.folder / f"{name}.key"]  # fmt: skip
