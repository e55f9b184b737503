"""How blobs lie in the table: zlib-compressed where that is smaller, marked by a suffix of their media type."""

from __future__ import annotations

import zlib

from probe.model.errors import StoreError
from probe.model.observation import Blob

Z_SUFFIX = ";z=zlib"
# Below this, zlib's header and the media suffix cost more than they save.
_COMPRESS_FROM = 200
MAX_INFLATED = 16 * 1024 * 1024


def pack_blob(blob: Blob) -> tuple[str, bytes]:
    """(media, bytes) as stored: zlib-compressed where that is smaller."""
    if blob.size >= _COMPRESS_FROM:
        packed = zlib.compress(blob.data, 6)
        if len(packed) < blob.size:
            return blob.media + Z_SUFFIX, packed
    return blob.media, blob.data


def unpack_blob(sha256: str, media: str, size: int, data: bytes) -> Blob:
    """The blob of a stored row. Raises StoreError when it inflates to anything but its stated size."""
    if not media.endswith(Z_SUFFIX):
        return Blob(sha256, media, data)
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, min(size, MAX_INFLATED) + 1)
    except (zlib.error, ValueError) as error:
        raise StoreError(f"blob {sha256[:12]}: {error}") from None
    if len(plain) != size:
        raise StoreError(f"blob {sha256[:12]}: is not the size it says")
    return Blob(sha256, media.removesuffix(Z_SUFFIX), plain)
