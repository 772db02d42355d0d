"""Make an environment with what a lock pins and the project itself, editable.

Usage: ``python3 requirements/install.py ENVIRONMENT LOCK``. It runs before anything is installed,
so it needs the standard library only, and Python 3.6 gets as far as the check of its version.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST, TOO_NEW = (3, 11), (3, 14)
PROJECT = Path(__file__).resolve().parent.parent


def main(environment: Path, lock: Path) -> None:
    """Make or complete `environment`; end with a message and a status when it cannot be made."""
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        sys.exit(
            f"labelops needs Python 3.11, 3.12 or 3.13, but {sys.executable} is "
            f"{sys.version.split()[0]}; name another one: make PYTHON=python3.12 ..."
        )
    log = environment / "install.log"
    python = environment / "bin" / "python"
    make = [sys.executable, "-m", "venv", str(environment)]
    # An environment that was left half made has a python, but no pip.
    if not python.with_name("pip").exists() and subprocess.call(make):  # noqa: S603 - our own
        sys.exit(f"cannot make {environment}; on Debian, `apt install python3-venv` is missing")
    wanted = len(re.findall(r"^[A-Za-z0-9].*==", lock.read_text(), flags=re.MULTILINE))
    say(f"installing up to {wanted} packages of {lock} into {environment} (minutes, once)\n")
    # The lock names everything, so pip need not look for more: left to itself it takes the
    # newest of a package that another one wants with an extra, and refuses that for its digest.
    locked = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    pip(python, locked, log, wanted)
    pip(python, ["--no-deps", "--no-build-isolation", "--editable", str(PROJECT)], log, 0)


def pip(python: Path, arguments: "list[str]", log: Path, wanted: int) -> None:
    """Run pip's install, showing how far it is; on failure, show the end of its log."""
    command = [str(python), "-m", "pip", "install", "--progress-bar", "off", *arguments]
    # A personal pip configuration may ask for installs that an environment cannot have.
    environ = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    lines, seen = [], 0
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                show(seen, wanted)
            elif wanted and line.startswith("Installing collected"):
                say("\n  unpacking ...\n")
    with log.open("a") as handle:
        handle.writelines(lines)
    if process.returncode:
        tail = "".join(lines[-20:])
        sys.exit(f"\n{tail}pip failed; its whole output is in {log}")


def show(seen: int, wanted: int) -> None:
    """Count on one line of a terminal, or on every 25th line of a log."""
    if wanted and sys.stderr.isatty():
        say(f"\r  {seen} of {wanted} packages")
    elif wanted and seen % 25 == 0:
        say(f"  {seen} of {wanted} packages\n")


def say(words: str) -> None:
    """Tell the person who waits, at once."""
    sys.stderr.write(words)
    sys.stderr.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
