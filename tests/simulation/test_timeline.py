"""The timeline of a run: that it comes to an end, whatever its threads do."""

from concurrent.futures import ThreadPoolExecutor

from tests.simulation.timeline import Timeline


def test_a_thread_that_nobody_wakes_is_a_violation_and_no_hang():
    timeline = Timeline()
    with ThreadPoolExecutor(2) as executor:
        timeline.act(executor, lambda actor: actor.sleep_until(3.0))
        timeline.act(executor, lambda actor: actor.park())
        timeline.play()
    assert str(timeline.guard.error) == "1 threads wait for ever"
    assert timeline.now_s == 3.0
