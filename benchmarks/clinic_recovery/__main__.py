"""Recovery of simulated clinics.

Run `uv run python benchmarks/clinic_recovery --clinics 50 --out FILE [--workers 2] [--json]`. Every clinic is drawn from the model's
prior by its number and calibrated three times: under perfect access, through the barriers of the virtual clinic, and by a naive analysis of
the same degraded extracts, which drops what is missing, fills hidden numbers with zero and ignores delay. Finished fits are kept in
FILE, a line each, and are not repeated; without new ones the command prints the table of what is there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from coverage_table import as_text, summary
from recover import ARMS, clinic_rows
from rich.progress import track


def main() -> None:
    """Run what is not there yet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clinics", type=int, default=50, help="number of clinics (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of finished fits")
    parser.add_argument("--workers", type=int, default=2, help="fits at once (default %(default)s)")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="which accesses")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    arguments = parser.parse_args()
    kept = arguments.out.read_text(encoding="utf-8").splitlines() if arguments.out.is_file() else []
    fits = [json.loads(line) for line in kept]
    done = {(fit[0]["clinic"], fit[0]["arm"]) for fit in fits}
    wanted = [(clinic, arm) for clinic in range(1, arguments.clinics + 1) for arm in arguments.arms if (clinic, arm) not in done]
    # A process a fit: programs compiled for a clinic are of no use to the next.
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        running = [pool.submit(clinic_rows, clinic, arm) for clinic, arm in wanted]
        for future in track(as_completed(running), "calibrating clinics", len(running), disable=arguments.json):
            rows = future.result()
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows) + "\n")
            fits.append(rows)
    table = summary([row for rows in fits for row in rows])
    print(json.dumps(table.to_dict("records"), indent=2) if arguments.json else as_text(table))


if __name__ == "__main__":
    main()
