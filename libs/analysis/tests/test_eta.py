"""When a build will be over: better than counting steps where the log knows them, no worse where it does not."""

from build_analysis.eta import Forecast, PastBuild, linear_ms
from build_analysis.ninja_files import BuiltOutput, steps_of
from build_analysis.step_graph import Followers, StepGraph


def run(*durations_ms: int, slowness: float = 1.0) -> list[BuiltOutput]:
    """Steps s0, s1, ... one after the other."""
    entries, at = [], 0.0
    for number, duration in enumerate(durations_ms):
        entries.append(BuiltOutput(f"s{number}", round(at), round(at + duration * slowness), f"h{number}"))
        at += duration * slowness
    return entries


def asked_after(done: int, past: list[BuiltOutput], now: list[BuiltOutput], since_ms: int = 0) -> int | None:
    forecast = Forecast(PastBuild(past))
    forecast.finish(steps_of(now[:done]))
    return forecast.remaining_ms(done, len(now), (now[done - 1].ended_ms if done else 0) + since_ms)


def test_long_step_at_the_end_is_expected() -> None:
    """Ten short compiles and one long link: nearly all of the time is left when nearly all steps are done."""
    durations = [100] * 10 + [9000]

    assert 9000 == asked_after(10, run(*durations), run(*durations))
    assert 100 == linear_ms(10, 11, 1000)


def test_slower_machine_is_noticed() -> None:
    """When the steps that both builds ran take twice as long, so will the rest."""
    durations = [500] * 40
    left = asked_after(20, run(*durations), run(*durations, slowness=2.0))

    assert left is not None
    assert 17_000 < left <= 20_000


def test_time_runs_while_nothing_finishes() -> None:
    """Between two steps the forecast falls with the clock, and never to nothing while a step is missing."""
    durations = [1000] * 4

    assert 1500 == asked_after(2, run(*durations), run(*durations), since_ms=500)
    late = asked_after(3, run(*durations), run(*durations), since_ms=60_000)
    assert late is not None
    assert late > 0


def test_part_of_the_build_takes_as_its_kind() -> None:
    """Few steps of a large build that is known: their number and what steps take on average is what there is."""
    left = asked_after(2, run(*[1000] * 200), run(*[1000] * 8))

    assert left is not None
    assert 5000 < left < 7000


def test_graph_tells_which_steps_an_incremental_build_has_left() -> None:
    """One compile of fifty: what is left is its archive and the long link, not two steps of average length."""
    graph = "build s0: CXX\nbuild s50: AR s0\nbuild s51: LINK s50\n"
    past = run(*[1000] * 50, 100, 30_000)
    forecast = Forecast(PastBuild(past), lambda: Followers(StepGraph(graph)))
    forecast.finish(steps_of(run(1000)))

    assert 30_100 == forecast.remaining_ms(1, 3, 1000)


def test_running_steps_count_as_running_at_once() -> None:
    """With as many steps under way as before, an incremental build is expected to go on so."""
    past = run(*[1000] * 100)
    forecast = Forecast(PastBuild(past))
    forecast.finish(steps_of([BuiltOutput(f"s{n}", n // 4 * 1000, n // 4 * 1000 + 1000, str(n)) for n in range(8)]))

    assert 3000 == forecast.remaining_ms(8, 20, 2000)


def test_without_an_earlier_build_steps_are_counted() -> None:
    """Nothing known: linear; at the very beginning nothing is said; at the end nothing is left."""
    forecast = Forecast(None)

    assert 3000 == forecast.remaining_ms(25, 100, 1000)
    assert forecast.remaining_ms(0, 100, 1000) is None
    assert forecast.remaining_ms(1, 100, 1000) is None
    assert 0 == forecast.remaining_ms(100, 100, 1000)
    assert 3000 == Forecast(PastBuild([])).remaining_ms(25, 100, 1000)
