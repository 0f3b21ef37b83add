"""The error that every rule raises."""


class RefusedError(Exception):
    """What KFP says no to.

    Attributes:
        rule: the Go function that says so, with its package.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule
