"""Where logs are: files, globs, folders, compressed files, standard input, object stores, and vendors' APIs."""

from __future__ import annotations

import glob
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces.reading import UnreadableError

if TYPE_CHECKING:
    import pyarrow.fs

STDIN = "-"
_REMOTE = ("s3://", "gs://", "gcs://")
_VENDORS = ("langfuse:", "langsmith:")
_PARQUET_MAGIC = b"PAR1"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\x04\x22\x4d\x18": "lz4"}
_SUFFIXES = {".gz", ".zst", ".bz2", ".lz4"}
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One log file that can be opened as often as needed.

    `name` is what people are told. `path` is where it is: on this machine, or inside `filesystem`.
    """

    name: str
    path: str
    filesystem: pyarrow.fs.FileSystem | None = None
    copy: IO[bytes] | None = field(default=None, compare=False)

    @property
    def stem(self) -> str:
        """The file name without its suffixes for compression and type."""
        return stem_of(self.name)

    @property
    def is_local(self) -> bool:
        """Whether `path` names a file of this machine."""
        return self.filesystem is None and self.copy is None

    def raw(self) -> BinaryIO:
        """The bytes as stored, seekable.

        Raises:
            UnreadableError: the file cannot be opened.
        """
        try:
            if self.copy is not None:
                return cast("BinaryIO", io.BufferedReader(_Window(self.copy.fileno())))
            if self.filesystem is not None:
                return cast("BinaryIO", io.BufferedReader(self.filesystem.open_input_file(self.path)))
            return Path(self.path).open("rb")
        except OSError as error:
            raise UnreadableError(_reason(error)) from error

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes, decompressed when their first bytes say that they are compressed.

        Raises:
            UnreadableError: the file cannot be opened.
        """
        with self.raw() as raw:
            magic = raw.read(4)
            raw.seek(0)
            codec = next((name for start, name in _COMPRESSED.items() if magic.startswith(start)), None)
            if codec is None:
                yield raw
                return
            import pyarrow as pa

            with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec) as stream:
                yield cast("BinaryIO", io.BufferedReader(_Stream(stream), _COPY_BYTES))

    def is_plain_bytes(self) -> bool:
        """Whether the bytes are not compressed, so that a place in the text is a place in the file."""
        with self.raw() as raw:
            start = raw.read(4)
        return not any(start.startswith(magic) for magic in _COMPRESSED)

    def is_parquet(self) -> bool:
        """Whether the first bytes are those of a Parquet file.

        Raises:
            UnreadableError: the file cannot be opened.
        """
        with self.raw() as raw:
            try:
                return raw.read(4) == _PARQUET_MAGIC
            except OSError as error:
                raise UnreadableError(_reason(error)) from error


class _Window(io.RawIOBase):
    """An own position in an open file that others read too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: os.fstat(self._descriptor).st_size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._descriptor, len(buffer), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Stream(io.RawIOBase):
    """A decompressing Arrow stream as Python's own raw stream, whose lines can be read."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except OSError as error:
            raise UnreadableError(f"the compressed data is damaged: {_reason(error)}") from error
        buffer[: len(data)] = data
        return len(data)


def stem_of(name: str) -> str:
    """The file name of a source's name, without its suffixes for compression and type."""
    base = PurePosixPath("stdin" if name == STDIN else PurePosixPath(name.replace(os.sep, "/")).name)
    return PurePosixPath(base.stem).stem if base.suffix in _SUFFIXES else base.stem


def expand(path: str) -> tuple[Source, ...]:
    """The files that one path, glob, folder, `-`, object store or vendor's trace names, in the order of their names.

    Raises:
        UserError: nothing is there.
    """
    if path == STDIN:
        return (_standard_input(),)
    if path.startswith(_REMOTE):
        return _remote(path)
    if path.startswith(_VENDORS) and not Path(path).exists():
        from pytest_llmreplay.traces.vendors import fetched

        return (Source(path, path, copy=fetched(path)),)
    files = local_files(path)
    if not files and not Path(path).is_dir():
        raise UserError(_nothing_there(Path(path)), file=path)
    return tuple(Source(file.as_posix(), str(file)) for file in files)


def local_files(path: str) -> tuple[Path, ...]:
    """The files of this machine that a path, glob or folder names, in the order of their names; maybe none."""
    here = Path(path)
    if here.is_dir():
        return tuple(p for p in sorted(here.rglob("*")) if p.is_file() and not _hidden(p.relative_to(here)))
    if here.exists():
        return (here,)
    matches = glob.glob(path, recursive=True) if glob.has_magic(path) else []  # noqa: PTH207 - also absolute patterns
    there = (match for match in sorted(matches) if Path(match).is_file() or Path(match).is_dir())
    return tuple(dict.fromkeys(file for match in there for file in local_files(match)))


def _hidden(relative: Path) -> bool:
    return any(part.startswith((".", "_SUCCESS", "_metadata", "_common_metadata")) for part in relative.parts)


def _nothing_there(path: Path) -> str:
    from pytest_llmreplay.model.errors import did_you_mean

    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = did_you_mean(path.name, siblings)
    return "no such file or folder" + (f"; did you mean '{path.parent.joinpath(near).as_posix()}'?" if near else "")


def _standard_input() -> Source:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the source and is nowhere in a folder
    while chunk := sys.stdin.buffer.read(_COPY_BYTES):
        copy.write(chunk)
    copy.flush()
    return Source(STDIN, STDIN, copy=copy)


def _remote(path: str) -> tuple[Source, ...]:
    import pyarrow as pa
    from pyarrow import fs

    scheme = path.split("://", 1)[0]
    pattern = path.split("://", 1)[1]
    fixed = pattern.split("*", 1)[0].rsplit("/", 1)[0] if "*" in pattern else pattern
    try:
        filesystem, inner = fs.FileSystem.from_uri(f"{scheme}://{fixed}")
        info = filesystem.get_file_info(inner)
        if info.type == fs.FileType.Directory:
            found = filesystem.get_file_info(fs.FileSelector(inner, recursive=True))
            names = sorted(f.path for f in found if f.type == fs.FileType.File)
        else:
            names = [inner] if info.type == fs.FileType.File else []
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"cannot be reached: {_reason(error)}", file=path) from error
    if "*" in pattern:
        fits = _matcher(pattern)
        names = [name for name in names if fits.match(f"{name}/")]
    if not names:
        raise UserError("no such object or folder", file=path)
    return tuple(Source(f"{scheme}://{name}", name, filesystem) for name in names)


def _matcher(pattern: str) -> re.Pattern[str]:
    """What fits the names of objects, each with a slash at its end, that a pattern names or that lie below it."""
    parts = [part for part in pattern.split("/") if part]
    each = ("(?:[^/]+/)*" if part == "**" else re.escape(part).replace(r"\*", "[^/]*") + "/" for part in parts)
    return re.compile("".join(each))


def unique(sources: Sequence[Source]) -> list[Source]:
    """The sources without those that were named twice; the first mention keeps its place."""
    seen: dict[str, Source] = {}
    for source in sources:
        key = os.path.realpath(source.path) if source.is_local else source.name
        seen.setdefault(key, source)
    return list(seen.values())


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__
