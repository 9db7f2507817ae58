"""Small networks of every wiring, for tests that have to hold for all of them."""

from dataclasses import replace

from ffstream import PLAIN, Field, FieldsConfig, LayerConfig, NetworkConfig, ReadoutConfig, VideoConfig

NETWORK = NetworkConfig(inputs=12, classes=4, units=(30, 20, 10), batch=10, memory=150)
TABLE = replace(NETWORK, standardize=True)
JOINT = replace(NETWORK, readout=ReadoutConfig(joint=True))
SEQUENCE = replace(NETWORK, inputs=5, encoding="symbols", negatives="generated_symbols")

FIELDS = FieldsConfig(4, 1, (Field(4, 4, 3, tile=2), Field(3, 6, 2)))
LOCAL = replace(NETWORK, inputs=16, units=FIELDS.units, fields=FIELDS)
MAPS = FieldsConfig(4, 1, (Field(4, 4, 3, shared=True), Field(2, 6, 3, 2, shared=True), Field(1, 10, 2)))
CONVOLUTIONAL = replace(NETWORK, inputs=16, units=MAPS.units, fields=MAPS)

RECURRENT = replace(NETWORK, units=(20, 15), layer=LayerConfig(rate=0.1, directions=8), video=VideoConfig(ticks=2, read=(1, 2)))
RECURRENT_LOCAL = replace(LOCAL, layer=RECURRENT.layer, video=RECURRENT.video)
CLIPS = replace(RECURRENT, layer=PLAIN, video=VideoConfig(ticks=2, clip=2, read=(1, 2), lanes=1))
