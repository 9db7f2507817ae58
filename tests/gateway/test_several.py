"""Several models in one service: each by its name, the first one without, and none that knows of the others."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ffstream.errors import ConfigError
from ffstream_gateway.keys import Scope, add
from ffstream_gateway.settings import Settings
from ffstream_gateway.several import create_service, settings_by_model
from tests.gateway.conftest import BASE, NPY, body
from tests.patience import until

FRAMES = np.random.default_rng(0).integers(0, 255, (30, 64), dtype=np.uint8)
LABELS = np.arange(30) % 10
MODELS = {"digits": {"batch": 10}, "letters": {"task": "sequence", "units": "60,50", "every": 200}}


def settings(folder: Path, models: dict[str, Any], **flags: Any) -> Settings:
    return Settings.load({**BASE, "folder": folder, "models": models, **flags})


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts a service; it is closed after the test, or with the next one."""
    opened: list[TestClient] = []

    def close() -> None:
        while opened:
            opened.pop().__exit__(None, None, None)

    def start(models: dict[str, Any] = MODELS, **flags: Any) -> TestClient:
        close()
        service = create_service(settings(tmp_path / "data", models, **flags))
        opened.append(TestClient(service, raise_server_exceptions=False, headers={"host": "127.0.0.1"}).__enter__())
        return opened[-1]

    yield start
    close()


def feed(http: TestClient, path: str, frames: Any = FRAMES, labels: Any = LABELS) -> Any:
    answer = http.post(f"{path}/feed", content=body(NPY, frames, labels), headers={"content-type": NPY})
    assert answer.status_code == 202, answer.text
    return answer.json()


def learned(http: TestClient, path: str) -> dict[str, Any]:
    def at_rest() -> dict[str, Any] | None:
        status: dict[str, Any] = http.get(f"{path}/status").json()
        return status if status["state"] == "ready" and status["frames"] == status["accepted"] else None

    found: dict[str, Any] = until(at_rest)
    return found


def test_each_learns_what_it_is_fed_and_the_first_needs_no_name(serve: Callable[..., TestClient]) -> None:
    http = serve()
    feed(http, "/models/digits", FRAMES[:10], LABELS[:10])
    feed(http, "", FRAMES[10:], LABELS[10:])
    told = http.post("/models/letters/feed", content=b"the fox and the grapes " * 20, headers={"content-type": "text/plain"})
    assert told.status_code == 202
    assert learned(http, "")["frames"] == learned(http, "/models/digits")["frames"] == 30
    assert learned(http, "/models/letters")["frames"] == told.json()["frames"] == 23 * 20 - 10
    asked = {"content": body(NPY, FRAMES), "headers": {"content-type": NPY}}
    by_name, without = (http.post(f"{path}/classify", **asked).json() for path in ("/models/digits", ""))
    assert by_name == without
    assert http.post("/models/letters/predict", json={"text": "and the gra"}).status_code == 200
    assert http.post("/predict", json={"text": "and the gra"}).status_code == 404


def test_the_list_of_models(serve: Callable[..., TestClient]) -> None:
    http = serve()
    for name in MODELS:
        learned(http, f"/models/{name}")
    listed = http.get("/models").json()
    assert listed == http.get("/models/letters/models").json()
    assert [(each["name"], each["path"], each["default"], each["task"]) for each in listed] == [
        ("digits", "/models/digits", True, "frames"),
        ("letters", "/models/letters", False, "sequence"),
    ]
    assert {each["state"] for each in listed} == {"ready"}


def test_one_model_has_a_name_too(serve: Callable[..., TestClient]) -> None:
    http = serve({})
    assert http.get("/status").json()["network"] == http.get("/models/ffstream/status").json()["network"]
    assert [each["name"] for each in http.get("/models").json()] == ["ffstream"]


@pytest.mark.parametrize("path", ["/models/other", "/models/other/feed", "/models/digit/feed", "/v2/models/other"])
def test_a_model_that_there_is_not(serve: Callable[..., TestClient], path: str) -> None:
    answer = serve().get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:ffstream:problem:unknown-model")
    assert answer.json()["detail"].startswith("model: got ")
    assert ("error" in answer.json()) is path.startswith("/v2")


def test_the_open_inference_protocol_knows_them_by_name(serve: Callable[..., TestClient]) -> None:
    http = serve()
    tensor = {"name": "frames", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}
    answer = http.post("/v2/models/digits/infer", json={"inputs": [tensor]})
    assert (answer.status_code, answer.json()["model_name"]) == (200, "digits")
    assert http.get("/v2/models/letters").json()["inputs"][0]["datatype"] == "UINT8"
    assert http.get("/models/letters/v2/models/letters/ready").json() == {"ready": True, "name": "letters"}
    refused = http.get("/models/letters/v2/models/digits")
    assert (refused.status_code, refused.json()["error"]) == (404, "model: got digits, expected letters")


def test_pages_and_documents_are_those_of_their_model(serve: Callable[..., TestClient]) -> None:
    http = serve()
    assert http.get("/models/letters", follow_redirects=False).headers["location"].endswith("/models/letters/")
    assert http.get("/models/letters/page/main.js").text == http.get("/page/main.js").text
    document = http.get("/models/letters/openapi.json").json()
    assert document["servers"][0]["url"] == "/models/letters"
    assert "/predict" in document["paths"]
    assert "/predict" not in http.get("/openapi.json").json()["paths"]
    assert "ffstream_classes 30.0" in http.get("/models/letters/metrics").text
    assert "ffstream_classes 10.0" in http.get("/metrics").text


def test_sockets_below_a_name(serve: Callable[..., TestClient]) -> None:
    http = serve()
    with http.websocket_connect("/models/digits/feed") as socket:
        socket.receive_json()
        socket.send_text(json.dumps({"frame": [0.5] * 64, "label": 1}))
        assert socket.receive_json()["frames"] == 1
    with pytest.raises(WebSocketDisconnect), http.websocket_connect("/models/other/feed"):
        pass
    assert learned(http, "")["frames"] == 1


def test_keys_hold_for_all_and_no_detour_leads_past_them(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    key = add(tmp_path / "data" / "keys.json", "asker", [Scope.CLASSIFY])
    http = serve()
    bearer = {"authorization": f"Bearer {key}"}
    for path in ("", "/models/digits", "/models/letters"):
        assert http.get(f"{path}/status").status_code == 401
        assert http.get(f"{path}/status", headers=bearer).status_code == 200
        for closed in ("/metrics", "/models/letters/metrics", "/livez/../metrics", "/v2/metrics"):
            assert http.get(f"{path}{closed}", headers=bearer).status_code in (403, 404), (path, closed)
        assert http.post(f"{path}/sleep", headers=bearer).status_code == 403
    assert http.get("/livez").status_code == http.get("/models/letters/livez").status_code == 200


def test_a_model_with_keys_of_its_own(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    all_others = add(tmp_path / "data" / "keys.json", "all", [Scope.ADMIN])
    own = add(tmp_path / "own.json", "own", [Scope.ADMIN])
    http = serve({"digits": {}, "closed": {"keys": str(tmp_path / "own.json")}})
    for path, opens, others in (
        ("/models/closed", own, all_others),
        ("/models/digits", all_others, own),
        ("", all_others, own),
    ):
        assert http.get(f"{path}/status", headers={"authorization": f"Bearer {opens}"}).status_code == 200
        assert http.get(f"{path}/status", headers={"authorization": f"Bearer {others}"}).status_code == 401
    assert http.get("/v2/models/closed", headers={"authorization": f"Bearer {all_others}"}).status_code == 401


def test_each_goes_on_from_its_own_folder(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    http = serve()
    feed(http, "/models/digits")
    learned(http, "/models/digits")
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == ["digits", "letters"]
    http = serve()
    assert learned(http, "/models/digits")["frames"] == 30
    assert learned(http, "/models/letters")["frames"] == 0


def test_what_a_table_says_and_what_all_have_in_common(tmp_path: Path) -> None:
    found = settings_by_model(settings(tmp_path, {"a": {}, "b": {"units": [7], "folder": "elsewhere"}}, seed=3))
    assert (found["a"].units, found["b"].units) == ((40, 40), (7,))
    assert (found["a"].folder, found["b"].folder) == (tmp_path / "a", Path("elsewhere"))
    assert [each.seed for each in found.values()] == [3, 3]
    assert {each.keys_file for each in found.values()} == {tmp_path / "keys.json"}
    assert "batch" not in found["a"].model_fields_set
    archived = settings_by_model(settings(tmp_path, {"a": {}, "b": {"archive": "memory://b"}}, archive="memory://all/"))
    assert [each.archive for each in archived.values()] == ["memory://all/a", "memory://b"]


def test_tables_in_the_file_and_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "several.toml"
    file.write_text("batch = 5\n[models.letters]\ntask = 'sequence'\n[models.digits]\nbatch = 7\n")
    found = settings_by_model(Settings.load({}, file))
    assert [(name, each.task, each.batch) for name, each in found.items()] == [
        ("letters", "sequence", 5),
        ("digits", "frames", 7),
    ]
    monkeypatch.setenv("FFSTREAM_MODELS", '{"only": {"batch": 2}}')
    assert [each.batch for each in settings_by_model(Settings.load({}, file)).values()] == [2]
    monkeypatch.setenv("FFSTREAM_MODELS", "letters")
    with pytest.raises(ConfigError, match="setting models: got 'letters': expected JSON like"):
        Settings.load({})


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"A b": {}}, "setting models: got 'A b', expected a name of small letters"),
        ({"..": {}}, "setting models: got '..'"),
        ({"a": {"port": 1}}, "setting models.a.port: is the service's"),
        ({"a": {"models": {}}}, "setting models.a.models: is the service's"),
        ({"a": {"units": "x"}}, "setting models.a.units: got 'x': expected widths above 0"),
        ({"a": {"colour": 1}}, "setting models.a.colour: got 1"),
        ({"a": {}, "b": {"folder": "FOLDER/a"}}, "setting models.b.folder: is that of a"),
    ],
)
def test_tables_that_will_not_do(tmp_path: Path, models: dict[str, Any], message: str) -> None:
    for table in models.values():
        if "folder" in table:
            table["folder"] = table["folder"].replace("FOLDER", str(tmp_path))
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        create_service(settings(tmp_path, models))
