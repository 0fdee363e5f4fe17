"""Content that a span only refers to: files that the library uploaded beside the log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_llmreplay.traces.json_value import MAX_RECORD_BYTES, parse
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.spans import Place

_REMOTE = ("s3://", "gs://", "gcs://")


def uploaded(attributes: Mapping[str, Any], name: str, place: Place, notes: list[str]) -> Any:
    """The attribute's value, or what its reference (`NAME_ref`) holds; what cannot be read is noted.

    A log may not make anyone read what lies elsewhere: the file must be in the log's own folder or below it.
    """
    value = attributes.get(name)
    reference = attributes.get(f"{name}_ref")
    if value is not None or not isinstance(reference, str):
        return loosened(value)
    try:
        return _content(reference, place)
    except (OSError, ValueError) as error:
        notes.append(
            f"{name.removeprefix('gen_ai.')}: the uploaded file {PurePosixPath(reference).name} cannot be read: {error}"
        )
        return None


def _content(reference: str, place: Place) -> Any:
    if reference.startswith(_REMOTE):
        data = _remote(reference, place)
    else:
        data = _local(reference.removeprefix("file://"), Path(place.file).resolve().parent)
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        return parse(data)
    except ValueError:
        return [parse(line) for line in lines]


def _local(reference: str, folder: Path) -> bytes:
    path = Path(reference)
    candidates = (folder / path, *sorted(folder.rglob(path.name)))
    for candidate in candidates:
        found = candidate.resolve()
        if found.is_relative_to(folder) and found.is_file():
            if found.stat().st_size > MAX_RECORD_BYTES:
                raise ValueError("it is too long")
            return found.read_bytes()
    raise ValueError("it is not in the log's folder")


def _remote(reference: str, place: Place) -> bytes:
    """An object is read when the log comes from the same store and folder."""
    base = place.file.rsplit("/", 1)[0]
    if not place.file.startswith(_REMOTE) or not reference.startswith(base + "/") or ".." in reference:
        raise ValueError("it is not in the log's folder")
    import pyarrow as pa
    from pyarrow import fs

    try:
        filesystem, path = fs.FileSystem.from_uri(reference)
        with filesystem.open_input_file(path) as stream:
            if stream.size() > MAX_RECORD_BYTES:
                raise ValueError("it is too long")
            data: bytes = stream.read()
            return data
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
