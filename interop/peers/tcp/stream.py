"""A TCP or TLS stream to a peer that is known by the fingerprint of its certificate (RFC 8122), with OpenSSL through pyOpenSSL.

The TCP direction and the TLS role are chosen apart, since a=setup and the roles of BFCP and MSRP do so too.
"""
import hashlib
import socket
import time

from OpenSSL import SSL, crypto


def fingerprint(certificate):
    digest = hashlib.sha256(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)).hexdigest().upper()
    return ":".join(digest[at:at + 2] for at in range(0, len(digest), 2))


class Stream:
    """Bytes both ways. `about` says what was negotiated."""

    def __init__(self, connection, tls_role, certificate, expected, version):
        self.connection, self.buffer, self.about, self.is_tls = connection, b"", {}, tls_role is not None
        if not self.is_tls:
            return
        context = SSL.Context(SSL.TLS_METHOD)
        if version == "1.2":
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
        if version == "1.3":
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.use_certificate_file(certificate + ".pem")
        context.use_privatekey_file(certificate + ".key")
        # Whoever comes is let through the library's own checks: the fingerprint decides below.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        session = SSL.Connection(context, connection)
        (session.set_accept_state if tls_role == "server" else session.set_connect_state)()
        session.do_handshake()
        shown = fingerprint(session.get_peer_certificate())
        self.about = {"tls": session.get_protocol_version_name(), "cipher": session.get_cipher_name(), "peer": shown}
        self.connection = session
        if expected and shown != expected.upper():
            raise RuntimeError("the peer showed another certificate: " + shown)

    def send(self, data):
        self.connection.sendall(data)

    def more(self):
        """Reads on; EOFError at the end."""
        try:
            data = self.connection.recv(65536)
        except SSL.ZeroReturnError:
            self.about["closed"] = "in order"
            data = b""
        except (SSL.SysCallError, ConnectionResetError):
            self.about["closed"] = "broken"
            data = b""
        if not data:
            raise EOFError
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def close(self):
        try:
            if self.is_tls:
                self.connection.shutdown()
        except (SSL.Error, OSError):
            pass  # The peer may have gone first.
        self.connection.close()


def open_stream(kind, how, address, tls_role=None, certificate=None, expected=None, version=None, timeout=15,
                local_port=None):
    """kind: tcp | tls. how: listen | connect. The TLS role is that of the TCP direction where none is given."""
    host, port = address.rsplit(":", 1)
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if how == "listen":
        with socket.create_server((host, int(port)), family=family) as listener:
            print("listening", flush=True)
            listener.settimeout(timeout)
            connection, _ = listener.accept()
    else:
        until = time.monotonic() + timeout
        while True:
            connection = socket.socket(family)
            connection.settimeout(timeout)
            try:
                if local_port:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    connection.bind((host, local_port))
                connection.connect((host, int(port)))
                print("connected", flush=True)
                break
            except ConnectionRefusedError:
                connection.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(None)
    role = (tls_role or ("server" if how == "listen" else "client")) if kind == "tls" else None
    return Stream(connection, role, certificate, expected, version)
