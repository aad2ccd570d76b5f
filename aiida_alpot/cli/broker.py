# SPDX-License-Identifier: MIT
"""A visit to AiiDA's built-in broker, so that the processes of a dead worker are handed out again.

The broker looks for dead workers whenever a connection breaks. Now and then that is a moment too
early: the worker that was killed still seems reachable, and its processes wait until the next
client leaves, however long that takes. RabbitMQ closes the channel of a dead worker by itself.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

VISIT_EVERY = 30.0  # seconds, of a program that waits
_HANDSHAKE = 0.2  # seconds; a connection that was never made does not break either


def visit_broker(profile: Profile) -> bool:
    """Connect to the built-in broker of a profile and leave; return whether it was there.

    Nothing happens for profiles that use RabbitMQ, or while the broker does not run or answer:
    whoever visits it wants something else.
    """
    from aiida.brokers.zeromq import ZeromqBroker
    from aiida.common.log import override_log_level

    if profile.process_control_backend != "core.zeromq":
        return False
    with ZeromqBroker(profile) as broker, override_log_level(logging.CRITICAL):
        if not broker.check_service_reachable():
            return False
        try:
            broker.get_communicator()
        except ConnectionError:
            return False
        time.sleep(_HANDSHAKE)
    return True
