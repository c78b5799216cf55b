# Postern: build, test, run. `make help` lists the targets.
#
# Variants build in folders of their own, so that a sanitized and a plain build never mix:
#   make BUILD=build-asan SANITIZE=address,undefined CC=clang

CC      ?= cc
PREFIX  ?= /usr/local
BUILD   ?= build
VERSION := $(shell cat VERSION)

PACKAGES := libmicrohttpd jansson libcurl libidn2 libcrypto libssl sqlite3 libpq zlib libcares libpsl
# Looked up when a recipe runs, because `make deps` may only just have installed them.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES))

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
HARDLINK := -pie -Wl,-z,relro,-z,now,-z,noexecstack
# What keeps the program small: functions that nobody calls go, relocations are packed, and nothing
# unwinds C at run time (debuggers have .debug_frame). All symbols are bound at the start, so that a
# library's function needs no stub to be called through.
SMALL    := -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-plt
SMALLINK := -Wl,--gc-sections -Wl,-z,pack-relative-relocs
OPTIMISE ?= -O2
# No mail waits long for what is not in HOT: it is made small, not fast.
# (Older compilers of GNU know no -Oz.)
COLD     ?= $(if $(shell echo | $(CC) -Oz -xc -fsyntax-only - 2>&1),-Os,-Oz)
ifdef SANITIZE
  HARDEN   += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
  HARDLINK += -fsanitize=$(SANITIZE)
else
  HARDEN   += -D_FORTIFY_SOURCE=2 $(SMALL)
  HARDLINK += $(SMALLINK)
endif

# GNU's compiler sees the program as a whole when it links it. The objects hold plain code as well, for
# the tests, which would otherwise each compile all of it again.
ifeq ($(SANITIZE)$(findstring Free Software Foundation,$(shell $(CC) --version 2>/dev/null)),Free Software Foundation)
  WHOLE    := -flto=auto
  FAT      := $(WHOLE) -ffat-lto-objects
  AS_IT_IS := -fno-lto
endif

CPPFLAGS += -I. -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 -g $(OPTIMISE) $(WARNINGS) $(HARDEN)
LDFLAGS  += $(HARDLINK)
COMPILE   = $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS)

LAYERS  := base mime smtp dkim dns queue template hook lint dialect service
SOURCES := $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.c))
HEADERS := $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.h))
objects  = $(patsubst %.c,$(BUILD)/%.o,$(1))
# All but the program's main(): what unit tests, fuzz targets and the benchmark's sender link with.
LIBRARY := $(BUILD)/libpostern.a
# Files that are a part of the program, packed.
TABLES  := $(patsubst %,$(BUILD)/pack/%.o,hook_profile_rows lint_texts postgres_sql smtp_preset_rows smtp_replies sqlite_sql)
PACKED  := $(BUILD)/service/openapi_packed.o $(BUILD)/service/builtin_packed.o $(TABLES)

# What a failing command leaves of a file is no file.
.DELETE_ON_ERROR:

.PHONY: all
all: deps-build $(BUILD)/postern ## build the program (build/postern)

$(BUILD)/postern: $(call objects,service/main.c) $(LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) $(WHOLE) -o $@ $^ $(PKG_LIBS) -lpthread

# The lean program (service/features.h): the files that ask what a program has are compiled once more for
# it, and stand before their twins in the library.
LEAN := $(call objects,$(addprefix lean/,$(shell grep -l '^#include "service/features.h"' $(SOURCES))))

.PHONY: lean
lean: deps-build $(BUILD)/postern-lean ## build the gateway alone (build/postern-lean), less than half as large

$(BUILD)/postern-lean: $(LEAN) $(LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) $(WHOLE) -Wl,--as-needed -o $@ $^ $(PKG_LIBS) -lpthread

$(LIBRARY): $(call objects,$(filter-out service/main.c,$(SOURCES))) $(PACKED)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c VERSION Makefile
	@mkdir -p $(@D)
	$(COMPILE) $(FAT) -MMD -MP -c -o $@ $<

$(BUILD)/lean/%.o: %.c VERSION Makefile
	@mkdir -p $(@D)
	$(COMPILE) $(FAT) -DPOSTERN_LEAN=1 -MMD -MP -c -o $@ $<

