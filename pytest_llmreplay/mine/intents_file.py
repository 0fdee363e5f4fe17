"""`intents.parquet`: intents in a file that a team can commit; it holds directions and words, no conversation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.intents import Intent, Intents
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

KIND_KEY, KIND = b"llmreplay.kind", b"intents"
_ABOUT = b"llmreplay.intents"


def write_intents(path: Path, intents: Intents) -> None:
    """Write the file.

    Raises:
        OSError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {
        "embedder": intents.embedder,
        "stability": intents.stability,
        "middle": [float(x) for x in intents.middle],
    }
    rows = [
        {
            "intent_id": intent.intent_id,
            "name": intent.name,
            "terms": list(intent.terms),
            "size": intent.size,
            "reach": intent.reach,
            "centre": intent.centre.tolist(),
        }
        for intent in intents.found
    ]
    schema = _schema().with_metadata({KIND_KEY: KIND, _ABOUT: json.dumps(about).encode()})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def read_intents(path: Path, *, embedder: str) -> Intents:
    """Read the file.

    Raises:
        UserError: it cannot be read, is something else, or its directions are those of another embedder.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"cannot be read as Parquet: {error}", file=str(path)) from error
    metadata = table.schema.metadata or {}
    if metadata.get(KIND_KEY) != KIND or table.schema.names != _schema().names:
        raise UserError("holds no intents", file=str(path))
    about = json.loads(metadata[_ABOUT])
    if about["embedder"] != embedder:
        raise UserError(
            f"its intents were found with the embeddings '{about['embedder']}', not '{embedder}'",
            file=str(path),
            fix="use those, or another file",
        )
    found = tuple(
        Intent(
            row["intent_id"],
            row["name"],
            tuple(row["terms"]),
            row["size"],
            row["reach"],
            np.array(row["centre"], np.float32),
        )
        for row in table.to_pylist()
    )
    return Intents(embedder, np.array(about["middle"], np.float32), found, about["stability"])


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, real = pa.string(), pa.float32()
    return pa.schema(
        {
            "intent_id": text,
            "name": text,
            "terms": pa.list_(text),
            "size": pa.int64(),
            "reach": pa.float64(),
            "centre": pa.list_(real),
        }
    )
