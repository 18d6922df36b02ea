# Trivet. `make` builds, `make run` and `make check` first install what they need; `make help` lists the rest.

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
CFLAGS  ?= -O2 -g
V       ?= 0

VERSION := 0.1.0

# ---- what the program is built with and needs --------------------------------------------------------------

BUILD_PACKAGES := gcc make pkg-config libc6-dev libuv1-dev libwslay-dev libsodium-dev libjansson-dev \
                  libsqlite3-dev libqrencode-dev node-llhttp nettle-dev libinih-dev
CHECK_PACKAGES := $(BUILD_PACKAGES) libcmocka-dev clang-format mandoc shellcheck nodejs node-ws node-tweetnacl \
                  sqlite3 strace
CHECK_ALL_PACKAGES := $(CHECK_PACKAGES) clang libclang-rt-14-dev valgrind
BENCH_PACKAGES := $(BUILD_PACKAGES) nodejs node-ws node-tweetnacl

LLHTTP_DIR ?= /usr/share/llhttp
PKGS       := libuv libsodium jansson sqlite3 libqrencode nettle inih
# Asked of pkg-config when first used, after the packages were installed.
DEP_CFLAGS  = $(eval DEP_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(DEP_CFLAGS)
DEP_LIBS    = $(eval DEP_LIBS := $$(shell pkg-config --libs $(PKGS)) -lwslay -lm)$(DEP_LIBS)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion
ifdef WERROR
WARN += -Werror
endif
HARDEN  ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE ?=
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -DTRIVET_VERSION='"$(VERSION)"' $(WARN) -fPIE $(HARDEN) $(SANITIZE) -MMD -MP \
              -Imerge -Iproto -Isrc $(DEP_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

ifeq ($(V),0)
Q := @
say = @printf '%-6s %s\n' $(1) $(2);
endif

# ---- sources, room by room ---------------------------------------------------------------------------------

MERGE_SRC := $(wildcard merge/*.c)
PROTO_SRC := $(wildcard proto/*.c)
SRC       := $(wildcard src/*.c src/*/*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
MERGE_OBJ  := $(call obj,$(MERGE_SRC))
PROTO_OBJ  := $(call obj,$(PROTO_SRC))
LLHTTP_OBJ := $(addprefix $(BUILD)/obj/llhttp/,api.o http.o llhttp.o)
# Everything but main(): what the program and its tests have in common.
APP_OBJ    := $(filter-out $(BUILD)/obj/src/main.o,$(call obj,$(SRC)))

.DEFAULT_GOAL := all
.PHONY: all help run check check-all bench install clean asan tsan deps check-deps check-all-deps bench-deps \
        format lint

all: $(BUILD)/trivet $(BUILD)/libtrivet-merge.a $(BUILD)/libtrivet-proto.a

$(BUILD)/trivet: $(BUILD)/obj/src/main.o $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-proto.a $(BUILD)/libtrivet-merge.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS)

$(BUILD)/libtrivet-merge.a: $(MERGE_OBJ)
$(BUILD)/libtrivet-proto.a: $(PROTO_OBJ)
$(BUILD)/libtrivet-app.a: $(APP_OBJ) $(LLHTTP_OBJ)

$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/obj/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -I/usr/share/include/llhttp -fPIE -O2 $(HARDEN) $(SANITIZE) -c -o $@ $<

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- tests: each tests/test_*.c is one program; found, not listed ------------------------------------------

TEST_SRC := $(wildcard tests/test_*.c)
TEST_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))

$(BUILD)/tests/test_merge%: $(BUILD)/obj/tests/test_merge%.o $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka -lm

$(BUILD)/tests/test_proto%: $(BUILD)/obj/tests/test_proto%.o $(BUILD)/libtrivet-proto.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS) -lcmocka

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-proto.a $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS) -lcmocka

clean:
	rm -rf $(BUILD)
