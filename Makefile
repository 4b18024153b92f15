# The task menu: `make help`. `make demo` and `make test` are all that a newcomer needs; both
# install what is missing first.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

CC ?= cc
SAN ?=# address, thread or coverage: a build of its own in build/$(SAN)
B := build$(if $(SAN),/$(SAN))

VERSION := 0.1.0
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LIBS := libuv glib-2.0 libmicrohttpd sqlite3 libzstd yaml-0.1 jansson libcurl gumbo nettle zlib libpcre2-8

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
	-Wcast-qual -Wimplicit-fallthrough $(if $(CI),-Werror)
OPT_ := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_address := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
OPT_thread := -O1 -fsanitize=thread -fno-omit-frame-pointer
OPT_coverage := -O0 --coverage
OPT := $(OPT_$(SAN))
FLAGS = -std=gnu17 -g -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Isrc $(WARN) $(OPT) $(CFLAGS) \
	$(shell pkg-config --cflags $(LIBS))
LINK = $(OPT) $(LDFLAGS)
LDLIBS = $(shell pkg-config --libs $(LIBS)) -lm -lpthread

SRC := $(sort $(wildcard src/*/*.c src/*/*/*.c))
OBJ := $(SRC:%.c=$(B)/%.o) $(B)/gen/assets.o
LIB := $(B)/libtailrace.a# everything but main(): tests and fuzzers take what they need
UNIT_SRC := $(sort $(wildcard tests/unit/*.c tests/store/*.c))
CHECK_OBJ := $(B)/tests/bench/check.o $(B)/tests/bench/histogram.o# the load client's, tested as well
UNIT_OBJ := $(UNIT_SRC:%.c=$(B)/%.o) $(CHECK_OBJ)
NEWSROOM_SRC := $(sort $(wildcard examples/newsroom/*.c))
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/*_fuzz.c)))
UI := $(wildcard ui/*.* ui/*/*)

.PHONY: all run demo test unit ui model api browser crash faults soak fuzz fuzz-replay bench bench-ui \
	lint format layers tsan asan coverage pictures install deps deps-all clean help FORCE

##@ Everyday
all: $(B)/tailrace $(B)/newsroom  ## build the server and the example site

run: deps all  ## start the server on http://127.0.0.1:8085 with the folder definitions/
	$(B)/tailrace serve --definitions definitions --data build/data

demo: deps  ## install what is missing, build, crawl a little news site, live in terminal and browser
	@$(MAKE) --no-print-directory all
	@tools/demo $(if $(EXIT),--exit)

test: deps-all  ## install what is missing, then every suite
	@$(MAKE) --no-print-directory all $(B)/unit $(B)/record-stream $(B)/talk $(B)/fuzz-replay
	@tools/test

##@ One suite at a time (each needs `make deps-all` once)
unit: $(B)/unit  ## C unit tests and the store's conformance suite; `make unit T=word` picks some
	$(B)/unit $(T)

ui: node_modules/.ready  ## the pure parts of the page, in node
	tools/node-test tests/ui

model: all node_modules/.ready  ## the protocol as a model, in many seeded worlds; SEEDS=n for more
	tools/node-test tests/model

api: all $(B)/record-stream node_modules/.ready  ## the server as a client sees it
	tools/node-test tests/api

browser: all $(B)/talk node_modules/.ready  ## the page in Chromium
	tools/node-test tests/browser

crash: all node_modules/.ready  ## kill -9 and full disks at every named place
	tools/node-test tests/crash

faults: all node_modules/.ready  ## what viewers were told through kills, cuts and full disks, against the store
	tools/node-test tests/faults

soak: all node_modules/.ready  ## 1000 kill loops; LOOPS=n SEED=n MINUTES=n BIN=build/address/tailrace, STEADY=1
	tools/soak

asan: deps-all  ## every suite under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory SAN=address all build/address/unit build/address/record-stream \
	  build/address/talk build/address/fuzz-replay
	@TAILRACE_BUILD=build/address tools/test

tsan: deps-all  ## unit, api, crash and faults suites under the thread sanitizer
	@$(MAKE) --no-print-directory SAN=thread all build/thread/unit build/thread/record-stream
	@TSAN_OPTIONS=halt_on_error=1:suppressions=$(CURDIR)/tests/tsan.supp \
	  TAILRACE_BUILD=build/thread tools/test unit api crash faults

fuzz-replay: $(B)/fuzz-replay  ## every corpus file through its parser once
	$(B)/fuzz-replay

fuzz:  ## fuzz each parser for a minute; SECONDS_EACH=n for longer (needs clang)
	tools/fuzz $(or $(SECONDS_EACH),60)

bench:  ## install what is missing, build, measure: see docs/benchmarks.md
	tools/bench

bench-ui:  ## the same for the pages in Chromium, against their goals
	tools/bench ui

pictures: all node_modules/.ready  ## take docs/pictures/ anew, from a real run
	node tools/pictures.mjs

coverage:  ## line coverage of the unit tests
	@$(MAKE) --no-print-directory SAN=coverage build/coverage/unit
	build/coverage/unit && gcov -n -o build/coverage/src $(SRC) | tail -n 1

##@ Habits
lint: layers  ## formatter, clang-tidy, cppcheck, banned functions, layers
	@tools/deps build lint
	tools/lint

layers:  ## are all includes pointing down?
	@tools/layers

format:  ## lay out all C files
	clang-format -i $(shell git ls-files '*.c' '*.h')

deps:  ## install what building and the demo need
	@tools/deps build

deps-all:  ## install what the tests need as well
	@tools/deps build test

install: all  ## copy the program and its unit to $(PREFIX)
	install -D -m 755 $(B)/tailrace $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/tailrace
	install -d $(DESTDIR)$(or $(PREFIX),/usr/local)/lib/systemd/system
	sed 's|/usr/local|$(or $(PREFIX),/usr/local)|' systemd/tailrace.service \
	  >$(DESTDIR)$(or $(PREFIX),/usr/local)/lib/systemd/system/tailrace.service

clean:  ## remove everything that was built
	rm -rf build

help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {sub(/:.*## /, ":## "); split($$0, a, ":## "); printf "  %-12s %s\n", a[1], a[2]}' \
	  Makefile

# ---- rules ---- (V=1 shows the commands)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

$(LIB): $(filter-out $(B)/src/cli/main.o,$(OBJ))
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/tailrace: $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LDLIBS)

$(B)/unit: $(UNIT_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LDLIBS)

$(B)/store-bench $(B)/commit-bench: $(B)/%-bench: $(B)/tests/bench/%_bench.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LDLIBS)

$(B)/record-stream: $(B)/tests/record/record.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LDLIBS)

