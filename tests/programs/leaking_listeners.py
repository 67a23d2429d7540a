# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners that are added for each request and never removed: bound methods keep their objects."""
import conversation


class Bus(object):
    def __init__(self):
        self.listeners = {}

    def listen(self, event, listener):
        self.listeners.setdefault(event, []).append(listener)


class Widget(object):
    def __init__(self, bus, number):
        self.text = "widget %d " % number * 20
        bus.listen("closed", self.closed)

    def closed(self):
        self.text = None


BUS = Bus()


def request(number):
    Widget(BUS, number)


for request_number in range(500):
    request(request_number)
conversation.serve()
