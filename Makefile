# The task menu: `make help`.
SHELL := /bin/bash
CC ?= cc
SAN ?=
B := build$(if $(SAN),/$(SAN))

VERSION := 0.1.0
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LIBS := libuv libmicrohttpd sqlite3 libzstd yaml-0.1 jansson libcurl gumbo nettle zlib

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
	-Wcast-qual -Wimplicit-fallthrough $(if $(CI),-Werror)
OPT_ := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_address := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_thread := -O1 -fsanitize=thread -fno-omit-frame-pointer
OPT_coverage := -O0 --coverage
CFLAGS_ALL = -std=gnu17 -g -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Isrc -I$(B)/gen $(WARN) \
	$(OPT_$(SAN)) $(LIB_CFLAGS) $(CFLAGS)
LIB_CFLAGS = $(shell pkg-config --cflags $(LIBS))
LIB_LDLIBS = $(shell pkg-config --libs $(LIBS)) -lm -lpthread

SRC := $(sort $(wildcard src/*/*.c src/*/*/*.c))
MAIN := src/cli/main.c
LIB_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAIN),$(SRC)))
UNIT_SRC := $(sort $(wildcard tests/unit/*.c tests/store/*.c))
UNIT_OBJ := $(patsubst %.c,$(B)/%.o,$(UNIT_SRC))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Itests/unit -MMD -MP -c $< -o $@

-include $(LIB_OBJ:.o=.d) $(UNIT_OBJ:.o=.d)
