# Reeve: one Makefile, no recursion.
#
#   make                  the five programs, in build/release/bin/
#   make check            unit and system tests        make unit / make system: one of them
#   make lint             format, warnings as errors, includes, sizes, static analysis
#   make SAN=address,undefined …   the same under sanitizers, in build/san-address-undefined/
#   make bench            rates beside their limits    make schema: rewrite schema.sql
#   make install DESTDIR= PREFIX=/usr

PREFIX  ?= /usr/local
CC      ?= gcc
SAN     ?=

comma   := ,
VARIANT := $(if $(SAN),san-$(subst $(comma),-,$(SAN)),release)
B       := build/$(VARIANT)
BIN     := $(B)/bin

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith \
	-Wcast-qual -Wswitch-enum -Wnull-dereference -Wold-style-definition -Wno-missing-field-initializers
ifdef WERROR
WARNINGS += -Werror
endif
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-ftrivial-auto-var-init=pattern
ifdef SAN
OPT      := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=undefined
LDSAN    := -fsanitize=$(SAN)
else
OPT      := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN)
endif
CFLAGS   ?= $(OPT)
ALLFLAGS := -std=c17 -D_GNU_SOURCE $(CFLAGS) -fPIE $(WARNINGS) -I. -I$(B)/gen \
	-include common/banned.h -MMD -MP -pthread
LDALL    := -pie -Wl,-z,relro,-z,now -pthread $(LDSAN) $(LDFLAGS)

# --- folders and what they link -------------------------------------------------------------

src  = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(B)/obj/%.o,$(call src,$(1)))

SHIM_SRC   := worker/shim.c $(wildcard worker/shim_*.c)
WORKER_SRC := $(filter-out $(SHIM_SRC) worker/main.c,$(call src,worker))
SENDER_SRC := $(filter-out sender/main.c,$(call src,sender))
LIBS       := common queue tasks worker sender
lib         = $(B)/lib/libreeve-$(1).a
NETTLE     := -l:libnettle.a
COMMON_LD  := -lcjson $(NETTLE)
QUEUE_LD   := -lsqlite3 -luuid -lzstd
TASKS_LD   := -lpcre2-8

PROGRAMS := $(BIN)/reeve-httpapi $(BIN)/reeve-worker $(BIN)/reeve-shim $(BIN)/reeve-sender $(BIN)/reeve

.PHONY: all everything check unit system lint bench bench-quick schema schema-check docs install clean helpers FORCE
all: $(PROGRAMS)

$(BIN)/reeve-httpapi: $(call objs,httpapi) $(call lib,queue) $(call lib,tasks) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -o $@ $^ -lmicrohttpd $(QUEUE_LD) $(TASKS_LD) $(COMMON_LD)

$(BIN)/reeve-worker: $(B)/obj/worker/main.o $(call lib,worker) $(call lib,queue) $(call lib,tasks) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -o $@ $^ $(QUEUE_LD) $(TASKS_LD) $(COMMON_LD)

# The shim outlives everything and there is one per running job: only what it calls is linked,
# and the C library into it, for what a dynamic one has of its own in each process is more than
# all that the shim has. Its addresses are random all the same. Sanitizers cannot have it so.
SHIM_LD := $(if $(SAN),-pie -Wl$(comma)--as-needed,-static-pie)
SHIM_LIBS := $(if $(SAN),$(COMMON_LD),$(NETTLE))
$(BIN)/reeve-shim: $(SHIM_SRC:%.c=$(B)/obj/%.o) $(call lib,worker) $(call lib,queue) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(filter-out -pie,$(LDALL)) $(SHIM_LD) -Wl,--gc-sections -o $@ $^ $(SHIM_LIBS)

$(BIN)/reeve-sender: $(B)/obj/sender/main.o $(call lib,sender) $(call lib,queue) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -o $@ $^ -lcurl $(QUEUE_LD) $(COMMON_LD)

