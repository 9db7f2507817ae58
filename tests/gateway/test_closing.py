import threading

from ffstream_gateway.service import State


def test_closing_is_the_last_state(gateway, frames, wait_until):
    learning = gateway.hold("wake")
    app = gateway.open()
    app.accepted(frames[0][:25], frames[1][:25])
    assert learning.reached.wait(10)
    closing = threading.Thread(target=app.service.close)
    closing.start()
    wait_until(lambda: app.service.state is State.CLOSING)
    assert not app.service.accepts
    learning.open()
    closing.join(20)
    assert app.service.state is State.CLOSING
    assert app.stream.progress.frames == 25


def test_a_sleep_is_refused_at_once_when_closing(gateway, refused):
    app = gateway.open().settle()
    app.close()
    refused(app.http.post("/sleep"), 503, "closing")
    refused(app.http.post("/snapshots"), 503, "closing")
