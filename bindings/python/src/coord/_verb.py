"""From an op to a method: the same body for all methods of synchronous handles."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    from .ops import Op

    P = ParamSpec("P")

T = TypeVar("T")




def verb(build: Callable[P, Op[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method of a client that executes ``build(...)``."""

    def method(self: Any, /, *arguments: P.args, **keywords: P.kwargs) -> T:
        result: T = self._caller.run(build(*arguments, **keywords))
        return result

    update_wrapper(method, build)
    return method


def method_of(build: Callable[Concatenate[Any, P], Op[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method of a handle that executes ``build(handle, ...)``."""

    def method(self: Any, /, *arguments: P.args, **keywords: P.kwargs) -> T:
        result: T = self._caller.run(build(self, *arguments, **keywords))
        return result

    update_wrapper(method, build)
    return method
