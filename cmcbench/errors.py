"""The two ways in which a run ends badly, and their exit codes."""


class BadInput(Exception):
    """What the user gave cannot be used, and nothing was done: exit code 2."""

    exit_code = 2


class RunFailed(Exception):
    """The run started and could not go on: exit code 1. What was finished before is kept."""

    exit_code = 1


class ImageProblem(Exception):
    """One picture cannot be used; the run goes on without it and lists it."""


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