$(BUILD)/openapi.yaml.gz: openapi.yaml
	@mkdir -p $(@D)
	gzip -9nc $< >$@

# The folders are named, too: a file that is gone changes them.
TEMPLATES := $(sort $(wildcard $(addprefix templates/,*.mustache */*.mustache */sample.json */prepare.json)))
$(BUILD)/templates.tar.gz: $(TEMPLATES) templates $(wildcard templates/*/.)
	@mkdir -p $(@D)
	tar -C templates --format=ustar --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0644 -cf - \
	  $(TEMPLATES:templates/%=%) | gzip -9nc >$@

# Tables of C: a tool of the build's own writes them as the program reads them.
PACK := pack/pack.c hook/profile_table.c lint/rules_texts.c queue/postgres_text.c queue/sqlite_sql.c smtp/preset_table.c \
  smtp/replies_known.c
$(BUILD)/pack/pack: $(PACK) $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) -std=c11 $(WARNINGS) -o $@ $(PACK)

$(TABLES:.o=.gz): $(BUILD)/pack/%.gz: $(BUILD)/pack/pack
	$< $* >$(@:.gz=.bin)
	gzip -9nc $(@:.gz=.bin) >$@

$(TABLES): $(BUILD)/pack/%.o: pack/packed.S $(BUILD)/pack/%.gz
	$(CC) -DNAME=$* -DFILE='"$(BUILD)/pack/$*.gz"' -c -o $@ $<

$(BUILD)/service/openapi_packed.o: $(BUILD)/openapi.yaml.gz
$(BUILD)/service/builtin_packed.o: $(BUILD)/templates.tar.gz
$(BUILD)/service/%_packed.o: service/%.S
	@mkdir -p $(@D)
	$(CC) -Wa,-I$(BUILD) -c -o $@ $<

# What a mail spends its time in on its way from the client to the relay: it is made fast.
HOT := $(filter-out base/packed.c,$(wildcard base/*.c)) \
  $(addprefix mime/,address.c base64.c encode.c entities.c header.c html.c message.c text.c) \
  $(addprefix smtp/,dialogue.c dot.c envelope.c loop.c reply.c result.c sender.c timer.c) dkim/canon.c \
  $(addprefix template/,copy.c prepare.c render.c rows.c words.c write.c) \
  $(addprefix service/,answer.c document.c form.c http.c http_thread.c job.c log.c park.c request.c request_address.c \
    request_read.c scan.c send.c)
$(call objects,$(foreach file,$(filter-out $(HOT),$(SOURCES)),$(file) lean/$(file))): OPTIMISE = $(COLD)

-include $(patsubst %.o,%.d,$(call objects,$(SOURCES)) $(LEAN))

# --- what the machine needs (Debian's packages) -------------------------------------------------

.PHONY: deps-build deps-test deps-lint deps-fuzz deps-bench deps-image deps-pictures deps-filters
deps-build deps-test deps-lint deps-fuzz deps-bench deps-image deps-pictures deps-filters:
	@tests/deps.sh $(@:deps-%=%)

.PHONY: install
install: all ## install the program (PREFIX, DESTDIR)
	install -D -m 755 $(BUILD)/postern $(DESTDIR)$(PREFIX)/bin/postern

.PHONY: install-lean
install-lean: lean ## install the lean program, as postern
	install -D -m 755 $(BUILD)/postern-lean $(DESTDIR)$(PREFIX)/bin/postern

# --- tests --------------------------------------------------------------------------------------
# tests/unit/test_NAME.c is one program (cmocka); tests/blackbox is pytest, and programs of its own.

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
ASIDE := $(patsubst tests/blackbox/%.c,$(BUILD)/tests/%,$(wildcard tests/blackbox/*.c))

.PHONY: unit-programs test unit
unit-programs: $(UNIT) $(ASIDE)

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) $(AS_IT_IS) -MMD -MP -o $@ $< $(LIBRARY) $(PKG_LIBS) -lcmocka -lpthread

$(BUILD)/tests/%: tests/blackbox/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) $(AS_IT_IS) -MMD -MP -o $@ $< $(LIBRARY) $(PKG_LIBS) -lpthread

-include $(patsubst %,%.d,$(UNIT) $(ASIDE))

test: deps-build deps-test ## build and run every test
	@$(MAKE) --no-print-directory BUILD=$(BUILD) all lean unit-programs
	@BUILD=$(BUILD) tests/run

unit: deps-build deps-test ## the unit tests alone
	@$(MAKE) --no-print-directory BUILD=$(BUILD) unit-programs
	@BUILD=$(BUILD) tests/run --unit

.PHONY: sanitize
sanitize: deps-build deps-test deps-fuzz ## the whole suite under ASan+UBSan, TSan and valgrind
	tests/sanitize.sh

# --- fuzzing (libFuzzer): tests/fuzz/fuzz_NAME.c, seeds in tests/fuzz/seeds/NAME ----------------

FUZZ_BUILD := build-fuzz
FUZZ       := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TIME  ?= 60

.PHONY: fuzz fuzz-programs
fuzz: deps-build deps-fuzz ## run every fuzz target for FUZZ_TIME seconds
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang OPTIMISE=-O1 \
	  SANITIZE=fuzzer-no-link,address,undefined fuzz-programs
	@BUILD=$(FUZZ_BUILD) tests/fuzz/run.sh $(FUZZ_TIME) $(FUZZ)

fuzz-programs: $(patsubst %,$(BUILD)/fuzz_%,$(FUZZ))

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(LIBRARY)
	$(COMPILE) -fsanitize=fuzzer,address,undefined -MMD -MP -o $@ $< $(LIBRARY) $(PKG_LIBS) -lpthread

# --- lint ---------------------------------------------------------------------------------------

.PHONY: lint format
lint: deps-build deps-lint ## format, clang-tidy, both compilers, layering, the OpenAPI document
	tests/lint.sh

format: ## rewrite the sources with clang-format
	clang-format -i $(SOURCES) $(HEADERS) pack/pack.c $(wildcard tests/*/*.[ch])

