"""What ninja prints before each step: `[17/98] ` by default, whatever NINJA_STATUS says otherwise.

The format is known where the variable is; the usual ones are distinguished by the lines themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

STATUS_CHARACTERS = 200
"""No longer format is read."""


@dataclass(frozen=True, slots=True)
class StepCount:
    """What one status says; `done` and `total` are absent where one line cannot tell, `percent` is 0..100."""

    done: int | None
    total: int | None
    percent: float | None
    step: str


def counted(done: int, total: int, step: str) -> StepCount:
    """A status that says both."""
    return StepCount(done, total, percent_of(done, total), step)


_NUMBER = {"s": "started", "t": "total", "r": "running", "u": "unstarted", "f": "finished"}
_OTHER = {"p": r" *(?P<percent>\d{1,3})%", "P": r" *\d{1,3}%", "%": "%"}
_RATE = r" *[\d.:?hms]+"
"""`%o`, `%c`, `%e` and what later versions added: rates and times."""

_PAIR = re.compile(r"\[ *(?:[\d.:]+[%s]? +){0,2}(\d+)/(\d+)(?:[ ,:|-][^\]\[]{0,30})?\] ?(.*)")
_TRIPLE = re.compile(r"\[ *(\d+)/(\d+)/(\d+)(?: [^\]\[]{0,30})?\] ?(.*)")
_PERCENT_OF = re.compile(r" {0,2}(\d{1,3})% \((\d+) of (\d+)\) (.*)")
_ASSIGNED = re.compile(r"""\bNINJA_STATUS=(?:'([^']*)'|"([^"]*)"|(\S+))""")


def find_status(command: Sequence[str], environment_value: str | None) -> str | None:
    """The format that a command sets itself, else that of its environment."""
    for before, word in zip(("", *command), command, strict=False):
        is_script = before.startswith("-") and before.endswith("c")
        if word.startswith("NINJA_STATUS=") and not is_script:
            return word.partition("=")[2]
        if match := _ASSIGNED.search(word):
            return next(value for value in match.groups() if value is not None)
    return environment_value


class NinjaStatus:
    """Reads statuses of one build; remembers as much as telling them apart needs.

    Args:
        status: NINJA_STATUS where it is known, None where it is not or is not set.
    """

    def __init__(self, status: str | None = None) -> None:
        self._pattern = _pattern(status) if status else None
        self._triple: tuple[int, int] | None = None
        self._finished = 0
        self.is_own = self._pattern is not None
        """Whether the format is a known one, so that any line may be a status."""

    def place(self) -> tuple[tuple[int, int] | None, int]:
        """What is remembered of earlier lines, to read some of them again."""
        return self._triple, self._finished

    def go_back(self, place: tuple[tuple[int, int] | None, int]) -> None:
        """Forget what was read since."""
        self._triple, self._finished = place

    def read(self, text: str) -> StepCount | None:
        """What the status at the beginning of this line says; None when there is none."""
        if self._pattern is not None and (match := self._pattern.match(text)):
            return self._by_fields(match)
        if text.startswith("["):
            if match := _TRIPLE.match(text):
                done, total = self._settle(int(match[1]), int(match[2]), int(match[3]))
                return StepCount(done, total, percent_of(done, total), match[4])
            if (match := _PAIR.match(text)) and int(match[1]) <= int(match[2]):
                return counted(int(match[1]), int(match[2]), match[3])
        elif (match := _PERCENT_OF.match(text)) and int(match[3]):
            done, total = int(match[2]), int(match[3])
            if done <= total and int(match[1]) == 100 * done // total:
                return counted(done, total, match[4])
        return None

    def _by_fields(self, match: re.Match[str]) -> StepCount | None:
        fields = match.groupdict()
        number = {name: int(text) for name, text in fields.items() if text is not None and name != "step"}
        finished, total = number.get("finished"), number.get("total")
        running, unstarted, started = number.get("running"), number.get("unstarted"), number.get("started")
        if total is None and started is not None and unstarted is not None:
            total = started + unstarted
        elif total is None and finished is not None and running is not None and unstarted is not None:
            total = self._sum(unstarted, running, finished)
        begun = started
        if begun is None and total is not None and unstarted is not None:
            begun = total - unstarted
        if finished is None and begun is not None and running is not None:
            # A step counts as running until after its status is printed.
            finished = max(0, begun - running + 1)
        done = finished if finished is not None else begun
        if done is None or total is None:
            percent = number.get("percent")
            return StepCount(None, None, None if percent is None else float(percent), fields["step"] or "")
        return counted(done, total, fields["step"] or "") if done <= total else None

    def _sum(self, unstarted: int, running: int, finished: int) -> int:
        """The total behind `%u/%r/%f`: the step that just finished is counted twice."""
        just_finished = finished > self._finished
        self._finished = finished
        return unstarted + running + finished - just_finished

    def _settle(self, first: int, running: int, third: int) -> tuple[int | None, int | None]:
        """Read `[102/16/4259]`: `%f/%r/%t` counts up to a fixed total, `%u/%r/%f` counts unstarted steps down.

        One line tells only where more are left than done; two lines always can. Until then the numbers are absent.
        """
        before, self._triple = self._triple, (first, third)
        if first > third or (before is not None and third > before[1] and first <= before[0]):
            return third, self._sum(first, running, third)
        if before is not None and third == before[1] and first > before[0]:
            return first, third
        return None, None


def _pattern(status: str) -> re.Pattern[str] | None:
    """The lines with this status; None for one that counts nothing."""
    parts, seen = [], set[str]()
    for text, place in re.findall(r"([^%]*)%?(.?)", status[:STATUS_CHARACTERS], re.DOTALL):
        parts.append(re.escape(text))
        name = _NUMBER.get(place)
        if not place:
            continue
        if place in seen and place != "%":
            parts.append(r" *[\d.:%]+")
        elif name is not None:
            parts.append(rf" *(?P<{name}>\d+)")
        else:
            parts.append(_OTHER.get(place, _RATE))
        seen.add(place)
    if not seen & {"f", "p", "s", "u"}:
        return None
    return re.compile("".join(parts) + r"(?P<step>.*)")


def percent_of(done: int | None, total: int | None) -> float | None:
    """Percent done, at most 100, to one digit; None where it cannot be known."""
    return None if done is None or not total else round(100.0 * min(done, total) / total, 1)
