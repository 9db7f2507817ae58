"""What a service answers, for servers that only pretend to be one."""

FED = {"first": 1, "last": 2, "frames": 2, "repeated": False, "waiting": 2}

STATUS = {
    "state": "ready",
    "seq": 3,
    "accepted": 2,
    "frames": 2,
    "through": 2,
    "waiting": 0,
    "labelled": 1,
    "phase": "wake",
    "accuracy": None,
    "accuracy_overall": 0.5,
    "dreams": 0,
    "sleeps": 0,
    "frames_per_second": 12,
    "reader_seq": 3,
    "layers": [{"layer": 1, "positive": {"goodness": 1.5, "p_positive": 0.9, "taught": 1}, "negative": None}],
    "network": {"inputs": 4, "classes": 3},
    "version": "0.1.0",
    "error": None,
}
