"""NVIDIA's client of the Open Inference Protocol asks a real service as it would ask a Triton or a KServe."""

import time

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from ffstream.classify import Method
from ffstream.client import Client
from ffstream_gateway.child import Child

NAME = "ffstream"


@pytest.fixture(scope="module")
def url(digits):
    with Child(["--chain", "in-process", "--units", "100,100"]) as child:
        with Client(child.url()) as client:
            client.ready(60)
            last = client.feed(digits.x[:1000], digits.y[:1000]).last
            while client.status().through < last or client.status().reader_seq < client.status().seq:
                time.sleep(0.05)
        yield child.url()


@pytest.fixture(scope="module")
def client(url):
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        yield client


def frames(x, datatype, binary=True):
    tensor = triton.InferInput("frames", x.shape, datatype)
    tensor.set_data_from_numpy(x, binary_data=binary)
    return [tensor]


def test_it_is_there_and_says_what_it_takes(client, url):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert not client.is_model_ready("another")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    told = client.get_model_metadata(NAME)
    assert told["inputs"] == [{"name": "frames", "datatype": "FP32", "shape": [-1, 64]}]
    found = client.infer(NAME, frames(np.zeros((3, 64), np.float32), "FP32"))
    for output in told["outputs"]:
        given = found.get_output(output["name"])
        assert given["datatype"] == output["datatype"]
        assert [-1 if want < 0 else got for got, want in zip(given["shape"], output["shape"], strict=True)] == output["shape"]


@pytest.mark.parametrize("binary", [True, False], ids=["raw", "json"])
@pytest.mark.parametrize("method", list(Method))
def test_it_answers_what_classify_answers(client, url, digits, method, binary):
    asked = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("scores", "label", "p_positive", "seq")]
    x = digits.x_held[:50]
    found = client.infer(NAME, frames(x, "UINT8", binary), outputs=asked, request_id="7", parameters={"method": method.value})
    with Client(url) as own:
        expected = own.classify(x, method.value)
    assert found.as_numpy("label").tolist() == expected.labels.tolist()
    np.testing.assert_array_equal(found.as_numpy("scores"), expected.scores.astype(np.float32))
    np.testing.assert_array_equal(found.as_numpy("p_positive"), expected.p_positive.astype(np.float32))
    assert found.as_numpy("seq").tolist() == [expected.seq]
    assert found.get_response()["parameters"] == {"method": method.value, "status": "live"}
    assert found.get_response()["id"] == "7"
    assert np.mean(found.as_numpy("label") == digits.y_held[:50]) > 0.5


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_every_type_of_number_says_the_same(client, digits, datatype):
    x = digits.x_held[:50]
    expected = client.infer(NAME, frames(x, "UINT8")).as_numpy("label")
    scaled = (x / 255).astype({"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}[datatype])
    found = client.infer(NAME, frames(scaled, datatype)).as_numpy("label")
    assert np.mean(found == expected) > 0.95


def test_only_what_is_asked_for(client, digits):
    found = client.infer(NAME, frames(digits.x_held[:2], "UINT8"), outputs=[triton.InferRequestedOutput("label")])
    assert [each["name"] for each in found.get_response()["outputs"]] == ["label"]


@pytest.mark.parametrize(
    ("name", "x", "parameters", "status", "said"),
    [
        ("another", np.zeros((1, 64), np.uint8), {}, "404", "got another, expected ffstream"),
        (NAME, np.zeros((1, 63), np.uint8), {}, "422", r"got \[1, 63\], expected \[n, 64\]"),
        (NAME, np.zeros((0, 64), np.uint8), {}, "422", "expected at least one"),
        (NAME, np.zeros((1, 64), np.uint8), {"method": "guess"}, "422", "parameters.method: got 'guess'"),
        (NAME, np.zeros((1, 64), np.uint8), {"shortlist": 0}, "422", "parameters.shortlist: got 0"),
    ],
)
def test_its_errors_say_what_is_wrong(client, name, x, parameters, status, said):
    with pytest.raises(InferenceServerException, match=said) as refused:
        client.infer(name, frames(x, "UINT8"), parameters=parameters)
    assert refused.value.status() == status
