"""Start-up. Standard library only, so that `gwc --version` costs little more than a bare Python."""

import sys


def main() -> int:
    """Answer `--version` at once; hand everything else to the typer application."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from gwc import __version__

        sys.stdout.write(f"gwc {__version__}\n")
        return 0
    from gwc.cli import run

    return run(sys.argv[1:])
