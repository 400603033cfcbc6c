"""The readers of flowcore, by name."""

from __future__ import annotations

from typing import Final

from tests.fuzz import of_arrays, of_indexes, of_journals, of_messages, of_options, of_records, of_states, of_stories
from tests.fuzz.reader import Reader

_ALL: Final = (
    Reader(name="frames", seeds=of_journals.journals, read=of_journals.read_frames, mutate=of_journals.mutate_frames),
    Reader(name="journal", seeds=of_journals.groups, read=of_journals.read_group),
    Reader(name="records", seeds=of_records.records, read=of_records.read, factor=400),
    Reader(name="arrays", seeds=of_arrays.files, read=of_arrays.read),
    Reader(name="index", seeds=of_indexes.indexes, read=of_indexes.read, mutate=of_indexes.mutate),
    Reader(name="states", seeds=of_states.manifests, read=of_states.read, mutate=of_states.mutate),
    Reader(name="wire", seeds=of_messages.streams, read=of_messages.read_stream, mutate=of_messages.mutate_stream),
    Reader(name="results", seeds=of_messages.results, read=of_messages.read_result),
    Reader(name="drawings", seeds=of_messages.drawings, read=of_messages.read_drawing),
    Reader(name="options", seeds=of_options.files, read=of_options.read, mutate=of_options.mutate),
    Reader(name="stories", seeds=of_stories.stories, read=of_stories.read, factor=400, room=16 << 20),
)
READERS: Final = {reader.name: reader for reader in _ALL}
