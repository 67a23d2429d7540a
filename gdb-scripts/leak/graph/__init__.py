# SPDX-License-Identifier: GPL-3.0-or-later
"""What a graph of references tells."""
