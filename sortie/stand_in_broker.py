"""The stand-in for Mosquitto: amqtt on the loopback interface, as a process of its own.

    python -m sortie.stand_in_broker run/broker/stand-in.json

For the demo only. It is slower than Mosquitto, its queues have no bounds, it does not close
connections that fall silent, and who knows a client's name can end its session without a password.
Passwords and rights are those of sortie.broker, kept here and not by amqtt's plugins: the one for
topics (0.12.1) cannot be told who may subscribe without a warning of deprecation, and it does not
look at last wills.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.errors import BrokerError
from pydantic import ValidationError

from sortie.errors import PortTakenError, SortieError, UsageError
from sortie.stand_in import StandInSettings

__all__ = ["StandIn", "main", "serve"]

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 3.0
"""Less than the supervisor waits."""


class StandIn(Broker):  # type: ignore[misc]  # amqtt has no types
    """amqtt's broker with our rights; three of its inner methods are replaced, see each."""

    def __init__(self, settings: StandInSettings) -> None:
        listener = {"type": "tcp", "bind": f"{HOST}:{settings.port}"}
        super().__init__({"listeners": {"default": listener}, "plugins": {}})
        self._users = settings.users

    async def _authenticate(self, session: Any, _listener: Any) -> bool:
        """Without plugins amqtt refuses everybody. A last will is a message like any other, and
        its topic is looked at here because amqtt publishes it unasked."""
        user = self._users.get(session.username or "")
        if user is None or not user.knows(session.password):
            return False
        return not session.will_flag or user.may_write(session.will_topic)

    async def _topic_filtering(self, session: Any, topic: str, action: Action) -> bool:
        """The rights, found without letting another task run: amqtt walks through all
        subscriptions while it asks, and loses the message if one is added meanwhile."""
        user = self._users.get(session.username or "")
        if user is None:
            return False
        return user.may_write(topic) if action == Action.PUBLISH else user.may_read(topic)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Any
    ) -> None:
        """Retained messages for one's own subscriptions only: to every client that connects, amqtt
        sends those of everybody's."""
        if any(one is session for one, _qos in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def serve(settings: StandInSettings) -> None:
    """Serves until SIGTERM or SIGINT; PortTakenError if it cannot listen."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = StandIn(settings)
    try:
        await broker.start()
    except BrokerError as error:
        raise PortTakenError(
            f"expected to listen on {HOST}:{settings.port}, cannot ({error.__cause__}); stop the "
            "other program that does"
        ) from error
    await stop.wait()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await broker.shutdown()
    except TimeoutError:
        # Nothing is kept that could be lost; the connections end with the process.
        logging.getLogger(__name__).warning("some connections did not close in time")


def main(arguments: list[str]) -> int:
    """The process; its exit status."""
    # The "no data" it tells at the start is the supervisor's look whether anybody listens.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    try:
        settings = _settings(arguments)
        asyncio.run(serve(settings))
    except SortieError as error:
        print(f"stand-in broker: {error}", file=sys.stderr)
        return 1
    return 0


def _settings(arguments: list[str]) -> StandInSettings:
    if len(arguments) != 1:
        raise UsageError(f"expected one argument, the configuration file, got {len(arguments)}")
    path = Path(arguments[0])
    try:
        return StandInSettings.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise UsageError(f"{path}: expected the stand-in's configuration: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
