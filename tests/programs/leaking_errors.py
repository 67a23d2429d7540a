# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are kept to be reported, each with a traceback whose frames hold what they worked on."""
import sys

import conversation

FAILED = []


class Upload(object):
    def __init__(self, number):
        self.body = bytearray(2000 + number % 7)

    def parse(self):
        raise ValueError("no such field")


def request(number):
    upload = Upload(number)
    try:
        upload.parse()
    except ValueError as error:
        FAILED.append((error, sys.exc_info()[2]))


for request_number in range(500):
    request(request_number)
conversation.serve()
