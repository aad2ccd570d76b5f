# SPDX-License-Identifier: MIT
"""How a profile reaches its services: PostgreSQL and RabbitMQ, tried before a profile is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiida_alpot.errors import ServiceError

_PATIENCE = 10  # seconds


@dataclass(frozen=True)
class Database:
    """A database of PostgreSQL."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)

    def require(self) -> None:
        """Raise unless the database takes a connection.

        Raises
        ------
        ServiceError
            With what PostgreSQL says, and how a database is made.
        """
        import psycopg

        try:
            psycopg.connect(
                host=self.host,
                port=self.port,
                dbname=self.name,
                user=self.user,
                password=self.password,
                connect_timeout=_PATIENCE,
            ).close()
        except psycopg.OperationalError as error:
            raise ServiceError(
                f"PostgreSQL at {self.host}:{self.port} does not let '{self.user}' into the "
                f"database '{self.name}': {' '.join(str(error).split())}. Start it, and make both "
                "as profiles/workstation/README.md says."
            ) from error

    def storage_config(self, repository: str) -> dict[str, Any]:
        """Return what AiiDA's ``core.psql_dos`` takes; files are kept in the folder given."""
        return {
            "database_engine": "postgresql_psycopg",
            "database_hostname": self.host,
            "database_port": self.port,
            "database_name": self.name,
            "database_username": self.user,
            "database_password": self.password,
            "repository_uri": f"file://{repository}",
        }


@dataclass(frozen=True)
class Broker:
    """An account at RabbitMQ."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    virtual_host: str = ""

    def require(self) -> None:
        """Raise unless the broker takes a connection.

        Raises
        ------
        ServiceError
            With what RabbitMQ says, and how an account is made.
        """
        import asyncio

        try:
            asyncio.run(self._connect())
        except Exception as error:  # aio_pika and its parts have errors of many kinds
            raise ServiceError(
                f"RabbitMQ at {self.host}:{self.port} does not let '{self.user}' in: "
                f"{' '.join(str(error).split())}. Start it, and make the account as "
                "profiles/workstation/README.md says."
            ) from error

    async def _connect(self) -> None:
        import aiormq
        from yarl import URL

        where = URL.build(
            scheme="amqp",
            user=self.user,
            password=self.password,
            host=self.host,
            port=self.port,
            path=f"/{self.virtual_host}",
        )
        connection = aiormq.Connection(where)
        await connection.connect()
        await connection.close()

    def broker_config(self) -> dict[str, Any]:
        """Return what AiiDA's ``core.rabbitmq`` takes."""
        return {
            "broker_protocol": "amqp",
            "broker_username": self.user,
            "broker_password": self.password,
            "broker_host": self.host,
            "broker_port": self.port,
            "broker_virtual_host": self.virtual_host,
        }
