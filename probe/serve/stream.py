"""The stream below a connection: gives up on a peer that does not read, and closes without a reset."""

from __future__ import annotations

import trio

from probe.serve.limits import LINGER_BYTES, LINGER_S


class GuardedStream(trio.abc.HalfCloseableStream):
    """A TCP stream that closes without a reset, and gives up on a peer who does not read for `send_s`, or with whom
    nothing moved for `quiet_s`: Hypercorn has no idle timeout for HTTP/2 in clear text before its first request."""

    def __init__(self, inner: trio.SocketStream, send_s: float, quiet_s: float) -> None:
        self._inner, self._send_s, self._quiet_s = inner, send_s, quiet_s
        self._moved = trio.current_time()
        # Hypercorn asks it for both ends' addresses.
        self.socket = inner.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(self._send_s) as scope:
            await self._inner.send_all(data)
        if scope.cancelled_caught:
            self.socket.close()
            raise trio.BrokenResourceError("the peer does not read")
        self._moved = trio.current_time()

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        while trio.current_time() - self._moved < self._quiet_s:
            with trio.move_on_after(self._quiet_s):
                data = await self._inner.receive_some(max_bytes)
                self._moved = trio.current_time()
                return data
        return b""

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        try:
            with trio.move_on_after(LINGER_S):
                await self._inner.send_eof()
                left = LINGER_BYTES
                while left > 0 and (got := len(await self._inner.receive_some(65_536))):
                    left -= got
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # gone already, or somebody else is still reading: then there is nothing to linger for
        finally:
            self.socket.close()
