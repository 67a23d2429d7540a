# SPDX-License-Identifier: GPL-3.0-or-later
# leakinspect: plain make. `make help` lists the targets.
#
#   SAN=1       AddressSanitizer and UndefinedBehaviorSanitizer, built in build-san/
#   DEBUG=1     -O0 -g3, built in build-debug/
#   COVERAGE=1  gcov, built in build-cov/
#   WERROR=1    warnings are errors
#   CROSS=aarch64-linux-gnu-   for another machine, built in build-aarch64-linux-gnu/; its libraries
#               are in SYSROOT=DIR, or beside ours (Debian's multiarch) where that is not set
#   RUN=COMMAND before each unit test: RUN='qemu-aarch64 -L DIR'

PREFIX   ?= /usr/local
DESTDIR  ?=
# Debian's own, where python3-pytest is, whichever python3 comes first on PATH.
PYTEST   ?= /usr/bin/python3 -m pytest
# More words for pytest: make e2e PYTEST_ARGS='-k types -x'
PYTEST_ARGS ?=

VERSION  := 0.1.0

BUILD    := build
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-unused-parameter
CPPFLAGS += -Iinspector -I. -I$(SYSROOT)/usr/include/libdwarf -D_GNU_SOURCE -DLEAKINSPECT_VERSION='"$(VERSION)"'
LDLIBS   += -ldwarf -lelf -lreadline -ljansson -lsqlite3 -lmicrohttpd -lpthread -lm

ifdef SAN
BUILD    := build-san
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=address,undefined
# A status of its own, so that no test takes a finding for an expected failure.
export ASAN_OPTIONS  ?= exitcode=99
export UBSAN_OPTIONS ?= exitcode=99:print_stacktrace=1
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
ifdef CROSS
BUILD    := $(BUILD)-$(CROSS:%-=%)
CC       := $(CROSS)gcc
AR       := $(CROSS)ar
endif
ifdef SYSROOT
CPPFLAGS += --sysroot=$(SYSROOT)
LDFLAGS  += --sysroot=$(SYSROOT)
endif

