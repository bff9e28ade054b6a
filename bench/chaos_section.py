#!/usr/bin/env python3
"""Writes what runs of the chaos tests said as the section `chaos` of a file of results.

usage: chaos_section.py RESULTS COMMAND LOG...
"""

import datetime
import re
import sys

NAMES = {"static": "own storage", "shared": "shared database"}


def read_run(path):
    """One run: its shape, seed, seconds, totals, and faults by name."""
    text = open(path, encoding="utf-8", errors="replace").read()
    seed, shape = re.search(r"PARLEY_SEED=(\d+) PARLEY_SHAPE=(\w+)", text).groups()
    totals = re.search(
        r"(\d+) faults, (\d+) operations checked, (\d+) of them acknowledged changes; "
        r"slowest recovery (\d+) ms",
        text,
    )
    took = re.search(r"(?:OK|FAILED)\s+\] Chaos\.\w+ \((\d+) ms\)", text)
    if totals is None or took is None:
        sys.exit(f"{path}: the run did not come to its end")
    faults, operations, acknowledged, recovery = map(int, totals.groups())
    return {
        "shape": shape,
        "seed": seed,
        "seconds": int(took.group(1)) // 1000,
        "faults": faults,
        "operations": operations,
        "acknowledged": acknowledged,
        "violations": len(re.findall(r": Failure$", text, re.MULTILINE)),
        "recovery": recovery,
        "by_name": dict(re.findall(r"^  ([^:\n]+): (\d+)$", text, re.MULTILINE)),
    }


def render(runs, command):
    lines = [
        "<!-- section chaos -->",
        "## Clusters under faults",
        "",
        "The last long runs of `./dev chaos` (docs/cluster.md says what they do): nodes, and a database "
        "with its synchronous standby, each on a host of its own. Operations are all that clients were "
        "told and that was judged afterwards; a violation is anything of it that must not be.",
        "",
        "| shape | seed | s | faults | operations checked | acknowledged changes | violations "
        "| slowest recovery ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs:
        cells = [NAMES[run["shape"]], run["seed"], f"{run['seconds']:,}", f"{run['faults']:,}"]
        cells += [f"{run[key]:,}" for key in ("operations", "acknowledged", "violations", "recovery")]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| fault | " + " | ".join(NAMES[run["shape"]] for run in runs) + " |"]
    lines.append("|---|" + "---:|" * len(runs))
    for name in sorted({name for run in runs for name in run["by_name"]}):
        lines.append(f"| {name} | " + " | ".join(run["by_name"].get(name, "-") for run in runs) + " |")
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    lines += ["", f"Date: {date}. Command: `{command}`", ""]
    return "\n".join(lines)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    results, command, *logs = sys.argv[1:]
    section = render([read_run(log) for log in logs], command)
    text = open(results, encoding="utf-8").read()
    old = re.compile(r"<!-- section chaos -->\n.*?(?=<!-- section |\Z)", re.DOTALL)
    if old.search(text):
        text = old.sub(lambda _: section + "\n", text)
    else:
        text = text.rstrip("\n") + "\n\n" + section
    open(results, "w", encoding="utf-8").write(text.rstrip("\n") + "\n")


if __name__ == "__main__":
    main()
