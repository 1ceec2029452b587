"""Typed views of a configuration."""

import enum
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Dict, List, Literal, Optional, Set, Tuple, Union

import pytest
from conftest import until

import coord


@pytest.fixture
def app(client, name):
    with client.config("shop", prefix=name + "config") as opened:
        yield opened


@dataclass
class Limits:
    carts: int = 100
    log: str = "info"


def small(limits):
    return limits.carts < 1000


def test_view_of_a_dataclass(app):
    app.batch({"carts": 5, "unknown": True})
    until(lambda: "carts" in app)
    view, told = app.view(Limits, validators=[small]), []
    assert view.value == Limits(5, "info") and view.value is view.value

    @view.on_change
    def changed(new, old):
        told.append((threading.current_thread(), new.carts, old.carts))

    app.set("carts", 6)
    until(lambda: view.value.carts == 6)
    assert told == []  # nothing runs but what is asked to
    assert app.poll() and told == [(threading.current_thread(), 6, 5)]
    assert not app.poll()
    app.set("unknown", False)
    until(lambda: app["unknown"] is False)
    assert not app.poll() and len(told) == 1


@pytest.mark.parametrize(
    "wrong, why", [("many", "carts is 'many': it must be a whole number"), (5000, "small says that"), (None, "carts is None")]
)
def test_a_rejected_change_keeps_the_last_good_value(app, caplog, wrong, why):
    app.set("carts", 5)
    until(lambda: "carts" in app)
    view, told = app.view(Limits, validators=[small]), []
    app.on_reject(told.append)
    revision = app.set("carts", wrong)
    until(lambda: app["carts"] == wrong)
    assert view.value == Limits(5) and why in view.rejected.reason and view.rejected.revision == revision
    assert app.poll() and told == [view.rejected] and why in caplog.text
    app.batch({"log": "debug"})
    until(lambda: "log" in app)
    assert view.value == Limits(5)  # as a whole
    app.set("carts", 7)
    until(lambda: view.value == Limits(7, "debug"))
    assert view.rejected is None


def test_what_is_no_json_is_rejected(app, client, name):
    app.set("carts", 5)
    until(lambda: "carts" in app)
    told = []
    app.on_reject(told.append)
    client.put(f"{name}config/shop/carts", "{no")
    until(lambda: app.poll(0.1) and told)
    assert told[0].what == "" and "no JSON" in told[0].reason and app["carts"] == 5
    with pytest.raises(coord.Invalid, match="'carts' is no JSON"):
        app.get("carts").value


def test_the_first_content_is_wrong(app):
    app.set("carts", "x")
    until(lambda: "carts" in app)
    with pytest.raises(coord.Invalid, match="view Limits: carts is 'x'"):
        app.view(Limits)
    view = app.view(Limits, default=Limits(1))
    assert view.value == Limits(1) and view.rejected
    with pytest.raises(coord.Invalid, match="nothing is missing"):
        app.view(int, "nothing")
    one = app.view(int, "nothing", default=3, validators=[lambda n: n > 0])
    assert one.value == 3
    app.set("nothing", 4)
    until(lambda: one.value == 4)
    app.set("nothing", -4)
    until(lambda: one.rejected)
    assert one.value == 4
    app.delete("nothing")
    until(lambda: one.value == 3)
    with pytest.raises(TypeError, match="dataclass"):
        app.view(int)


class Color(enum.Enum):
    RED = "red"


@dataclass
class Http:
    port: int
    hosts: List[str] = field(default_factory=list)


@dataclass
class Everything:
    http: Http
    ratio: float
    color: Color
    level: Literal["low", "high"]
    pause: timedelta
    sizes: Dict[str, int]
    pair: Tuple[int, str]
    tags: Set[str]
    either: Union[int, List[int]]
    maybe: Optional[str] = None
    some: Any = None


def test_types(app):
    good = {
        "http.port": 80, "http.hosts": ["a"], "ratio": 1, "color": "red", "level": "low", "pause": 1.5, "sizes": {"a": 1},
        "pair": [1, "x"], "tags": ["a", "a"], "either": [1], "maybe": None, "some": {"x": 1},
    }  # fmt: skip
    app.batch(good)
    until(lambda: len(app) == len(good))
    view = app.view(Everything)
    assert view.value == Everything(
        Http(80, ["a"]), 1.0, Color.RED, "low", timedelta(seconds=1.5), {"a": 1}, (1, "x"), {"a"}, [1], None, {"x": 1}
    )
    assert isinstance(view.value.ratio, float)
    for key, wrong, why in (
        ("http.port", "80", "http.port is '80'"), ("http.hosts", [1], r"http.hosts[0] is 1"), ("ratio", True, "ratio is True"),
        ("color", "blue", "'red'"), ("level", "mid", "'low', 'high'"), ("pause", "1", "a number of seconds"),
        ("sizes", {"a": "x"}, "sizes.a"), ("pair", [1], "an array of 2"), ("tags", "a", "an array"),
        ("either", "x", "a whole number or an array"), ("maybe", 1, "a string or null"),
    ):  # fmt: skip
        app.set(key, wrong)
        until(lambda: view.rejected is not None)
        assert why in view.rejected.reason, key
        app.set(key, good[key])
        until(lambda: view.rejected is None)
    http = app.view(Http, prefix="http.")
    assert http.value == Http(80, ["a"])
    app.set("all", Everything(Http(1), 0.5, Color.RED, "high", 0, {}, (1, ""), set(), 1))
    assert app.get("all").value["color"] == "red"
    with pytest.raises(TypeError, match="has no place in JSON"):
        app.set("x", object())
    with pytest.raises(TypeError, match="cannot be read from JSON"):
        app.view(threading.Thread, "x")


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.10")
def test_new_style_unions(app):
    view = app.view(eval("int | None"), "n", default=None)
    app.set("n", 3)
    until(lambda: view.value == 3)


def test_pydantic(app):
    pydantic = pytest.importorskip("pydantic")

    class Flags(pydantic.BaseModel):
        dark: bool = False
        limit: int = pydantic.Field(5, gt=0)

    view = app.view(Flags)
    app.batch({"dark": True, "limit": 7})
    until(lambda: view.value == Flags(dark=True, limit=7))
    app.set("limit", -1)
    until(lambda: view.rejected is not None)
    assert view.value.limit == 7
    app.set("flags", view.value)
    assert app.get("flags").value == {"dark": True, "limit": 7}
