"""The command ``aiorerun info``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from aiorerun.cli import codes
from aiorerun.cli.progress import shown
from aiorerun.cli.running import ascii_only, complain
from aiorerun.cli.tables import table

if TYPE_CHECKING:
    import argparse

    from aiorerun.files.summary import EntitySummary, FileSummary, RecordingSummary

ABOUT: Final = "say what files hold: recordings, entities, components, timelines, rows, bytes"
DETAILS: Final = """\
A complete file is not read for it, only its footer. Files without one (cut off, joined, still being written)
are read once; what is incomplete or damaged is said on standard error.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="an .rrd or .rbl file, or - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array with an object per file")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    from aiorerun.codec.errors import RrdError
    from aiorerun.files.summary import summarize

    code = codes.DONE
    found: list[Any] = []
    for path in arguments.files:
        try:
            with shown() as on_progress:
                summary = summarize(path, on_progress=on_progress)
        except (OSError, RrdError) as error:
            complain("info", f"{path}: {getattr(error, 'strerror', None) or error}")
            code = codes.FAILED
            continue
        for note in summary.notes:
            complain("info", note)
        if arguments.json:
            found.append(_file_json(summary))
        else:
            sys.stdout.write(_file_text(summary))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=ascii_only()) + "\n")
    return code


# --- for people -------------------------------------------------------------------------------------


def _file_text(summary: FileSummary) -> str:
    from aiorerun.files.amounts import size_text

    version = ".".join(map(str, summary.version))
    head = f"{summary.name}: {size_text(summary.nbytes)}, format {version}, {_footer_text(summary)}\n"
    return head + "".join(map(_recording_text, summary.recordings)) + "\n"


def _footer_text(summary: FileSummary) -> str:
    if summary.is_by_footer:
        return "with a footer"
    return "a footer that could not be used" if summary.has_footer else "no footer"


def _recording_text(recording: RecordingSummary) -> str:
    from aiorerun.files.amounts import size_text
    from aiorerun.files.rows import time_text
    from aiorerun.types.timeline import TimelineKind

    store = recording.store
    lines = [f"\n{store.kind.name.lower()} {store.recording_id!r} of application {store.application_id!r}"]
    if recording.name is not None:
        lines.append(f"  name: {recording.name}")
    if recording.start is not None:
        lines.append(f"  started: {time_text(TimelineKind.TIMESTAMP, recording.start)}")
    if recording.source is not None:
        lines.append(f"  written by: {recording.source}")
    amounts = f"{recording.rows:,} rows in {recording.chunks:,} chunks, {size_text(recording.nbytes)}"
    text = "\n".join([*lines, f"  {amounts}"]) + "\n"
    timelines = [
        (name, facts.kind.name.lower(), time_text(facts.kind, facts.start), time_text(facts.kind, facts.end))
        for name, facts in sorted(recording.timelines.items())
    ]
    if timelines:
        text += "\n" + table(("timeline", "kind", "from", "to"), timelines)
    entities = [
        (path, entity.rows, entity.chunks, size_text(entity.nbytes), _components_text(entity))
        for path, entity in sorted(recording.entities.items())
    ]
    if entities:
        text += "\n" + table(("entity", "rows", "chunks", "size", "components"), entities)
    return text


def _components_text(entity: EntitySummary) -> str:
    return ", ".join(
        f"{name} (static)" if component.is_static else name
        for name, component in sorted(entity.components.items())
    )


# --- for programs -----------------------------------------------------------------------------------


def _file_json(summary: FileSummary) -> dict[str, Any]:
    return {
        "file": summary.name,
        "bytes": summary.nbytes,
        "format": ".".join(map(str, summary.version)),
        "has_footer": summary.has_footer,
        "is_by_footer": summary.is_by_footer,
        "notes": [{"offset": note.offset, "text": note.text} for note in summary.notes],
        "recordings": [_recording_json(recording) for recording in summary.recordings],
    }


def _recording_json(recording: RecordingSummary) -> dict[str, Any]:
    store = recording.store
    return {
        "kind": store.kind.name.lower(),
        "application_id": store.application_id,
        "recording_id": store.recording_id,
        "name": recording.name,
        "start_nanos": recording.start,
        "written_by": recording.source,
        "rows": recording.rows,
        "chunks": recording.chunks,
        "bytes": recording.nbytes,
        "timelines": {
            name: {"kind": facts.kind.name.lower(), "start": facts.start, "end": facts.end}
            for name, facts in sorted(recording.timelines.items())
        },
        "entities": {
            path: {
                "rows": entity.rows,
                "chunks": entity.chunks,
                "bytes": entity.nbytes,
                "components": {
                    name: {
                        "archetype": component.descriptor.archetype,
                        "component_type": component.descriptor.component_type,
                        "type": str(component.type),
                        "is_static": component.is_static,
                    }
                    for name, component in sorted(entity.components.items())
                },
            }
            for path, entity in sorted(recording.entities.items())
        },
    }
