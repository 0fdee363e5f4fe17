"""Rows to compare, written short: `{"case": ("PPF", "PPP")}` is three trials of the baseline and three of the candidate."""

STATUS = {"P": "passed", "F": "failed", "E": "error", "U": "unmeasured", "N": "not_run"}


def rows(cases, *, baseline="v1", candidate="v2", **shared):
    """Outcome rows; a third item of a case is a mapping of further columns."""
    made = []
    for case_id, (before, after, *extra) in cases.items():
        columns = {**shared, **(extra[0] if extra else {})}
        for variant, outcomes in ((baseline, before), (candidate, after)):
            for trial, letter in enumerate(outcomes, start=1):
                status = STATUS[letter]
                made.append({"case_id": case_id, "variant": variant, "trial": trial, "status": status, **columns})
    return made


def many(both_pass=0, fixed=0, regressed=0, both_fail=0, **columns):
    """One-trial cases by label."""
    kinds = [
        ("pp", "P", "P", both_pass),
        ("fx", "F", "P", fixed),
        ("rg", "P", "F", regressed),
        ("ff", "F", "F", both_fail),
    ]
    return rows({f"{name}{i:03}": (a, b, columns) for name, a, b, count in kinds for i in range(count)})
