# Postern: build, test, run. `make help` lists the targets.
#
# Variants build in folders of their own, so that a sanitized and a plain build never mix:
#   make BUILD=build-asan SANITIZE=address,undefined

CC      ?= cc
PREFIX  ?= /usr/local
BUILD   ?= build
VERSION := $(shell cat VERSION)

PACKAGES := libmicrohttpd jansson libcurl libxml-2.0 libidn2 libcrypto
# Looked up when a recipe runs, because `make deps` may only just have installed them.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES))

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
HARDLINK := -pie -Wl,-z,relro,-z,now,-z,noexecstack
OPTIMISE ?= -O2
ifdef SANITIZE
  HARDEN += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
  HARDLINK += -fsanitize=$(SANITIZE)
else
  HARDEN += -D_FORTIFY_SOURCE=2
endif

CPPFLAGS += -I. -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 -g $(OPTIMISE) $(WARNINGS) $(HARDEN)
LDFLAGS  += $(HARDLINK)

LAYERS  := base mime smtp service
SOURCES := $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.c))
HEADERS := $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.h))
objects  = $(patsubst %.c,$(BUILD)/%.o,$(1))
# All but the program's main(): what unit tests, fuzz targets and the benchmark's sender link with.
LIBRARY := $(BUILD)/libpostern.a

.PHONY: all help deps
all: $(BUILD)/postern

$(BUILD)/postern: $(call objects,service/main.c) $(LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread

$(LIBRARY): $(call objects,$(filter-out service/main.c,$(SOURCES))) $(BUILD)/service/openapi.o
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c VERSION Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/service/openapi.o: service/openapi.S openapi.yaml
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

-include $(patsubst %.o,%.d,$(call objects,$(SOURCES)))

# --- unit tests (cmocka): tests/unit/test_NAME.c is one program ---------------------------------

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: unit-programs
unit-programs: $(UNIT)

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(PKG_LIBS) -lcmocka -lpthread

-include $(patsubst %,%.d,$(UNIT))

.PHONY: clean
clean:
	rm -rf build build-*
