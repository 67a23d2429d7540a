# SPDX-License-Identifier: GPL-3.0-or-later
# leakinspect: plain make. `make help` lists the targets.
#
#   SAN=1       AddressSanitizer and UndefinedBehaviorSanitizer, built in build-san/
#   DEBUG=1     -O0 -g3, built in build-debug/
#   COVERAGE=1  gcov, built in build-cov/
#   WERROR=1    warnings are errors

CC       ?= gcc
PREFIX   ?= /usr/local
DESTDIR  ?=
PYTEST   ?= /usr/bin/python3 -m pytest

VERSION  := 0.1.0
PACKAGES := libdwarf libelf readline jansson

BUILD    := build
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-unused-parameter
CPPFLAGS += -Iinspector -I. -I/usr/include/libdwarf -D_GNU_SOURCE -DLEAKINSPECT_VERSION='"$(VERSION)"'
LDLIBS   += -ldwarf -lelf -lreadline -ljansson -lpthread

ifdef SAN
BUILD    := build-san
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=address,undefined
endif
ifdef DEBUG
BUILD    := build-debug
CFLAGS   += -O0 -g3
endif
ifdef COVERAGE
BUILD    := build-cov
CFLAGS   += -O0 --coverage
LDFLAGS  += --coverage
endif
ifdef WERROR
CFLAGS   += -Werror
endif

SOURCES  := $(sort $(wildcard inspector/*.c inspector/*/*.c targets/*.c targets/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY  := $(filter-out $(BUILD)/inspector/main.o,$(OBJECTS))
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/support/*.c)))

.PHONY: all
all: $(BUILD)/leakinspect

$(BUILD)/leakinspect: $(OBJECTS)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_SUPPORT) $(LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/tests/%.o: CPPFLAGS += -Itests

.PRECIOUS: $(BUILD)/%.o

-include $(OBJECTS:.o=.d) $(UNIT:%=%.d) $(UNIT_SUPPORT:.o=.d)

.PHONY: unit
unit: $(UNIT)
	@set -e; for test in $(UNIT); do ./$$test; done

.PHONY: clean
clean:
	rm -rf build build-* demo/leak_demo
