# SPDX-License-Identifier: GPL-3.0-or-later
"""Does nothing: waits for its test with what an interpreter has after its start."""
import conversation

conversation.serve()
