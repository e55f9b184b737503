"""The helper's trial door: a port of its own that shakes hands for any server name, answers any plain request with one
page, and does nothing else.

A volunteer whose handshake with a site is cut off, or whose plain request is answered by a stranger, sends the same
name here, and innocent ones before and after. Where only that name fares so again, the path reads names: neither the
site nor its address had any part in it. It is a port apart, because a censor may keep the door shut for some minutes
after such a name (residual blocking), and questions must still get through.

Every name is treated alike: one certificate, made when the helper starts and signed by nobody, since nothing is
verified here. Nothing is read, kept or logged of a visitor, neither name nor address.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probe.model.errors import ProbeError
from probe.serve import Listen, Places
from probe.wire.door import ANSWER

# How long a visitor may take, handshake and leave included. Seconds.
VISIT_S = 15.0
# Visitors at once, of one client and of all.
EACH, MOST = 16, 256
# The certificate outlives any run of a helper.
VALID = datetime.timedelta(days=3650)
# A handshake's first byte (RFC 8446 section 5.1).
TLS_RECORD = b"\x16"
# A request is heard to the end of its head, if that comes within so many bytes.
MOST_HEARD = 16_384
_PEM = serialization.Encoding.PEM


async def open_door(listen: Listen, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    """Shake hands with whoever comes, until cancelled; `nursery.start` gives the port. Raises ProbeError where it
    cannot listen."""
    context, places = _context(), Places(EACH, MOST)

    async def visit(stream: trio.SocketStream) -> None:
        with places.hold(_peer(stream)) as free, trio.move_on_after(VISIT_S):
            if free:
                await _take(stream, context)
        # No farewell: it would be waited for.
        stream.socket.close()

    try:
        listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
    except OSError as error:
        raise ProbeError(f"cannot listen on {listen.host} port {listen.port}: {error.strerror or error}") from None
    # With port 0 every family would get a port of its own; one is enough then.
    chosen = listeners if listen.port else listeners[:1]
    for spare in listeners[len(chosen) :]:
        spare.socket.close()
    task_status.started(chosen[0].socket.getsockname()[1])
    await trio.serve_listeners(visit, chosen)


def _peer(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # it left before we looked
        return ""


async def _take(stream: trio.SocketStream, context: ssl.SSLContext) -> None:
    """A handshake or the page, by the visitor's first byte; then wait for the visitor to leave."""
    try:
        if await stream.socket.recv(1, socket.MSG_PEEK) == TLS_RECORD:
            tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            await tls.do_handshake()
            await _see_off(tls)
        else:
            await _answer(stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
        return  # whatever the visitor or the path did to the connection is what the visitor came to see


async def _answer(stream: trio.SocketStream) -> None:
    """The page to a request in the clear, whatever it asks for."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        more = await stream.receive_some(4096)
        heard += more
        if not more or len(heard) > MOST_HEARD:
            return
    await stream.send_all(ANSWER)
    await stream.send_eof()
    await _see_off(stream)


async def _see_off(stream: trio.abc.Stream) -> None:
    while await stream.receive_some(4096):
        pass


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    # load_cert_chain takes files only; this one is gone again before the function returns.
    with tempfile.TemporaryDirectory(prefix="vp-door-") as folder:
        held = Path(folder) / "door.pem"
        held.touch(mode=0o600)
        held.write_bytes(_certificate())
        context.load_cert_chain(held)
    return context


def _certificate() -> bytes:
    """PEM of a fresh key and of a certificate for nobody (RFC 6761: `invalid`), signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trial.invalid")])
    now = datetime.datetime.now(datetime.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("trial.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + leaf.public_bytes(_PEM)