# --- running ------------------------------------------------------------------------------------

.PHONY: demo demo-stop bench image image-test
demo: deps-build deps-test ## a real SMTP server, Postern on it, one mail, everything shown
	@$(MAKE) --no-print-directory all
	@tests/demo.sh start

demo-stop: ## stop what the demo left running
	@tests/demo.sh stop

bench: deps-build deps-bench ## measure against the peers (tests/bench/README.md; BENCH=--quick for 90 seconds)
	@$(MAKE) --no-print-directory all lean
	@tests/bench/run $(BENCH)

.PHONY: bench-micro
bench-micro: $(BUILD)/tests/bench/micro ## measure the primitives, each of the ways the processor has
	@$<

.PHONY: bench-queue
bench-queue: $(BUILD)/tests/bench/queue ## measure the queue on a disk (QUEUE_FOLDER, default build/; QUEUE_BACKLOGS)
	@folder=$$(mktemp -d "$${QUEUE_FOLDER:-$(BUILD)}/queue-XXXXXX") && trap 'rm -rf "$$folder"' EXIT && \
	  $< "$$folder" "$${QUEUE_BACKLOGS:-10000,1000000}" $$QUEUE_URL

$(BUILD)/tests/bench/%: tests/bench/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) $(AS_IT_IS) -MMD -MP -o $@ $< $(LIBRARY) $(PKG_LIBS) -lpthread

-include $(wildcard $(BUILD)/tests/bench/*.d)

.PHONY: lint-mail
lint-mail: deps-build deps-filters ## hold the lint of mail against SpamAssassin and Rspamd (docs/lint.md)
	@$(MAKE) --no-print-directory all
	@tests/lint/compare

.PHONY: pictures
pictures: deps-build deps-pictures ## pictures of the built-in templates (docs/templates)
	@$(MAKE) --no-print-directory BUILD=$(BUILD) $(BUILD)/tests/template_render
	@BUILD=$(BUILD) tests/pictures/render

image: ## the container image, with docker or podman or buildah, whichever there is
	tests/image/build.sh

image-test: deps-image ## build the image without an engine and run it (root; slow)
	tests/image/test.sh

.PHONY: clean help
clean: ## remove what was built
	rm -rf build build-*

help:
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16
