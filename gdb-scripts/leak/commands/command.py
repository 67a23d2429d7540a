# SPDX-License-Identifier: GPL-3.0-or-later
"""A command of GDB's with options, help and completion from one table, and errors as sentences."""
import textwrap

import gdb

from .. import session
from ..graph import census
from ..base.errors import Fault, LeakError
from ..base.report import Report


class Option:
    """`-name`, with the word for its value in help where it takes one; @convert makes it of text."""

    def __init__(self, name, summary, word=None, convert=str):
        self.name = name
        self.summary = summary
        self.word = word
        self.convert = convert


def count(text):
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


JSON = Option("json", "one JSON document, for programs")
LIMIT = Option("n", "at most N rows", "N", count)
COMMANDS = {}
HELP_COLUMNS = 78


class Leak(gdb.Command):
    """Which objects fill the memory of a Python process, who holds them, and what can never be freed.

Works on a live process, a core file, and over `target remote`; runs nothing in the program.

Begin with `leak types` (what fills the memory) or `leak cycles` (what can never be freed); `help leak
types` tells more, with examples. Every command takes -json for programs."""

    def __init__(self):
        super().__init__("leak", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, argument, _from_tty):
        if argument:
            raise gdb.GdbError('leak knows no "%s"; it knows: %s'
                               % (argument.split()[0], ", ".join(sorted(COMMANDS))))
        gdb.execute("help leak")


class LeakCommand(gdb.Command):
    """Base of the commands: subclasses set `name`, `summary`, `text`, `options`, `arguments` (a
    pattern of words for help), `least` and `most` arguments, `examples`, and define run()."""

    name = None
    summary = ""
    text = ""
    options = ()
    arguments = ""
    least = 0
    most = 0
    examples = ()
    completes_types = False

    def __init__(self):
        self.options = tuple(self.options) + (JSON,)
        type(self).__doc__ = self._help()
        super().__init__("leak " + self.name, gdb.COMMAND_DATA)
        COMMANDS[self.name] = self

    def _usage(self):
        words = ["leak " + self.name]
        words += ["[-%s%s]" % (option.name, " " + option.word if option.word else "")
                  for option in self.options]
        return " ".join(words + ([self.arguments] if self.arguments else []))

    def _help(self):
        # The first sentence is what `help leak` lists.
        lines = [self.summary[0].upper() + self.summary[1:] + ".", "Usage: " + self._usage(), ""]
        if self.text:
            lines += [textwrap.fill(" ".join(self.text.split()), HELP_COLUMNS), ""]
        lines += ["  -%-12s %s" % (" ".join(filter(None, (option.name, option.word))),
                                   option.summary) for option in self.options]
        lines += ["", "Example:" if len(self.examples) == 1 else "Examples:"]
        lines += ["  %-38s %s" % example for example in self.examples]
        return "\n".join(lines)

    def parse(self, argument):
        """(options as {name: value}, words)"""
        by_name = {option.name: option for option in self.options}
        options, words = {}, []
        given = iter(gdb.string_to_argv(argument or ""))
        for word in given:
            if not word.startswith("-") or word == "-":
                words.append(word)
                continue
            option = by_name.get(word.lstrip("-"))
            if option is None:
                raise LeakError('leak %s knows no option "%s"; usage: %s'
                                % (self.name, word, self._usage()))
            options[option.name] = True
            if option.word:
                value = next(given, None)
                try:
                    options[option.name] = option.convert(value)
                except (TypeError, ValueError):
                    raise LeakError("-%s wants %s behind it: leak %s -%s 10"
                                    % (option.name, option.word, self.name, option.name)) from None
        if not self.least <= len(words) <= self.most:
            raise LeakError(self.wrong_arguments(words))
        return options, words

    def wrong_arguments(self, words):
        example = self.examples[0][0]
        if len(words) < self.least:
            return "leak %s wants %s; for instance: %s" % (self.name, self.arguments, example)
        return "leak %s takes %s; for instance: %s" % (
            self.name, "no more than %s" % self.arguments if self.most else "no arguments", example)

    def invoke(self, argument, _from_tty):
        try:
            options, words = self.parse(argument)
            report = Report(self.name, options.get("json"))
            self.run(report, options, words)
            report.end()
            known = session.existing()
            if known is not None:
                known.asked[self.name] = report.document
        except Fault as fault:
            raise gdb.GdbError("leak %s: %s, which it needs; a core file may be truncated, and an "
                               "address may be that of no object" % (self.name, fault)) from None
        except LeakError as error:
            raise gdb.GdbError(str(error)) from None
        except gdb.error as error:
            raise gdb.GdbError("leak %s: GDB says: %s" % (self.name, error)) from None
        except KeyboardInterrupt:
            raise gdb.GdbError("leak %s: interrupted" % self.name) from None
        except MemoryError:
            raise gdb.GdbError("leak %s: GDB has no memory left for it" % self.name) from None

    def run(self, report, options, words):
        raise NotImplementedError

    def complete(self, text, word):
        # GDB takes dashes and dots for ends of words: the whole is completed, the rest given back.
        whole = text.split(" ")[-1]
        skipped = len(whole) - len(word)
        if whole.startswith("-"):
            names = ["-" + option.name for option in self.options]
        elif self.completes_types:
            try:
                names = known_type_names()
            except (LeakError, gdb.error):
                return gdb.COMPLETE_NONE
        else:
            return gdb.COMPLETE_NONE
        return sorted(name[skipped:] for name in names if name.startswith(whole))


def known_type_names():
    """Names of the types that have tracked objects now."""
    return census.counts(session.current()).keys()
