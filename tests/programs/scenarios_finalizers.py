# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios for collection.py: finalizers of all kinds, weak references, and what only C code holds."""
import gc
import sys
import threading
import weakref

from scenario import (Finalized, Node, afterwards, kept, leaky, ring, scenario, since,
                      with_extension)


def let_go(kind, back):
    """Of what comes back when it is freed."""
    del kind.__del__, back[:]


@scenario
def parent_and_child_with_finalizers():
    parent, child = Finalized(), Finalized()
    parent.child, child.parent = child, parent


@scenario
def a_parent_alone_with_a_finalizer():
    parent, child = Finalized(), Node()
    parent.child, child.parent = child, parent


@scenario
def what_hangs_from_a_cycle_with_a_finalizer():
    ring(Finalized, 2).tail = [ring(Node, 3), {"more": [[]]}, Finalized()]


@scenario
def what_a_cycle_has_that_leads_to_a_finalizer():
    one = ring(Node, 3)
    one.tail = [Finalized()]


@scenario
def a_finalizer_found_in_the_instance():
    """For old-style classes it counts, for others not."""
    class Old:
        pass
    kept.append(Old)
    for kind in (Old, Node):
        one = kind()
        one.__del__ = lambda: None
        one.itself = one


@scenario
def a_finalizer_of_an_old_style_class():
    class Old:
        def __del__(self):
            pass

    class Younger(Old):
        pass
    kept.extend([Old, Younger])
    for kind in (Old, Younger):
        one, two = kind(), kind()
        one.other, two.other = two, one


@scenario
def a_finalizer_given_to_the_class_later():
    class Late(object):
        pass
    kept.append(Late)
    one = Late()
    one.itself = one
    Late.__del__ = lambda self: None


@scenario
def a_finalizer_taken_from_the_class():
    class Former(object):
        def __del__(self):
            pass
    kept.append(Former)
    one = Former()
    one.itself = one
    del Former.__del__


@scenario
def a_class_with_a_finalizer_that_dies_with_its_instances():
    class Gone(object):
        def __del__(self):
            pass
    one = Gone()
    one.itself = one


@scenario
def finalizers_that_break_the_cycle():
    """From Python 3.9 on the collector counts what is left after they have run."""
    class Breaker(object):
        def __del__(self):
            self.next = None
    kept.append(Breaker)
    for _ in range(7):
        ring(Breaker, 2)


@scenario
def finalizers_that_free_something_else():
    class Emptier(object):
        def __del__(self):
            del self.things[:]
    kept.append(Emptier)
    one = Emptier()
    one.itself = one
    one.things = [[] for _ in range(10)] + [one]


@scenario
def finalizers_that_bring_back_everything():
    class Phoenix(object):
        def __del__(self):
            back.append(self)
    back = []
    kept.extend([Phoenix, back])
    ring(Phoenix, 3).tail = [ring(Node, 2)]
    afterwards.append(lambda: let_go(Phoenix, back))


@scenario
def finalizers_that_bring_back_a_part():
    class Phoenix(object):
        def __del__(self):
            back.append(self)
    back = []
    kept.extend([Phoenix, back])
    ring(Node, 4).other = ring(Phoenix, 1)
    ring(Node, 5)
    afterwards.append(lambda: let_go(Phoenix, back))


@scenario
def finalizers_that_already_ran_once():
    """They bring themselves back; since Python 3.4 a second time they are not asked."""
    class Phoenix(object):
        def __del__(self):
            back.append(self)
    back = []
    kept.extend([Phoenix, back])
    one = ring(Phoenix, 2)
    one.tail = ring(Node, 3)
    one = None
    gc.collect()
    del back[:]
    afterwards.append(lambda: let_go(Phoenix, back))


@scenario
def finalizers_that_make_new_garbage():
    class Maker(object):
        def __del__(self):
            ring(Node, 3)
    kept.append(Maker)
    ring(Maker, 2)


@scenario
def finalizers_that_fail():
    class Failing(object):
        def __del__(self):
            raise ValueError("from a finalizer, as it should")
    kept.append(Failing)
    ring(Failing, 2)


@scenario
def a_weak_reference_within():
    one = ring(Node, 2)
    one.weak = weakref.ref(one)
    one.proxy = weakref.proxy(one)


@scenario
def weak_references_from_outside():
    for _ in range(5):
        one = ring(Node, 2)
        kept.extend([weakref.ref(one), weakref.proxy(one)])


@scenario
def a_callback_that_dies_too():
    one = Node()
    one.callback = one.method
    one.weak = weakref.ref(one, lambda gone, one=one: None)


@scenario
def a_callback_that_lives():
    for _ in range(5):
        one = ring(Node, 2)
        kept.append(weakref.ref(one, lambda gone: None))


@scenario
def a_callback_that_takes_more_than_malloc_has_ready():
    """What a thread began grows in the memory of that thread, which malloc() makes readable as it is used."""
    lists = []
    thread = threading.Thread(target=lambda: lists.extend([[None] * 8000 for _ in range(5)]))
    thread.start()
    thread.join()

    def more(_):
        for one in lists:
            one.extend([None] * 7000)
    kept.append(weakref.ref(ring(Node, 2), more))


@scenario
def a_callback_that_drops_its_weak_reference():
    """The collector counts weak references that end that way."""
    for _ in range(5):
        one = ring(Node, 2)
        kept.append(weakref.ref(one, kept.remove))


