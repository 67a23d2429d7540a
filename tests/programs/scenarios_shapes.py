# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios for collection.py: shapes of cycles, and what holds one from outside."""
import gc
import sys
import threading
import time
import types

from scenario import Finalized, Node, afterwards, kept, ring, scenario, since


@scenario
def nothing():
    pass


@scenario
def self_list():
    one = []
    one.append(one)


@scenario
def self_dict():
    one = {}
    one["itself"] = one


@scenario
def self_instance():
    one = Node()
    one.itself = one


@scenario
def self_slot():
    class Slotted(object):
        __slots__ = ("other", "more")
    kept.append(Slotted)
    one, two = Slotted(), Slotted()
    one.other, two.other = two, one
    one.more = one


@scenario
def parent_and_child():
    parent, child = Node(), Node()
    parent.child, child.parent = child, parent


@scenario
def a_thousand_pairs():
    for _ in range(1000):
        ring(Node, 2)


@scenario
def a_long_ring():
    ring(Node, 20000)


@scenario
def a_deep_chain_at_a_ring():
    chain = ring(Node, 3)
    for _ in range(20000):
        chain = [chain]
    chain_end = []
    chain_end.append(chain_end)
    chain_end.append(chain)


@scenario
def a_dict_of_dicts():
    top = {}
    for number in range(20):
        top[number] = {"up": top, "plain": {"a": 1}, "empty": {}, (number,): [number]}


@scenario
def tracked_and_untracked_content():
    one = Node()
    one.itself = one
    one.content = [(1, 2), (1, (2, "x")), ([], 1), {"a": 1}, {"a": []}, frozenset([1]), "text", 1.5,
                   bytearray(b"x"), (), {}, set(), u"\u20ac", 10 ** 30]


@scenario
def a_tuple_of_a_list():
    within = []
    one = (within, within)
    within.append(one)


@scenario
def tuples_alone():
    """No code of Python makes these: a tuple is complete before anybody else has it. The collector
    finds them each time, and cannot break them."""
    import ctypes

    def put(holder, place, held):
        at = ctypes.c_void_p.from_address(id(holder) + tuple.__basicsize__ + 8 * place)
        # What was there, None, has a count that never gets to 0; nobody takes it away.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
        at.value = id(held)
        return at
    one, two = tuple([None, None]), tuple([None])
    places = [put(one, 0, two), put(one, 1, one), put(two, 0, one)]

    def part():
        held = [ctypes.cast(place.value, ctypes.py_object) for place in places]
        for place in places:
            place.value = id(None)
        for thing in held:
            ctypes.pythonapi.Py_DecRef(thing)
    afterwards.append(part)


@scenario
def sets_of_hashables():
    one = Node()
    one.others = set([one])
    two = Node()
    two.others = frozenset([two, 1, "x"])


@scenario
def references_to_what_never_dies():
    one = Node()
    one.itself = one
    one.static = [None, True, Ellipsis, int, dict, type, object, len, sys, 0, "", (), NotImplemented]


@scenario
def two_cycles_linked_one_way():
    one, two = ring(Node, 3), ring(Node, 4)
    one.other = two


@scenario
def the_second_of_two_linked_cycles_is_kept():
    one, two = ring(Node, 3), ring(Node, 4)
    one.other = two
    kept.append(two)


@scenario
def the_first_of_two_linked_cycles_is_kept():
    one, two = ring(Node, 3), ring(Node, 4)
    one.other = two
    kept.append(one)


@scenario
def a_closure_that_calls_itself():
    def again(number):
        return again(number - 1) if number else 0
    again(3)


@scenario
def closures_of_each_other():
    def one():
        return two

    def two():
        return one
    one.attribute = two


@scenario
def a_bound_method():
    one = Node()
    one.callback = one.method


@scenario
def a_method_of_a_builtin():
    one = []
    one.append(one.append)


@scenario
def a_method_wrapper_and_a_property():
    one = Node()
    one.wrapped = one.__str__
    one.property = property(one.method, one.method)
    one.static, one.kind = staticmethod(one.method), classmethod(one.method)
    one.up = super(Node, one)


@scenario
def default_values_and_annotations():
    def function(value=[]):
        return value
    function.__defaults__[0].append(function)


@scenario
def a_class():
    class Gone(object):
        """A class is in a cycle by itself."""
        value = 1

        def method(self):
            return self

        @property
        def doubled(self):
            return self.value * 2


@scenario
def a_class_and_its_instances():
    class Gone(object):
        instances = []
    for _ in range(10):
        Gone.instances.append(Gone())


@scenario
def an_instance_that_holds_its_class_in_a_cycle():
    class Gone(object):
        pass
    one = Gone()
    one.itself = one


@scenario
def a_class_that_only_its_instance_keeps():
    class Stays(object):
        pass
    kept.append(Stays())


@scenario
def classes_with_bases_and_a_metaclass():
    class Meta(type):
        def __call__(cls):
            made = type.__call__(cls)
            cls.made = made
            return made
    top = Meta("Top", (object,), {})
    low = Meta("Low", (top, Node), {"__slots__": ("two",)})
    low().one = top()


@scenario
def a_metaclass_that_stays():
    class Meta(type):
        pass
    kept.append(Meta)
    Meta("Gone", (object,), {})()


