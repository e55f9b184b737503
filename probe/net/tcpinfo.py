"""The kernel's account of a connection: Linux TCP_INFO. None elsewhere.

Layout from Linux include/uapi/linux/tcp.h (struct tcp_info), which only ever grows at its end; `getsockopt` returns
as much as the running kernel knows.
"""

from __future__ import annotations

import socket
import struct
import sys

from probe.model.kinds import TcpInfo

# Through `rcv_ooopack`: 8 bytes of state and flags, 24 u32 (rto .. total_retrans), 4 u64 (pacing_rate ..
# bytes_received), 6 u32 (segs_out .. data_segs_out), 4 u64, 2 u32, 2 u64 (.. bytes_retrans), 3 u32.
_LAYOUT = struct.Struct("=B7x24I4Q6I4Q2I2Q3I")
# The end of `segs_in` (Linux 4.2). Before that, "nothing came back" could not be told, so we say nothing.
_LEAST = 144
# The kernel's "no sample yet" for min_rtt.
_NO_RTT = 0xFFFF_FFFF


def read_tcp_info(sock: socket.socket) -> TcpInfo | None:
    """TCP_INFO of a socket in any state, even after a failed connect; None where it cannot be had."""
    if sys.platform == "linux":
        try:
            return parse_tcp_info(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512))
        except OSError:
            return None
    else:
        return None


def parse_tcp_info(data: bytes) -> TcpInfo | None:
    """The struct's bytes as values; fields that an older kernel lacks are 0."""
    if len(data) < _LEAST:
        return None
    values = _LAYOUT.unpack_from(data.ljust(_LAYOUT.size, b"\0"))
    state, u32 = values[0], values[1:25]
    acked, received = values[27:29]
    segs_out, segs_in, _, min_rtt = values[29:33]
    return TcpInfo(
        state=state,
        rtt_us=u32[15],
        min_rtt_us=0 if min_rtt == _NO_RTT else min_rtt,
        retransmits=u32[23],
        segs_in=segs_in,
        segs_out=segs_out,
        bytes_acked=acked,
        bytes_received=received,
        bytes_retrans=values[42],
        out_of_order=values[45],
        # `last_data_recv` and `last_ack_recv`: milliseconds ago.
        quiet_ms=min(u32[11], u32[12]) if segs_in else None,
    )