@scenario
def a_callback_of_a_dying_weak_reference_to_what_lives():
    one, two = ring(Node, 2), Node()
    kept.append(two)
    one.weak = weakref.ref(two, one.method)


@scenario
def a_finalize_object():
    if hasattr(weakref, "finalize"):
        one = ring(Node, 2)
        afterwards.append(weakref.finalize(one, len, ()).detach)


@scenario
def a_weak_value_dictionary():
    table = weakref.WeakValueDictionary()
    kept.append(table)
    for number in range(10):
        table[number] = ring(Node, 2)
    kept.append(table[3])


@scenario
def a_weak_key_dictionary():
    table = weakref.WeakKeyDictionary()
    kept.append(table)
    for number in range(10):
        table[ring(Node, 2)] = [number]


@scenario
def a_weak_key_dictionary_whose_values_hold_the_keys():
    table = weakref.WeakKeyDictionary()
    kept.append(table)
    for _ in range(10):
        key = ring(Node, 2)
        table[key] = key


@scenario
def a_weak_set():
    table = weakref.WeakSet()
    kept.append(table)
    for _ in range(10):
        table.add(ring(Node, 2))


@scenario
def a_weak_dictionary_that_dies_too():
    table = weakref.WeakValueDictionary()
    one = Node()
    one.itself = one
    one.table = table
    table["one"] = one


@with_extension
def legacy_classes():
    class Legacy(object):
        pass
    leaky.give_legacy_finalizer(Legacy)
    kept.append(Legacy)
    ring(Legacy, 2).tail = [ring(Node, 3)]
    ring(Node, 5).other = ring(Legacy, 1)
    ring(Node, 2)


@with_extension
def a_legacy_class_that_dies_with_its_instance():
    class Legacy(object):
        pass
    leaky.give_legacy_finalizer(Legacy)
    one = Legacy()
    one.itself = one


@with_extension
def legacy_of_a_static_type():
    one, two, three = leaky.Legacy(), leaky.Legacy(), leaky.Legacy()
    one.other, two.other, three.other = two, one, [one]
    alone = leaky.Legacy()
    alone.other = alone


@with_extension
def legacy_with_debug_saveall():
    gc.set_debug(gc.DEBUG_SAVEALL)
    one = leaky.Legacy()
    one.other = one
    ring(Node, 3)


@with_extension
def legacy_and_debug_uncollectable():
    class Legacy(Finalized):
        pass
    leaky.give_legacy_finalizer(Legacy)
    kept.append(Legacy)
    ring(Legacy, 2).other = ring(Finalized, 2)


@scenario
def garbage_that_is_full_already():
    if leaky:
        one = leaky.Legacy()
        one.other = [one]
    ring(Finalized, 2)
    gc.set_debug(gc.DEBUG_SAVEALL)
    ring(Node, 2)
    one = None
    gc.collect()
    gc.set_debug(0)
    assert gc.garbage
    ring(Finalized, 3)
    ring(Node, 5)


@with_extension
def a_cycle_that_a_variable_of_c_holds():
    leaky.hold(ring(Node, 3))
    afterwards.append(leaky.release)
    ring(Node, 2)


@with_extension
def cycles_that_an_array_of_c_holds():
    leaky.hold_many([ring(Node, 3) for _ in range(10)])
    afterwards.append(leaky.release)
    ring(Node, 2).other = ring(Node, 1)


@with_extension
def a_leaked_reference_to_a_cycle():
    one = ring(Node, 4)
    for _ in range(3):
        leaky.leak(one)
    # What was leaked stays for good: the next scenarios find it reachable.


@with_extension
def a_cycle_through_an_array_of_an_extension():
    one = leaky.Array()
    for number in range(100):
        one.take([number])
    one.take(one)
    one.take(ring(Node, 2))


@with_extension
def a_cycle_through_an_owner_the_collector_does_not_know():
    """Nobody can free it."""
    one = Node()
    one.owner = leaky.Owner()
    one.owner.owned = one
    address = weakref.ref(one)
    afterwards.append(lambda: setattr(address().owner, "owned", None))


@with_extension
def an_owner_the_collector_does_not_know_within_a_cycle():
    one = Node()
    one.itself = one
    one.owner = leaky.Owner()
    one.owner.owned = ring(Node, 2)


@with_extension
def members_in_structs_within_structs():
    one = leaky.Nested()
    one.left, one.right, one.first, one.last = one, ring(Node, 2), one, [one]
    one.hidden = "text"


@with_extension
def a_member_that_traverse_leaves_out():
    one = leaky.Nested()
    one.left = one.hidden = one
    address = id(one)

    def release():
        for thing in gc.get_objects():
            if id(thing) == address:
                thing.hidden = None
    afterwards.append(release)


@scenario
def a_thread_local_that_holds_itself():
    local = threading.local()
    local.itself = local


@scenario
def a_thread_local_of_ended_threads():
    local = threading.local()

    def work():
        local.seen = ring(Node, 3)
        local.itself = local
    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    local = None


@since(3)
def a_finalizer_and_a_weak_reference_to_one_object():
    one = ring(Finalized, 2)
    kept.append(weakref.ref(one, lambda gone: None))
    assert sys.version_info[0] > 2
