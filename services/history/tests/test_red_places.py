"""Red places: where a failure is red now, beside the branch that one looks at."""

from build_history.projections.red_places import CONFIGS_MAX, PLACES_MAX, red_places
from build_protocol.incidents import Evidence, Face, IncidentState, Member


def incident(number, *signatures, project="p", state="open", configs=("release",), recovered=()):
    build_id = f"018bce21-bf00-7995-ac65-{number:012x}"
    evidence = Evidence(build_id=build_id, config=configs[0], started_at=number)
    return IncidentState(
        id=f"incident-{number}",
        project=project,
        branch="main",
        revision=1,
        state=state,
        opened_at=number,
        first_started_at=number,
        faces=[Face(signature=signature, evidence=evidence) for signature in signatures],
        members=[
            Member(
                config=config,
                first_build=build_id,
                joined_at=number,
                last_build=build_id,
                last_red_at=number,
                recovered_at=number + 1 if config in recovered else None,
            )
            for config in configs
        ],
        transitions=[],
    )


def test_a_failure_is_red_where_an_open_incident_shows_it_in_any_face():
    """The oldest first, with the configs that are red still; another signature and a closed incident are none."""
    found = red_places(
        "s",
        [
            incident(3, "other", "s", project="farm", configs=("b", "a", "c"), recovered=("c",)),
            incident(1, "s"),
            incident(2, "other"),
            incident(4, "s", state="closed"),
        ],
    )

    assert [("incident-1", "p", ["release"]), ("incident-3", "farm", ["a", "b"])] == [
        (place.incident, place.project, place.configs) for place in found
    ]


def test_the_answer_is_bounded():
    """Of many farms and many configs the first ones."""
    names = tuple(f"config-{n:03}" for n in range(100))

    found = red_places("s", [incident(n, "s", configs=names) for n in range(1, 100)])

    assert len(found) == PLACES_MAX
    assert len(found[0].configs) == CONFIGS_MAX
