# SPDX-License-Identifier: Apache-2.0
"""``python -m enact`` is the command line."""

from enact.cli import main

if __name__ == "__main__":
    main(prog_name="enact")
