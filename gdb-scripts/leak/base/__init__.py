# SPDX-License-Identifier: GPL-3.0-or-later
"""What everything else stands on: errors, and words and tables for people."""
