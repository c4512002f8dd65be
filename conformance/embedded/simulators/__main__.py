"""`python -m conformance.embedded.simulators PORT_FILE`: serve on a free loopback port and write it down."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from conformance.embedded.loopback import listener
from conformance.embedded.simulators.app import create_app
from conformance.embedded.simulators.schemas import request_schema
from conformance.embedded.simulators.vendors import OPERATIONS


def main(port_file: Path) -> None:
    """Serve until the process ends; `port_file` appears, whole, once the port is known."""
    own = listener()
    unfinished = port_file.with_suffix(".tmp")
    unfinished.write_text(str(own.getsockname()[1]), encoding="ascii")
    unfinished.replace(port_file)
    for operation in OPERATIONS:  # read the big schemas now, not inside somebody's first request
        request_schema(operation.vendor, operation.name, "")
    config = uvicorn.Config(create_app(), log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[own])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
