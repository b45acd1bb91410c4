"""The verdicts as earlier commits gave them, from their own records by their own rules, for results/verdicts.json.

    python benchmarks/verdict_history.py COMMIT... > results/verdicts.json

Commits are named from the oldest on. Each is unpacked into a temporary folder and asked there, which takes a minute.
Printed are the entries of verdicts that differ from the one before.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

from essparse_lib.book import changelog

#: Asks a commit for its verdicts at lab scale, and for the records of each figure that judges a claim.
_QUESTION = """
import json, hashlib
from essparse_lib import figures
from essparse_lib.book import claims
from essparse_lib.records.store import results
from essparse_lib.records import summary
judged = claims.plain("lab")
for claim in judged:
    studies = [figures.study(claim["figure"], "lab")] if claim["figure"] else []
    used = [record for study in studies for record in summary.used(study, results("lab").records_of_studies(study))]
    lines = sorted(record.line() for record in used)
    claim["records"] = len(lines)
    claim["fingerprint"] = hashlib.sha256("\\n".join(lines).encode()).hexdigest()[:16]
print(json.dumps(judged))
"""


def ask(commit: str) -> list[changelog.Entry]:
    """Return the verdicts that a commit gave."""
    archive = subprocess.run(["git", "archive", commit], check=True, capture_output=True).stdout
    date = subprocess.run(["git", "show", "-s", "--format=%as", commit], check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        environment = {**os.environ, "PYTHONPATH": folder}
        done = subprocess.run([sys.executable, "-c", _QUESTION], cwd=folder, env=environment, capture_output=True)
    if done.returncode:
        print(f"{commit}: {done.stderr.decode().splitlines()[-1]}", file=sys.stderr)
        return []
    return [changelog.entry(judged, date.stdout.strip(), commit) for judged in json.loads(done.stdout)]


def main() -> None:
    """Print the entries of the commits that are named on the command line."""
    known: list[changelog.Entry] = []
    for commit in sys.argv[1:]:
        known += changelog.changed(ask(commit), known)
    print(changelog.text_of(known), end="")


if __name__ == "__main__":
    main()
