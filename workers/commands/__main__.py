"""``python -m workers.commands`` is the ``shopgraph`` command of this very installation."""

from workers.commands.main import main

main()