@scenario
def classes_of_lists_dicts_and_errors():
    for base in (list, dict, tuple, set, int, str, Exception):
        kind = type("Gone", (base,), {})
        one = kind()
        one.itself = one


@scenario
def a_traceback():
    def fail():
        local = Node()
        raise ValueError(local)
    try:
        fail()
    except ValueError as error:
        # This frame holds the traceback, which holds this frame.
        saved = error, sys.exc_info()[2]  # noqa: F841


@scenario
def an_error_that_its_own_frame_holds():
    def fail():
        error = ValueError("held")
        try:
            raise error
        except ValueError:
            error.frame = sys._getframe()
    fail()


@scenario
def errors_of_each_other():
    one, two = ValueError(), KeyError()
    one.args, two.args = (two,), (one,)
    if hasattr(one, "__cause__"):
        one.__cause__, two.__context__ = two, one


@scenario
def a_frame_that_holds_itself():
    me = sys._getframe()  # noqa: F841


@scenario
def a_frame_of_a_function_that_ended():
    def inner():
        local = [sys._getframe()]  # noqa: F841
        return 1
    inner()


@scenario
def a_generator_that_holds_itself():
    def generate():
        yield
        box.append(1)
        yield
    box = []
    generator = generate()
    next(generator)
    next(generator)
    box.append(generator)


@scenario
def a_generator_with_itself_in_a_local():
    def generate():
        me = yield
        yield me
    generator = generate()
    next(generator)
    generator.send(generator)


@scenario
def a_generator_that_was_not_started():
    def generate(holder):
        yield holder
    holder = []
    holder.append(generate(holder))


@scenario
def a_generator_at_its_end():
    def generate(holder):
        yield holder
    holder = Node()
    holder.generator = generate(holder)
    for _ in holder.generator:
        pass


@scenario
def a_generator_in_try_finally():
    """It has a finalizer that matters: in Python 2 nobody frees it."""
    def generate():
        me = yield
        try:
            yield me
        finally:
            me = None
    generator = generate()
    next(generator)
    generator.send(generator)


@scenario
def a_generator_in_with():
    lock = threading.Lock()

    def generate():
        me = yield
        with lock:
            yield me
    generator = generate()
    next(generator)
    generator.send(generator)


@scenario
def a_generator_expression():
    holder = []
    holder.append(one for one in holder)


@scenario
def a_module():
    module = types.ModuleType("gone")
    exec(compile("def function(): return value\nvalue = [function]\nclass Kind(object): pass\n",
                 "gone.py", "exec"), module.__dict__)


@scenario
def old_style_instances():
    if sys.version_info[0] > 2:
        return

    class Old:
        pass
    one = Old()
    one.itself = one
    kept.append(Old)


@scenario
def what_a_suspended_generator_holds():
    def generate():
        local = ring(Node, 3)
        yield
        local.ended = True
    kept.append(generate())
    next(kept[-1])


@scenario
def what_the_stack_of_a_thread_holds():
    """Its frame runs: since Python 3.11 there is no object that holds the local variable."""
    started, go_on = threading.Lock(), threading.Lock()
    started.acquire()
    go_on.acquire()

    def work():
        local = ring(Node, 5)
        started.release()
        go_on.acquire()
        local.ended = True
    thread = threading.Thread(target=work)
    thread.start()
    started.acquire()
    kept.append(thread)
    afterwards.append(lambda: (go_on.release(), thread.join()))


@scenario
def what_an_error_being_handled_in_a_thread_holds():
    started, go_on = threading.Lock(), threading.Lock()
    started.acquire()
    go_on.acquire()

    def work():
        try:
            raise ValueError(ring(Node, 5))
        except ValueError:
            started.release()
            go_on.acquire()
    thread = threading.Thread(target=work)
    thread.start()
    started.acquire()
    kept.append(thread)
    afterwards.append(lambda: (go_on.release(), thread.join()))


@scenario
def what_an_ended_thread_held():
    def work():
        local = Node()
        local.thread = threading.current_thread()
        local.itself = local
        local.thread.local = local
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@scenario
def a_struct_sequence():
    held = []
    held.append(time.struct_time((held,) * 9))


@scenario
def debug_saveall():
    gc.set_debug(gc.DEBUG_SAVEALL)
    ring(Node, 3)
    ring(Finalized, 2)


@scenario
def what_only_garbage_reaches():
    gc.garbage.append(ring(Node, 5))
    gc.garbage.append(ring(Finalized, 2))


@scenario
def garbage_that_was_replaced():
    """gc.garbage is a name; the collector's own list stays what it was."""
    true_list = gc.garbage
    gc.garbage = []
    afterwards.append(lambda: setattr(gc, "garbage", true_list))
    ring(Node, 2)


@since(3, 7)
def a_frozen_cycle():
    kept.append(ring(Node, 3))
    gc.freeze()
    del kept[:]


@since(3, 7)
def a_cycle_that_a_frozen_object_holds():
    one = Node()
    one.itself = one
    gc.freeze()
    one.held = ring(Node, 4)
    ring(Node, 5)


@since(3, 7)
def a_cycle_that_holds_a_frozen_object():
    frozen = ring(Node, 2)
    gc.freeze()
    one = ring(Node, 4)
    one.frozen = frozen
