"""``python -m workers.ingest [PARENT_PID]``: an ingest process for as long as the parent lives."""

import os
import sys

from workers.ingest.process import run

if __name__ == "__main__":
    parent_pid = int(sys.argv[1]) if len(sys.argv) > 1 else None
    run(redis_url=os.environ["REDIS_URL"], parent_pid=parent_pid)
