"""What the site has beside the pages in docs/: reference pages made of the program itself."""  # noqa: INP001  # a script, not a package

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import panacea_sim
from panacea_sim.commands.door import COMMANDS
from panacea_sim.commands.main import main
from panacea_sim.hardware.config import DEFAULT_PRESET, field_sources, list_presets, load_hardware

HELP_COLUMNS = "100"
LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bhref=\"?(?:https?:)?//")
"""What a browser would load from elsewhere when it opens the page."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the program."""
    for name, lines in (("cli.md", _commands()), ("api.md", _names()), ("hardware.md", _hardware())):
        files.append(File.generated(config, name, content="\n".join(lines)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # as mkdocs calls it
    """Show the file names of blocks as titles, and names of files that are no pages without their links."""
    titled = re.sub(r"^```(\w+) file=(\S+)$", r'```\1 title="\2"', markdown, flags=re.MULTILINE)
    plain = re.sub(r"^```(\w+) [a-z]+=[^\n\"]*$", r"```\1", titled, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", plain)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001  # as mkdocs calls it
    """Refuse a page that a browser without a network would not show whole."""
    found = LOADED.search(output)
    if found:
        message = f"{page.file.src_uri} loads something from elsewhere: {output[found.start() : found.end() + 80]}"
        raise PluginError(message)
    return output


def _commands() -> Iterator[str]:
    """Yield a chapter for each command: what its --help prints."""
    yield "# Commands\n\nWhat `panacea-sim COMMAND --help` prints. Exit codes are in [files.md](files.md#exit-codes).\n"
    for name in COMMANDS:
        yield f"## {name}\n\n```text\n{_help_of(name)}```\n"


def _help_of(command: str) -> str:
    printed, columns = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = HELP_COLUMNS
    try:
        with contextlib.redirect_stdout(printed):
            main([command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return printed.getvalue()


def _names() -> Iterator[str]:
    """Yield an entry for each name that scripts import from the package, made of its docstring."""
    yield "# Python API\n\nAll of it is imported from `panacea_sim`, each name when it is first used.\n"
    yield from (f"::: panacea_sim.{name}\n" for name in panacea_sim.__all__)


def _hardware() -> Iterator[str]:
    """Yield a table for each preset; of those beside the default one, the fields with other figures."""
    yield "# Hardware presets\n\nWhat the fields mean is in [files.md](files.md#hardware-files)."
    yield "Standing: S read in the source named, 2 second-hand, D derived, A an assumption of this project.\n"
    default = set(_figures(DEFAULT_PRESET))
    for preset in sorted(list_presets(), key=lambda name: name != DEFAULT_PRESET):
        rows = [row for row in _figures(preset) if preset == DEFAULT_PRESET or row not in default]
        yield f"## {preset}\n"
        if preset != DEFAULT_PRESET:
            yield f"All other fields are those of `{DEFAULT_PRESET}`.\n"
        yield "| field | figure | standing | source |\n|---|---|---|---|"
        yield from (f"| `{field}` | {figure} | {standing} | {source} |" for field, figure, standing, source in rows)
        yield ""


def _figures(preset: str) -> Iterator[tuple[str, str, str, str]]:
    values = load_hardware(preset).model_dump()
    for field, source in field_sources(preset).items():
        yield field, str(values[field]), source.standing, source.text.replace("|", "\\|")
