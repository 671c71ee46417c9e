"""`gwc --help`: the commands by what somebody wants to do, each with the whole of its first sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer import Context

SECTIONS = {
    "Begin": ("init", "import"),
    "Compile": ("compile", "verify", "support"),
    "Check": ("lint", "rule", "test"),
    "Understand": ("explain", "docs", "schema"),
    "Change": ("diff", "replay"),
    "Run": ("run",),
}
"""Every command once, in the order in which they are listed."""


class Sections(TyperGroup):
    """The commands of an application, listed in sections."""

    def list_commands(self, ctx: Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """In the order of the sections; one that nobody has put into a section comes last."""
        listed = [name for names in SECTIONS.values() for name in names if name in self.commands]
        return [*listed, *(name for name in self.commands if name not in listed)]

    def format_commands(self, ctx: Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self._said(name)) for name in names])

    def _said(self, name: str) -> str:
        """The first paragraph of a command's help, whole: the formatter breaks its lines."""
        return " ".join((self.commands[name].help or "").partition("\n\n")[0].split())
