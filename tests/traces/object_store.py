"""An object store over loopback that speaks as much of S3 as reading takes."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from aiohttp import web

_WHEN = "2026-01-01T00:00:00.000Z"


class ObjectStore:
    """Objects by `bucket/key`; `ranges` are the byte ranges that were asked for."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects
        self.ranges: list[str] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/{bucket}", self._list),
            web.get("/{bucket}/", self._list),
            web.get("/{bucket}/{key:.+}", self._object),
        ]

    async def _object(self, request: web.Request) -> web.Response:
        data = self._objects.get(f"{request.match_info['bucket']}/{request.match_info['key']}")
        if data is None:
            text = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"
            return web.Response(status=404, text=text, content_type="application/xml")
        headers = {"ETag": '"x"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Accept-Ranges": "bytes"}
        asked = request.http_range
        if request.method == "HEAD" or asked.start is None:
            return web.Response(body=data, headers=headers)
        self.ranges.append(request.headers["Range"])
        stop = min(asked.stop or len(data), len(data))
        headers["Content-Range"] = f"bytes {asked.start}-{stop - 1}/{len(data)}"
        return web.Response(status=206, body=data[asked.start : stop], headers=headers)

    async def _list(self, request: web.Request) -> web.Response:
        bucket, asked = request.match_info["bucket"], request.query.get("prefix", "")
        prefix = f"{bucket}/{asked}"
        found = [key for key in sorted(self._objects) if key.startswith(prefix)]
        items = "".join(
            f"<Contents><Key>{escape(key[len(bucket) + 1 :])}</Key><LastModified>{_WHEN}</LastModified>"
            f"<ETag>x</ETag><Size>{len(self._objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in found
        )
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket}</Name><Prefix>{escape(asked)}</Prefix><KeyCount>{len(found)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{items}</ListBucketResult>"
        )
        return web.Response(text=text, content_type="application/xml")