SOURCES  := $(sort $(wildcard inspector/*.c inspector/*/*.c inspector/*/*/*.c targets/*.c targets/*/*.c targets/*/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY  := $(filter-out $(BUILD)/inspector/main.o,$(OBJECTS))
ARCHIVE  := $(BUILD)/libleakinspect.a
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/support/*.c)))
DEMO     := $(BUILD)/demo/leak_demo.o

# The end-to-end tests, the demo and the benchmark run this one.
export LEAKINSPECT ?= $(CURDIR)/$(BUILD)/leakinspect

.PHONY: all
all: $(BUILD)/leakinspect ## builds leakinspect (the default)

$(BUILD)/leakinspect: $(BUILD)/inspector/main.o $(ARCHIVE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Anew each time: ar would keep the objects of files that are gone.
$(ARCHIVE): $(LIBRARY)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_SUPPORT) $(ARCHIVE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/tests/%.o: CPPFLAGS += -Itests

# The inspected program has neither sanitizers nor coverage: those are for the one that inspects.
$(DEMO): demo/leak_demo.c demo/handlers.py
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(if $(WERROR),-Werror) -D_GNU_SOURCE \
		-DLEAK_DEMO_HANDLERS='"demo/handlers.py"' \
		-DLEAK_DEMO_HOME="\"$$(pkg-config --variable=prefix python3-embed)\"" \
		$$(pkg-config --cflags python3-embed) -c -o $@ $<

demo/leak_demo: $(DEMO)
	$(CC) -o $@ $< $$(pkg-config --libs python3-embed)

.PRECIOUS: $(BUILD)/%.o

-include $(OBJECTS:.o=.d) $(UNIT:%=%.d) $(UNIT_SUPPORT:.o=.d)

# Everything that has objects, for lint's builds with warnings as errors.
.PHONY: objects
objects: $(OBJECTS) $(UNIT:%=%.o) $(UNIT_SUPPORT) $(DEMO)

# These install what they need and build what they need, in this order whatever -j says.

.PHONY: demo
demo: ## starts the leaking service, puts load on it and looks inside; does its own set-up
	@tests/support/packages.sh build demo
	@$(MAKE) --no-print-directory all demo/leak_demo
	@demo/run.sh

.PHONY: pictures
pictures: ## draws the pictures of README.md anew: demo/*.svg
	@tests/support/packages.sh build demo pictures
	@$(MAKE) --no-print-directory all demo/leak_demo
	@demo/pictures.sh

.PHONY: test
test: ## unit tests, then end-to-end tests; does its own set-up; with SAN=1 under sanitizers
	@tests/support/packages.sh test
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e

.PHONY: lint
lint: ## format, includes, warnings of gcc and clang, cppcheck; does its own set-up
	@tests/support/packages.sh lint
	@MAKE='$(MAKE)' tests/lint/run

.PHONY: format
format: ## writes all C as lint wants it
	find inspector targets tests demo -name '*.[ch]' | xargs clang-format -i

.PHONY: unit
unit: $(UNIT) ## the unit tests alone
	@status=0; for test in $(UNIT); do $(RUN) ./$$test || status=1; done; exit $$status

.PHONY: unit-tests
unit-tests: $(UNIT) ## builds the unit tests and runs none

.PHONY: arm64-check
arm64-check: ## cross-builds for aarch64 and runs the unit tests under qemu; see tests/support/packages.sh
	@MAKE='$(MAKE)' tests/arm64/check.sh

.PHONY: e2e
e2e: all demo/leak_demo ## the end-to-end tests alone: make e2e PYTEST_ARGS='-k python2.7'
	$(PYTEST) -c tests/pytest.ini tests/lint tests/e2e $(PYTEST_ARGS)

.PHONY: bench
bench: all ## time, pause and memory for 100 k to 10 M objects
	tests/bench/run

# More words: make kills KILLS_ARGS='--kills 1000 --seed 2'
KILLS_ARGS ?=

.PHONY: kills
kills: all ## kills leakinspect 10,000 times while it makes clones, and looks what becomes of the process
	tests/bench/run --strict --only kills $(KILLS_ARGS)

# For which programs and libraries GDB is to load the commands of gdb-scripts by itself; more of them:
# make install GDB_OBJFILES=$HOME/.pyenv/versions/3.9.18/lib/libpython3.9.so.1.0
GDB_VERSIONS := 2.7 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13
GDB_OBJFILES ?= $(GDB_VERSIONS:%=/usr/bin/python%) \
                $(foreach v,$(GDB_VERSIONS),/usr/lib/$(shell $(CC) -print-multiarch)/libpython$(v).so.1.0)
GDB_SHARE    := $(PREFIX)/share/gdb

.PHONY: install
install: all install-gdb ## into PREFIX (/usr/local) under DESTDIR
	install -D -m 755 $(BUILD)/leakinspect $(DESTDIR)$(PREFIX)/bin/leakinspect
	install -D -m 644 inspector/leakinspect.1 $(DESTDIR)$(PREFIX)/share/man/man1/leakinspect.1
	install -D -m 644 inspector/completion.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/leakinspect

.PHONY: install-gdb
install-gdb: ## the commands for GDB alone
	install -D -m 644 gdb-scripts/leak.gdb $(DESTDIR)$(GDB_SHARE)/leakinspect/leak.gdb
	@cd gdb-scripts && find leak -name '*.py' | while read -r file; do \
		install -D -m 644 "$$file" "$(abspath $(DESTDIR)$(GDB_SHARE))/leakinspect/$$file" || exit 1; \
	done
	@for file in $(GDB_OBJFILES); do \
		script=$(DESTDIR)$(GDB_SHARE)/auto-load$$file-gdb.gdb; \
		mkdir -p "$$(dirname "$$script")" && \
		sed 's,@HOME@,$(GDB_SHARE)/leakinspect,' gdb-scripts/auto-load.gdb.in >"$$script" || exit 1; \
	done

.PHONY: uninstall
uninstall: ## takes away what install put there
	rm -rf $(DESTDIR)$(GDB_SHARE)/leakinspect
	rm -f $(GDB_OBJFILES:%=$(DESTDIR)$(GDB_SHARE)/auto-load%-gdb.gdb)
	rm -f $(DESTDIR)$(PREFIX)/bin/leakinspect \
		$(DESTDIR)$(PREFIX)/share/man/man1/leakinspect.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/leakinspect

.PHONY: clean
clean: ## deletes everything that was built
	rm -rf build build-* demo/leak_demo compile_commands.json

.PHONY: check-clean
check-clean: ## fails if a build or a test left a file that git does not know, or a process
	@left=$$(git status --porcelain) && if [ "$$left" ]; then echo "$$left"; exit 1; fi
	@left=$$(find /proc/[0-9]*/exe -maxdepth 0 -lname '$(CURDIR)/*' 2>/dev/null | cut -d/ -f3) && \
		if [ "$$left" ]; then ps -o pid,etime,args -p $$left; exit 1; fi

.PHONY: help
help: ## this table
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done
	@echo
	@sed -n 's/^#   \([A-Z]*=1 .*\)/\1/p' $(firstword $(MAKEFILE_LIST))
