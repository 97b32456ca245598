"""What an invocation printed: objects of JSON, and sums of metrics."""

from tally.local.watch import lines_of, metrics_of

RECORD = {
    "_aws": {
        "CloudWatchMetrics": [
            {"Metrics": [{"Name": "EventsApplied"}, {"Name": "SwapsLost"}]},
            {"Metrics": [{"Name": "EventsApplied"}]},
        ]
    },
    "EventsApplied": [3.0, 4.0],
    "SwapsLost": [1.0],
}


def test_only_objects_of_json_are_lines():
    output = 'Traceback\n{"action": "told"}\n7\n[{}]\n{}\n\n{"half'
    assert lines_of(output) == [{"action": "told"}]
    assert lines_of("") == []


def test_a_metric_is_added_up_once_however_many_directives_name_it():
    assert metrics_of(RECORD) == {"EventsApplied": 7, "SwapsLost": 1}


def test_another_line_has_no_metrics():
    assert metrics_of({"level": "INFO", "EventsApplied": [3.0]}) == {}
