"""`exporter completion bash|zsh|fish`: what a shell reads once to complete commands, options, recipes and keys."""

from __future__ import annotations

import argparse

from exporter.commands.words import show

# Where a shell reads it from at its start.
HOW = {
    "bash": "echo 'eval \"$(exporter completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(exporter completion zsh)\"' >> ~/.zshrc, behind compinit",
    "fish": "exporter completion fish > ~/.config/fish/completions/exporter.fish",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(HOW), help="; ".join(f"{shell}: {how}" for shell, how in HOW.items()))


def run(args: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    show(shellcode(["exporter"], shell=args.shell).strip("\n"))
    return 0
