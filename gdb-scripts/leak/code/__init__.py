# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of the inferior, followed here."""
