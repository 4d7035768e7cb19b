"""`python -m panacea_sim` is the command panacea-sim."""

import sys

from panacea_sim.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
