"""Values of scenarios: what is written becomes a value, and what is expected is compared with what is there."""

OPERATORS = {"hex", "int", "gt", "ge", "lt", "ne", "has", "in"}


class Failed(Exception):
    """A step that is not as it shall be."""


class Skip(Exception):
    """What the binding has no place for."""


def operator(written):
    """The name of the operator that this map is; None: it is a plain value."""
    if isinstance(written, dict) and len(written) == 1:
        name = next(iter(written))
        return name if name in OPERATORS else None
    return None


def value_of(written, variables):
    """With variables and bytes filled in."""
    if isinstance(written, str) and written.startswith("$"):
        name = written[1:]
        if name.startswith("$"):
            return name
        if name not in variables:
            raise Failed(f"nothing was saved as {name}")
        return variables[name]
    if operator(written) == "hex":
        return bytes.fromhex(written["hex"])
    if operator(written) == "int":
        return int(written["int"])
    if isinstance(written, dict):
        return {name: one if name == "json" else value_of(one, variables) for name, one in written.items()}
    if isinstance(written, list):
        return [value_of(one, variables) for one in written]
    return written


def as_bytes(value):
    return value.encode() if isinstance(value, str) else value


def json_same(one, other):
    """Whether two JSON values are equal, whole. 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(json_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(json_same, one, other))
    return one == other


def _operated(name, operand, there, variables):
    if name == "ne":
        return not fits(operand, there, variables)
    if name == "in":
        return any(fits(one, there, variables) for one in operand)
    if name == "has" and isinstance(there, list):
        return any(fits(operand, one, variables) for one in there)
    operand = value_of(operand, variables)
    if name == "has":
        return isinstance(there, (str, bytes)) and as_bytes(operand) in as_bytes(there)
    if isinstance(there, bool) or not isinstance(there, int):
        return False
    return there > operand if name == "gt" else there >= operand if name == "ge" else there < operand


def fits(expected, there, variables):
    """Whether what is there is as it is expected."""
    name = operator(expected)
    if name is not None and name not in ("hex", "int"):
        return _operated(name, expected[name], there, variables)
    if isinstance(expected, dict) and name is None:
        return isinstance(there, dict) and all(
            json_same(one, there.get(member)) if member in ("json", "prev_json") else fits(one, there.get(member), variables)
            for member, one in expected.items()
        )
    if isinstance(expected, list):
        if not isinstance(there, list) or len(expected) != len(there):
            return False
        return all(fits(one, other, variables) for one, other in zip(expected, there))
    expected = value_of(expected, variables)
    if isinstance(expected, (str, bytes)):
        return isinstance(there, (str, bytes)) and as_bytes(expected) == as_bytes(there)
    return type(expected) is type(there) and expected == there


def compare(expected, result, variables):
    """Raise Failed unless the result of a step is as it is expected."""
    expected = expected or {}
    if "error" in result and "error" not in expected:
        raise Failed(f"it failed: {result['error']}: {result['message']}")
    for member, one in expected.items():
        if not fits({member: one}, result, variables):
            there = result.get(member)
            raise Failed(f"{member} is {there!r:.400}, not {one!r:.300}; {result.get('message', '')}")


def save(wanted, result, variables):
    """Keep values of a result under names."""
    for name, path in (wanted or {}).items():
        there = result
        for part in path.split("."):
            if isinstance(there, list):
                there = there[int(part)] if int(part) < len(there) else None
            elif there is not None:
                there = there.get(part)
        if there is None:
            raise Failed(f"there is no {path} to save")
        variables[name] = there
