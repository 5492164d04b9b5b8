# SPDX-License-Identifier: Apache-2.0
"""Speed, memory and size; see ``bench/README.md``."""