$(B)/load: $(B)/tests/bench/load.o $(CHECK_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LDLIBS)

$(B)/talk: $(B)/tests/bench/talk.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^

$(B)/floor $(B)/spawn: $(B)/%: $(B)/tests/bench/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LDLIBS)

$(B)/sends.so: tests/bench/sends.c
	$(call say,LINK,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -shared -fPIC $(WARN) -o $@ $<

$(B)/newsroom: $(NEWSROOM_SRC) $(wildcard examples/newsroom/*.h)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu17 -g -D_GNU_SOURCE $(WARN) $(OPT) \
	  -DNEWSROOM_ARTICLES='"examples/newsroom/articles"' -o $@ $(NEWSROOM_SRC) -lmicrohttpd

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -Itests/unit -MMD -MP -c $< -o $@

$(B)/gen/%.o: build/gen/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -c $< -o $@

# The commit is part of `tailrace version`: only this file is compiled again when it changes.
$(B)/src/cli/version.o $(B)/src/server/routes_status.o: CFLAGS += -DCOMMIT='"$(COMMIT)"'
build/gen/commit: FORCE
	@mkdir -p $(@D); echo $(COMMIT) | cmp -s - $@ || echo $(COMMIT) > $@
$(B)/src/cli/version.o $(B)/src/server/routes_status.o: build/gen/commit

build/gen/assets.c: tools/assets.mjs $(UI) node_modules/.ready
	@mkdir -p $(@D)
	$(call say,PAGE,$@)
	$(Q)node tools/assets.mjs $@

node_modules/.ready: package.json package-lock.json
	$(call say,NPM,"packages of package-lock.json")
	$(Q)npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Each fuzzer's entry point under a name of its own, so that one program replays all corpora.
$(B)/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -DLLVMFuzzerTestOneInput=$*_one -MMD -MP -c $< -o $@

$(B)/gen/fuzz_replay.c: tools/fuzz-replay $(wildcard tests/fuzz/*_fuzz.c)
	@mkdir -p $(@D)
	tools/fuzz-replay $(FUZZERS) > $@

$(B)/fuzz-replay: $(FUZZERS:%=$(B)/fuzz/%.o) $(B)/gen/fuzz_replay.c $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(FLAGS) $(LINK) -o $@ $^ $(LDLIBS)

-include $(SRC:%.c=$(B)/%.d) $(UNIT_OBJ:%.o=%.d) $(wildcard $(B)/tests/bench/*.d) $(FUZZERS:%=$(B)/fuzz/%.d)