$(BIN)/reeve: $(call objs,client) $(call lib,queue) $(call lib,tasks) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -o $@ $^ -lcurl $(QUEUE_LD) $(TASKS_LD) $(COMMON_LD)

$(call lib,common): $(call objs,common)
$(call lib,queue): $(call objs,queue)
$(call lib,tasks): $(call objs,tasks)
$(call lib,worker): $(WORKER_SRC:%.c=$(B)/obj/%.o)
$(call lib,sender): $(SENDER_SRC:%.c=$(B)/obj/%.o)
$(B)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -ffunction-sections -fdata-sections -c -o $@ $<

# --- generated: SQL as C --------------------------------------------------------------------

$(B)/gen/statements.h: $(sort $(wildcard queue/*.sql)) scripts/embed-sql
	@mkdir -p $(@D)
	scripts/embed-sql statements $(filter %.sql,$^) > $@.tmp && mv $@.tmp $@
$(B)/gen/migrations.h: $(sort $(wildcard migrations/*.sql)) scripts/embed-sql
	@mkdir -p $(@D)
	scripts/embed-sql migrations $(filter %.sql,$^) > $@.tmp && mv $@.tmp $@
$(call objs,queue): | $(B)/gen/statements.h $(B)/gen/migrations.h

# --- tests ----------------------------------------------------------------------------------

UNIT    := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
UNIT_HELP := $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(wildcard tests/unit/test_*.c),$(wildcard tests/unit/*.c)))
PRELOADS := $(wildcard tests/helpers/lib*.c)
HELPERS := $(patsubst tests/helpers/%.c,$(B)/tests/%,$(filter-out $(PRELOADS),$(wildcard tests/helpers/*.c))) \
	$(PRELOADS:tests/helpers/%.c=$(B)/tests/%.so)

$(B)/tests/test_%: $(B)/obj/tests/unit/test_%.o $(UNIT_HELP) $(call lib,worker) $(call lib,sender) $(call lib,queue) $(call lib,tasks) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -o $@ $^ -lcmocka $(QUEUE_LD) $(TASKS_LD) $(COMMON_LD)
$(B)/tests/test_httpapi_kept: $(B)/obj/httpapi/kept.o
$(B)/tests/%: $(B)/obj/tests/helpers/%.o $(call lib,queue) $(call lib,common)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -o $@ $^ $(QUEUE_LD) $(COMMON_LD)
$(B)/tests/lib%.so: tests/helpers/lib%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(filter-out -fPIE -fsanitize=%,$(ALLFLAGS)) -fPIC -shared -o $@ $< -ldl
$(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/unit/*.c tests/helpers/*.c)): | $(B)/gen/statements.h $(B)/gen/migrations.h

helpers: $(HELPERS)
everything: all $(UNIT) $(HELPERS) # for make lint: all there is to compile
unit: $(UNIT) $(HELPERS)
	scripts/run-tests --unit $(B)
system: all helpers
	scripts/run-tests --system $(B)
check: all $(UNIT) $(HELPERS)
	scripts/run-tests --all $(B)
-include tests/extra.mk
-include bench/bench.mk

# --- habits ---------------------------------------------------------------------------------

lint:
	scripts/lint
schema: all
	$(BIN)/reeve db schema > schema.sql
schema-check: all
	$(BIN)/reeve db schema | diff -u schema.sql -
bench: all
	bench/run
bench-quick: all
	bench/run --quick

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/reeve $(DESTDIR)$(PREFIX)/share/doc/reeve
	install -m 755 $(BIN)/reeve $(BIN)/reeve-httpapi $(BIN)/reeve-worker $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BIN)/reeve-shim $(BIN)/reeve-sender $(DESTDIR)$(PREFIX)/libexec/reeve/
	install -m 644 README.md CHANGELOG.md LICENSE schema.sql $(DESTDIR)$(PREFIX)/share/doc/reeve/

clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
