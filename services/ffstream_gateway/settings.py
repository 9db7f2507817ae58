"""Settings of the service: flags win over the environment (``FFSTREAM_*``), that over a TOML file, that over the defaults."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ByteSize, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from ffstream.errors import ConfigError
from ffstream.schedule import LONGEST_CYCLE

DEFAULT_FILE = Path("ffstream.toml")
NEVER = ("never", "none", "")
TABLES = {
    "devices": '{"layers": "cuda"}',
    "resources": '{"layer-0": {"GPU": 1}}',
    "network": '{"layer": {"blocks": 4}}',
    "models": '{"letters": {"task": "sequence"}}',
}
"""Settings that are JSON in a flag or a variable, with an example."""


class Settings(BaseSettings):
    """What ``ffstream serve`` can be told; the command's help says what each one is."""

    model_config = SettingsConfigDict(env_prefix="FFSTREAM_", extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    folder: Path = Path("ffstream-data")
    keys: Path | None = None
    open_metrics: bool = False
    chain: Literal["ray", "in-process"] = "ray"
    devices: Annotated[dict[str, str], NoDecode, Field(default_factory=dict)]
    placement: Literal["pack", "spread"] = "pack"
    resources: Annotated[dict[str, dict[str, float]], NoDecode, Field(default_factory=dict)]
    node_ip: str | None = None
    network: Annotated[dict[str, Any], NoDecode, Field(default_factory=dict)]
    models: Annotated[dict[str, dict[str, Any]], NoDecode, Field(default_factory=dict)]
    readers: int = Field(0, ge=0, le=256)
    task: Literal["frames", "sequence", "unsupervised"] = "frames"
    alphabet: str = "letters"
    context: int = Field(10, ge=1)
    like: str | None = None
    inputs: int = Field(64, ge=1)
    classes: int = Field(10, ge=2)
    max_classes: int | None = Field(None, ge=2)
    units: Annotated[tuple[Annotated[int, Field(ge=1)], ...], NoDecode, Field(min_length=1)] = (500, 500)
    batch: int = Field(25, ge=1)
    seed: int = Field(0, ge=0)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    standardize: bool = False
    ticks: int | None = Field(None, ge=1)
    clip: int = Field(1, ge=1)
    every: int | None = Field(125, ge=1)
    idle: float | None = Field(5.0, gt=0, allow_inf_nan=False)
    dreams_per_frame: float = Field(1.0, gt=0, le=100)
    cycle: int = Field(0, ge=0, le=LONGEST_CYCLE)
    enough: float | None = Field(None, gt=0, lt=1)
    drift: Literal["tell", "sleep", "forget"] | None = "tell"
    backlog: int = Field(20_000, ge=1)
    max_body: ByteSize = ByteSize(64 << 20)
    label_lifetime: int = Field(10_000, ge=1)
    snapshot_every: int | None = Field(1000, ge=1)
    snapshots_kept: int = Field(3, ge=1)
    archive: str | None = None
    power_safe: bool = False
    drain_seconds: float = Field(60.0, ge=0)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"

    @property
    def keys_file(self) -> Path:
        """The file of the keys: in the folder, unless another one is named."""
        return self.keys or self.folder / "keys.json"

    @field_validator("units", mode="before")
    @classmethod
    def _split(cls, units: Any) -> Any:
        if not isinstance(units, str):
            return units
        widths = [part.strip() for part in units.split(",")]
        if not all(width.isdecimal() and int(width) for width in widths):
            raise ValueError("expected widths above 0, like 500,500")
        return widths

    @field_validator(*TABLES, mode="before")
    @classmethod
    def _read(cls, table: Any, told: ValidationInfo) -> Any:
        try:
            return json.loads(table) if isinstance(table, str) else table
        except ValueError as error:
            raise ValueError(f"expected JSON like {TABLES[str(told.field_name)]}") from error

    @field_validator("every", "idle", "enough", "drift", "snapshot_every", "ticks", "max_classes", "archive", mode="before")
    @classmethod
    def _never(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.lower() in NEVER else value

    @classmethod
    def load(cls, flags: dict[str, Any], file: Path | None = None) -> Self:
        """Settings from everywhere they may come from.

        Args:
            flags: those given explicitly.
            file: TOML file; None for ``$FFSTREAM_SETTINGS``, or ``ffstream.toml`` when there is one.

        Raises:
            ConfigError: in one line, naming the setting.
        """
        named = file or (Path(os.environ["FFSTREAM_SETTINGS"]) if "FFSTREAM_SETTINGS" in os.environ else None)
        if named is not None and not named.is_file():
            raise ConfigError(f"settings file {named}: not there")

        class Loaded(cls):  # type: ignore[misc, valid-type]
            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                **_: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, named or DEFAULT_FILE)

        try:
            return Loaded(**flags)
        except ValidationError as error:
            raise ConfigError("; ".join(tell(each) for each in error.errors())) from error
        except ValueError as error:
            raise ConfigError(f"settings file {named or DEFAULT_FILE}: {error}") from error


def tell(error: Any, *within: str) -> str:
    """What pydantic finds wrong with a setting, ``within`` a table if it is in one."""
    place = ".".join(map(str, (*within, *error["loc"])))
    return f"setting {place}: got {error['input']!r}: {error['msg'].removeprefix('Value error, ')}"
