"""A file with labels and three annotators' votes, to be checked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def crowd_file(path: Path, rows: int = 60) -> Path:
    """Write labels beside three annotators' votes; row 5 is labeled as nobody said."""
    lines = ["id,final,ann,ben,cem"]
    for n in range(rows):
        said = ("cat", "dog")[n % 2]
        lines.append(f"k{n},{'dog' if n == 4 else said},{said},{said},{said}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


VOTES = ("--label", "final", "--votes", "ann, ben,cem")


def votes_file(path: Path, crowd: Path, *more: str) -> Path:
    """Write the votes of a crowd's columns as one row a vote, in another order."""
    wide = pd.read_csv(crowd)
    long = wide.melt("id", ["cem", "ann", "ben"], "worker", "answer").rename(columns={"id": "item"})
    long.sample(frac=1, random_state=1).to_csv(path, index=False)
    with path.open("a") as file:
        file.writelines(f"{row}\n" for row in more)
    return path
