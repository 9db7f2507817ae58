"""What counts as all layers working at once."""

from benchmarks.timed import Step, share_of_full_ticks, works


def schedule(lanes, ticks=8, events=12, layers=3, barrier=False):
    """Steps of layers that take one second each and start as soon as they can; with a barrier all wait for the slowest."""
    ended, free = {}, [0.0] * layers
    steps = [[] for _ in range(layers)]
    order = [((event, tick, lane)) for event in range(events) for tick in range(ticks + 1) for lane in range(lanes)]
    for event, tick, lane in order:
        start = max(free) if barrier else 0.0
        for layer in range(layers):
            near = [(layer - 1, tick)] if tick == 0 else [(layer - 1, tick - 1), (layer + 1, tick - 1)]
            needed = [ended.get((other, event, before, lane), 0.0) for other, before in near]
            began = max(free[layer], start, *needed)
            steps[layer].append(Step((event, tick, lane), began, began + 1, 1.0))
            ended[layer, event, tick, lane] = free[layer] = began + 1
    return steps


def test_two_lanes_keep_every_layer_at_work():
    assert share_of_full_ticks(schedule(lanes=2)) == 1.0


def test_one_lane_waits_for_its_own_first_pass():
    assert share_of_full_ticks(schedule(lanes=1)) < 0.7


def test_a_wait_for_the_processor_is_work():
    """Late as it begins, a step that could have been made is work from then on."""
    steps = schedule(lanes=2)
    late = [[step._replace(began=step.ended - 0.1) for step in layer] for layer in steps]
    assert share_of_full_ticks(late) == 1.0


def test_work_begins_when_the_neighbours_have_shown_their_states():
    below = [Step((0, 0, 0), 0.0, 1.0, 1.0), Step((0, 1, 0), 5.0, 6.0, 1.0)]
    above = [Step((0, 0, 0), 3.0, 4.0, 1.0), Step((0, 1, 0), 4.5, 5.0, 1.0)]
    first, second = works([below, above])
    assert [tuple(each) for each in first] == [(0.0, 1.0), (4.0, 6.0)]
    assert [tuple(each) for each in second] == [(3.0, 4.0), (4.0, 5.0)]


def test_a_layer_that_is_left_waiting_is_noticed():
    steps = schedule(lanes=2, layers=2)
    shifted = [steps[0], [step._replace(began=step.began + 3, ended=step.ended + 3) for step in steps[1]]]
    assert share_of_full_ticks(shifted) < 0.9
