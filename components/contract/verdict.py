"""The words for a model that learned nothing, alike at the end of a run, in its report and in a list of runs.

components/calibrate/verdict.py decides and stores what it finds in metrics.json; nobody else decides.
"""

from collections.abc import Mapping, Sequence

VERDICT = "verdict"  # its key in metrics.json and run.json, which do not have it where there is nothing to say
VALIDATION, CALIBRATION, TEST = "validation", "calibration", "test"  # what a finding is about
HEADLINES = {
    VALIDATION: "The model learned nothing",
    CALIBRATION: "The calibration does harm",
    TEST: "The model tells nothing of the test photos",
}  # the first of these that a finding is about
Finding = Mapping[str, str]
"""about: one of the above; what: in a few words; why: in a sentence, with its figures; cause: the likely one, and what helps."""


def in_short(findings: Sequence[Finding]) -> str:
    """Returns what was found, in a few words; nothing where nothing was."""
    return ", ".join(dict.fromkeys(finding["what"] for finding in findings))


def verdict_headline(findings: Sequence[Finding]) -> str:
    """Returns what was found as a headline; there is at least one finding."""
    about = {finding["about"] for finding in findings}
    return f"{next(words for name, words in HEADLINES.items() if name in about)}: {in_short(findings)}"


def sentences(findings: Sequence[Finding]) -> list[str]:
    """Returns a line for each finding: what it is about, its figures, and what it may come from."""
    return [f"{finding['about']}: {finding['why']} Likely cause: {finding['cause']}" for finding in findings]
