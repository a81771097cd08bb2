"""Which image some bytes begin like: neither a server's word nor a file's name is believed."""

from __future__ import annotations

import re

KNOWN = ("jpeg", "png", "webp", "gif", "tiff", "bmp", "avif", "heic", "ico", "jxl", "jp2")

HEAD = 32
"""Bytes that tell."""

SIGNATURES = {
    "jpeg": rb"\xff\xd8\xff",
    "png": rb"\x89PNG\r\n\x1a\n",
    "webp": rb"RIFF....WEBP",
    "gif": rb"GIF8[79]a",
    "tiff": rb"II[*+]\x00|MM\x00[*+]",
    "bmp": rb"BM....\x00\x00\x00\x00",
    "avif": rb"....ftypavi[fs]",
    "heic": rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)",
    "ico": rb"\x00\x00[\x01\x02]\x00[^\x00]",
    "jxl": rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n",
    "jp2": rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
}


def sniff(head: bytes) -> str:
    """The format of an image that begins with `head`; empty if it is none."""
    return next((name for name, signature in SIGNATURES.items() if re.match(signature, head, re.DOTALL)), "")
