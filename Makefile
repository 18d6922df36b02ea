# Trivet. `make` builds, `make run` and `make check` first install what they need; `make help` lists the rest.

PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
DESTDIR ?=
BUILD   ?= build
CFLAGS  ?= -O2 -g
V       ?= 0
# How many compilers and test programs run at a time, and what `make run` gives `trivet serve` besides.
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
ARGS    ?=

VERSION := 0.1.0
# Of libtrivet-merge.so: the first number changes where a program that was linked with the old one would break.
SOVERSION := 0

# ---- what the program is built with and needs --------------------------------------------------------------

BUILD_PACKAGES := gcc make pkg-config libc6-dev libuv1-dev libwslay-dev libsodium-dev libjansson-dev \
                  libsqlite3-dev libzstd-dev libqrencode-dev node-llhttp nettle-dev libinih-dev libavahi-client-dev
CHECK_PACKAGES := $(BUILD_PACKAGES) libcmocka-dev clang-format locales mandoc shellcheck nodejs node-ws node-tweetnacl python3-autobahn \
                  sqlite3 strace faketime systemd iproute2 dbus-daemon avahi-daemon avahi-utils curl
DEB_PACKAGES := $(BUILD_PACKAGES) build-essential debhelper
CHECK_ALL_PACKAGES := $(CHECK_PACKAGES) $(DEB_PACKAGES) clang libclang-rt-dev lld valgrind tcpdump xfsprogs e2fsprogs debootstrap lintian piuparts
BENCH_PACKAGES := $(BUILD_PACKAGES) git nodejs node-ws node-tweetnacl

LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP_INCLUDE ?= /usr/share/include/llhttp
PKGS       := libuv libsodium jansson sqlite3 libqrencode inih
# Little of these is used, and of a shared library an idle server would hold hundreds of kB: taken in where there is an archive.
TAKEN_IN   := zstd nettle
taken_in    = $(or $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l$(1))
# Asked of pkg-config when first used, after the packages were installed.
DEP_CFLAGS  = $(eval DEP_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(DEP_CFLAGS)
DEP_LIBS    = $(eval DEP_LIBS := $$(shell pkg-config --libs $(PKGS)) $(foreach l,$(TAKEN_IN),$(call taken_in,$(l))) -lwslay -lm)$(DEP_LIBS)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion
ifdef WERROR
WARN += -Werror
endif
HARDEN  ?= -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
SANITIZE ?=
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -DTRIVET_VERSION='"$(VERSION)"' $(WARN) -fPIE $(HARDEN) $(SANITIZE) -MMD -MP \
              -Imerge -Iproto -Isrc -isystem $(LLHTTP_INCLUDE) $(DEP_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

ifeq ($(V),0)
Q := @
say = @printf '%-6s %s\n' $(1) $(2);
endif

# ---- sources, room by room ---------------------------------------------------------------------------------

MERGE_SRC := $(wildcard merge/*.c)
PROTO_SRC := $(wildcard proto/*.c)
# What talks to avahi-daemon is a program of its own, trivet-mdns (src/mdns/main.c says why).
MDNS_SRC  := $(wildcard src/mdns/*.c)
SRC       := $(filter-out $(MDNS_SRC),$(wildcard src/*.c src/*/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
MERGE_OBJ  := $(call obj,$(MERGE_SRC))
PROTO_OBJ  := $(call obj,$(PROTO_SRC))
MDNS_OBJ   := $(call obj,$(MDNS_SRC))
LLHTTP_OBJ := $(addprefix $(BUILD)/obj/llhttp/,api.o http.o llhttp.o)
# Everything but main(): what the program and its tests have in common.
APP_OBJ    := $(filter-out $(BUILD)/obj/src/main.o,$(call obj,$(SRC)))

.DEFAULT_GOAL := all
.PHONY: all help run test tests check check-all endure bench benches install install-merge deb wasm coverage coverage-here clean asan tsan sanitized fuzz fuzz-targets \
        deps check-deps check-all-deps deb-deps bench-deps format lint force

all: $(BUILD)/trivet $(BUILD)/trivet-mdns $(BUILD)/libtrivet-merge.a $(BUILD)/libtrivet-merge.so $(BUILD)/libtrivet-proto.a

$(BUILD)/trivet: $(BUILD)/obj/src/main.o $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-proto.a $(BUILD)/libtrivet-merge.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS)

MDNS_LIBS = $(shell pkg-config --libs avahi-client libuv jansson)
$(BUILD)/trivet-mdns: $(MDNS_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(MDNS_LIBS)

$(BUILD)/libtrivet-merge.a: $(MERGE_OBJ)
# One set of objects for both of its forms; only what trivet_merge.h declares can be seen from outside.
MERGE_CFLAGS := -fPIC -fvisibility=hidden -fno-semantic-interposition $(MERGE_COVERAGE)
$(MERGE_OBJ): private ALL_CFLAGS += $(MERGE_CFLAGS)
$(BUILD)/libtrivet-merge.so: $(MERGE_OBJ) merge/trivet_merge.map
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -Wl,-soname,libtrivet-merge.so.$(SOVERSION) -Wl,--version-script=merge/trivet_merge.map \
	    -Wl,-z,relro,-z,now $(if $(SANITIZE),,-Wl,-z,defs) $(SANITIZE) $(LDFLAGS) -o $@ $(MERGE_OBJ)

$(BUILD)/libtrivet-proto.a: $(PROTO_OBJ)
$(BUILD)/libtrivet-app.a: $(APP_OBJ) $(LLHTTP_OBJ)

$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/obj/llhttp/%.o: $(LLHTTP_DIR)/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -I$(LLHTTP_INCLUDE) -fPIE -O2 $(HARDEN) $(SANITIZE) -c -o $@ $<

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Changes when the flags do (the weight of a warning aside), so that what was built with others is built again; AS_BUILT=1 takes it
# as it is.
FLAGS = $(CC) $(filter-out -Werror,$(ALL_CFLAGS) $(MERGE_CFLAGS)) $(ALL_LDFLAGS)
same  = $(and $(findstring $(1),$(2)),$(findstring $(2),$(1)))
$(BUILD)/flags: $(if $(AS_BUILT),,force)
	$(shell mkdir -p $(@D))$(if $(call same,$(file <$@),$(FLAGS)),,$(file >$@,$(FLAGS)))@:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- the merge library as WebAssembly, with as much of a C library as it needs ------------------------------

WASM_CLANG  ?= clang
WASM_CFLAGS := --target=wasm32 -std=c11 -Os -ffreestanding -nostdinc -fvisibility=hidden $(WARN)
WASM_LIBC   := tests/lint/freestanding
$(BUILD)/wasm/trivet_merge.wasm: $(MERGE_SRC) $(wildcard merge/*.h $(WASM_LIBC)/*)
	@mkdir -p $(@D)
	$(call say,WASM,$@)
	$(Q)$(WASM_CLANG) $(WASM_CFLAGS) -isystem $(WASM_LIBC) -isystem $$($(WASM_CLANG) -print-resource-dir)/include -Imerge \
	    -nostdlib -Wl,--no-entry -Wl,--export-dynamic -o $@ $(MERGE_SRC) $(WASM_LIBC)/libc.c
wasm: $(BUILD)/wasm/trivet_merge.wasm

# ---- tests: each tests/test_*.c is one program; found, not listed ------------------------------------------

TEST_SRC := $(wildcard tests/test_*.c)
TEST_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))

$(BUILD)/tests/test_merge%: $(BUILD)/obj/tests/test_merge%.o $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka -lm

# Their memory runs out on purpose, in arenas too.
$(BUILD)/tests/test_merge_memory $(BUILD)/tests/test_merge_cases: private ALL_LDFLAGS += \
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=tm_alloc,--wrap=tm_alloc_array,--wrap=tm_alloc_bytes

# Counts the library's steps: objects of its own, in which each basic block calls.
$(BUILD)/obj/steps/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,"$< counted")
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize-coverage=trace-pc -c -o $@ $<
$(BUILD)/tests/test_merge_growth: $(BUILD)/obj/tests/test_merge_growth.o $(patsubst merge/%.c,$(BUILD)/obj/steps/merge/%.o,$(MERGE_SRC))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=memmove,--wrap=memcpy,--wrap=memcmp -o $@ $^ -lcmocka -lm

# Likewise, of what answers a phone that comes.
$(BUILD)/tests/test_opening_work: $(BUILD)/obj/tests/test_opening_work.o $(BUILD)/obj/steps/src/store/device.o \
    $(patsubst proto/%.c,$(BUILD)/obj/steps/proto/%.o,$(PROTO_SRC)) $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--exclude-libs,libtrivet-app.a -o $@ $^ $(DEP_LIBS) -lcmocka

# This one makes each allocation fail in its turn.
$(BUILD)/tests/test_proto_memory: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=free
$(BUILD)/tests/test_proto_wipe: LDFLAGS += -Wl,--wrap=malloc,--wrap=realloc,--wrap=free

$(BUILD)/tests/test_proto%: $(BUILD)/obj/tests/test_proto%.o $(BUILD)/libtrivet-proto.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS) -lcmocka

$(BUILD)/tests/test_mdns%: $(BUILD)/obj/tests/test_mdns%.o $(filter-out $(BUILD)/obj/src/mdns/main.o,$(MDNS_OBJ))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(MDNS_LIBS) -lcmocka

# cmocka calls its own print_error, not the program's.
$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-proto.a $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--exclude-libs,libtrivet-app.a -o $@ $^ $(DEP_LIBS) -lcmocka

# Counts the machines of both ends: none may be left.
$(BUILD)/tests/test_wire_sim: private ALL_LDFLAGS += \
    -Wl,--wrap=trivet_proto_computer_new,--wrap=trivet_proto_computer_free,--wrap=trivet_proto_phone_new,--wrap=trivet_proto_phone_free

# A fuzz target's name says what it feeds: tests/fuzz/fuzz_*.c, built by `make fuzz` alone, with clang.
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

# With the library's steps counted, as in the growth test; the fuzzer's own runtime has that function, too.
$(BUILD)/fuzz/fuzz_merge: $(BUILD)/obj/tests/fuzz/fuzz_merge.o $(patsubst merge/%.c,$(BUILD)/obj/steps/merge/%.o,$(MERGE_SRC))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -Wl,--wrap=__sanitizer_cov_trace_pc -o $@ $^ -lm

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-proto.a $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(DEP_LIBS)

.SECONDARY:

# ---- installing what is missing ----------------------------------------------------------------------------

# Those of $(1) that dpkg does not know as installed.
missing = $(filter-out $(patsubst installed=%,%,$(filter installed=%,$(shell \
              dpkg-query -W -f='$${db:Status-Status}=$${Package} ' $(1) 2>/dev/null))),$(1))

# Installs $(1). The package lists are fetched first only where those at hand do not do.
define apt_get
@if ! command -v apt-get >/dev/null; then \
    echo 'This is no Debian. Please install what these packages of Debian hold, then run make:' >&2; \
    echo '  $(1)' >&2; exit 1; \
fi; \
if [ "$$(id -u)" -eq 0 ]; then root=; elif command -v sudo >/dev/null; then root=sudo; else \
    echo 'Not root, and no sudo here. Please have these packages installed, then run make again:' >&2; \
    echo '  $(1)' >&2; exit 1; \
fi; \
echo 'Installing $(1)'; \
get() { $$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$$@"; }; \
{ apt-get -qq -s install --no-install-recommends $(1) >/dev/null 2>&1 && \
  get install -y --no-install-recommends $(1) >/dev/null; } || \
{ get update && get install -y --no-install-recommends $(1) >/dev/null; }
endef
need = $(if $(call missing,$(1)),$(call apt_get,$(call missing,$(1))),@:)

deps:
	$(call need,$(BUILD_PACKAGES))
check-deps:
	$(call need,$(CHECK_PACKAGES))
deb-deps:
	$(call need,$(DEB_PACKAGES))
check-all-deps:
	$(call need,$(CHECK_ALL_PACKAGES))
bench-deps:
	$(call need,$(BENCH_PACKAGES))

# ---- running and checking ----------------------------------------------------------------------------------

# The same Makefile once more, after the packages are there; as many jobs as there are processors unless -j says.
again = $(Q)$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

run: deps
	$(call again) all
	$(Q)exec $(BUILD)/trivet serve $(ARGS)

LINTS     := $(wildcard tests/lint/*.test.sh) tests/lint/lint.sh
SCENARIOS := $(wildcard tests/scenario/*.test.mjs)
FIXTURES  := $(if $(wildcard fixtures/merge),'$(BUILD)/trivet merge --check fixtures/merge')
ORACLE    := $(if $(wildcard tests/oracle/compare.mjs),'node tests/oracle/compare.mjs 3000')
run_tests_bare = TRIVET=$(BUILD)/trivet BUILD=$(BUILD) JOBS=$(JOBS) $(if $(PATIENCE),TEST_TIMEOUT=$(PATIENCE) )tests/run.sh
run_tests  = $(Q)$(run_tests_bare)

tests: all $(TEST_BIN)

# What `check` runs, with the packages that are there.
test: tests
	$(run_tests) $(TEST_BIN) $(FIXTURES) $(ORACLE) $(SCENARIOS) $(LINTS)

check: check-deps
	$(call again) WERROR=1 tests
	$(call again) WERROR=1 test

SAN_UB := -fsanitize=undefined -fno-sanitize-recover=undefined
asan:
	$(call again) BUILD=build-asan HARDEN= SANITIZE='-fsanitize=address $(SAN_UB)' CFLAGS='-O1 -g -fno-omit-frame-pointer' tests
tsan:
	$(call again) BUILD=build-tsan HARDEN= SANITIZE='-fsanitize=thread' CFLAGS='-O1 -g -fno-omit-frame-pointer' tests

# How much of merge/ the tests take, by gcov; a line that says `not covered: REASON` aside (tests/coverage.mjs).
COVERAGE_LINES    ?= 100
COVERAGE_BRANCHES ?= 100
COVERAGE_BIN = $(filter $(BUILD)/tests/test_merge%,$(TEST_BIN))
coverage: check-deps
	$(call again) BUILD=build-coverage HARDEN= CFLAGS='-O0 -g' MERGE_COVERAGE='--coverage -fprofile-update=atomic' LDFLAGS=--coverage coverage-here
# One at a time: what two of them count at once can be lost.
coverage-here: private override JOBS = 1
coverage-here: $(BUILD)/trivet $(COVERAGE_BIN)
	$(Q)rm -f $(BUILD)/obj/merge/*.gcda
	$(run_tests) $(COVERAGE_BIN) $(FIXTURES)
	$(Q)node tests/coverage.mjs $(BUILD)/obj/merge $(COVERAGE_LINES) $(COVERAGE_BRANCHES)

# Each target for FUZZ_SECONDS, from the corpus in tests/fuzz/corpus/NAME where there is one.
FUZZ_SECONDS ?= 30
fuzz:
	$(call again) BUILD=build-fuzz HARDEN= CC=clang SANITIZE='-fsanitize=fuzzer-no-link,address $(SAN_UB)' CFLAGS='-O1 -g' \
	    fuzz-targets
	$(Q)tests/fuzz/run.sh $(FUZZ_SECONDS) build-fuzz/fuzz/fuzz_*
fuzz-targets: $(FUZZ_BIN)

check-all: PATIENCE := 1200
check-all: check-all-deps check
	$(call again) wasm
	@echo '-- clang'
	$(call again) BUILD=build-clang CC=clang WERROR=1 tests
	@echo '-- the oracle, and properties'
	$(run_tests) 'node tests/oracle/compare.mjs 100000 1000000' '$(BUILD)/tests/test_merge_properties 1000000 1000000'
	@echo '-- simulated histories'
	$(Q)TRIVET=$(BUILD)/trivet TEST_TIMEOUT=7200 tests/run.sh '$(BUILD)/tests/test_reconcile_sim 200000 1 $(JOBS)'
	@echo '-- the protocol, simulated'
	$(Q)TRIVET=$(BUILD)/trivet TEST_TIMEOUT=7200 tests/run.sh '$(BUILD)/tests/test_wire_sim 5000 1 $(JOBS)'
	@echo '-- retention: random lives, and a year'
	$(run_tests) '$(BUILD)/tests/test_store_prune 1000 1000'
	$(call again) $(BUILD)/bench/bench_retention
	$(Q)$(BUILD)/bench/bench_retention
	@echo '-- valgrind'
	$(Q)export TRIVET_SIM_RUNS=20 TRIVET_WIRE_RUNS=10 TRIVET_GROWTH_PART=15; $(run_tests_bare) $(patsubst %,'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite %',$(TEST_BIN))
	@echo '-- address and undefined behaviour sanitizers'
	$(call again) asan
	$(Q)export TRIVET_SIM_RUNS=300 TRIVET_WIRE_RUNS=100; $(MAKE) --no-print-directory BUILD=build-asan sanitized
	@echo '-- thread sanitizer'
	$(call again) tsan
	$(Q)export TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp; \
	$(MAKE) --no-print-directory BUILD=build-tsan TEST_BIN= FIXTURES= ORACLE= sanitized
	@echo '-- coverage'
	$(call again) coverage
	@echo '-- fuzzing'
	$(call again) fuzz
	@echo '-- packages'
	$(Q)BUILD=$(BUILD) tests/run.sh tests/package/deb.test.sh
	$(endure)
	@echo 'all of it passed'

# Power cuts, kill -9, a soak, a thousand idle phones: an hour or so, and one at a time, since memory and processor time are looked at.
# THOROUGH: those among the scenarios that do more when asked to by the environment.
THOROUGH := fault fsck mdns addresses middle capture keys transfer flood
define endure
	@echo '-- endurance'
	$(Q)TRIVET_KILLS=200 TRIVET_THOROUGH=1 TRIVET=$(BUILD)/trivet JOBS=1 TEST_TIMEOUT=7200 tests/run.sh $(THOROUGH:%=tests/scenario/%.test.mjs) $(wildcard tests/endure/*.test.mjs)
endef
endure: check-all-deps all
	$(endure)

# Runs what a sanitizer's build made, as it is.
sanitized:
	$(run_tests) $(TEST_BIN) $(FIXTURES) $(ORACLE) $(SCENARIOS)

lint: check-deps
	$(Q)tests/lint/lint.sh

format:
	$(Q)clang-format -i $$(find merge proto src tests -name '*.[ch]')

# tests/bench/bench_*.c are programs, tests/bench/*.mjs measure build/trivet from outside.
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/bench_*.c))

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libtrivet-app.a $(BUILD)/libtrivet-proto.a $(BUILD)/libtrivet-merge.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS)

benches: all $(BENCH_BIN)

bench: bench-deps
	$(call again) benches
	$(Q)for bench in $(BENCH_BIN); do echo "-- $$bench"; TRIVET=$(BUILD)/trivet $$bench || exit 1; done
	$(Q)for bench in $(filter-out %/workload.mjs %/server.mjs,$(wildcard tests/bench/*.mjs)); do echo "-- $$bench"; TRIVET=$(BUILD)/trivet BUILD=$(BUILD) node $$bench || exit 1; done

# ---- the rest ----------------------------------------------------------------------------------------------

install: all install-merge
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/trivet $(DESTDIR)$(PREFIX)/share/doc/trivet $(DESTDIR)$(COMPLETIONS)
	install -m 755 $(BUILD)/trivet $(DESTDIR)$(PREFIX)/bin/
	install -m 644 src/cli/completion.bash $(DESTDIR)$(COMPLETIONS)/trivet
	install -m 755 $(BUILD)/trivet-mdns $(DESTDIR)$(PREFIX)/libexec/trivet/
	install -m 644 README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/trivet/
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR)
	sed 's|@PREFIX@|$(PREFIX)|' src/service/trivet.service.in > $(DESTDIR)$(UNITDIR)/trivet.service
	chmod 644 $(DESTDIR)$(UNITDIR)/trivet.service
	install -m 644 src/service/trivet.sysusers $(DESTDIR)$(SYSUSERSDIR)/trivet.conf
	install -d $(DESTDIR)/etc/trivet
	$(call install_pages,$(wildcard man/*.[1-8]))

# The library alone needs nothing but a C compiler.
install-merge: $(BUILD)/libtrivet-merge.a $(BUILD)/libtrivet-merge.so
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 merge/trivet_merge.h $(DESTDIR)$(INCLUDEDIR)/
	install -m 644 $(BUILD)/libtrivet-merge.a $(DESTDIR)$(LIBDIR)/
	install -m 644 $(BUILD)/libtrivet-merge.so $(DESTDIR)$(LIBDIR)/libtrivet-merge.so.$(VERSION)
	ln -sf libtrivet-merge.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libtrivet-merge.so.$(SOVERSION)
	ln -sf libtrivet-merge.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libtrivet-merge.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	    merge/trivet-merge.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/trivet-merge.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/trivet-merge.pc
	install -d $(DESTDIR)$(PREFIX)/share/doc/trivet-merge
	install -m 644 merge/README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/trivet-merge/
	$(call install_pages,man/trivet_merge.3)

# Debian packages, in build/deb. src/debian is where dpkg-buildpackage looks for it only in a copy of the tree.
deb: deb-deps
	$(Q)rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/trivet-$(VERSION)
	$(Q)tar -cf - --exclude=.git --exclude='./build*' . | tar -xf - -C $(BUILD)/deb/trivet-$(VERSION)
	$(Q)cd $(BUILD)/deb/trivet-$(VERSION) && mv src/debian debian && \
	    env -u MAKEFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS='$(strip $(DEB_BUILD_OPTIONS) parallel=$(JOBS))' dpkg-buildpackage -us -uc -b
	$(Q)rm -rf $(BUILD)/deb/trivet-$(VERSION)
	$(Q)ls $(BUILD)/deb/*.deb

define install_pages
for page in $(1); do \
    section=man$${page##*.}; \
    install -d $(DESTDIR)$(PREFIX)/share/man/$$section && \
    install -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/$$section/ || exit 1; \
done
endef

clean:
	rm -rf build build-asan build-tsan build-coverage build-clang build-fuzz $(BUILD)

help:
	@echo 'make              build/trivet, build/libtrivet-merge.a and .so, build/libtrivet-proto.a'
	@echo 'make run          installs what is missing, builds, starts `trivet serve` (ARGS="--port 8081")'
	@echo 'make check        installs what is missing, builds, runs all quick tests'
	@echo 'make check-all    the same with sanitizers, valgrind, clang and fuzzing'
	@echo 'make endure       power cuts, kill -9, 100,000 syncs, 1,000 idle phones; part of check-all'
	@echo 'make test         runs what check runs, and installs nothing'
	@echo 'make bench        measures'
	@echo 'make install      to $$DESTDIR$$PREFIX (/usr/local); LIBDIR is $$PREFIX/lib'
	@echo 'make install-merge  the merge library alone, with header, pkg-config file and manual page'
	@echo 'make deb          packages for Debian in build/deb, with a service that systemd starts'
	@echo 'make wasm         the merge library as a WebAssembly module, build/wasm/trivet_merge.wasm (clang, lld)'
	@echo 'make asan, tsan   builds with sanitizers in build-asan, build-tsan'
	@echo 'make coverage     how much of merge/ the tests take, line by line'
	@echo 'make fuzz         feeds the parsers (FUZZ_SECONDS=30 for each)'
	@echo 'make format, lint the sources as .clang-format has them; what the compilers do not check'
	@echo 'make deps, check-deps, check-all-deps, bench-deps: only installs what is missing'
	@echo 'make clean        removes what was built'
	@echo 'V=1 shows the commands; CC, CFLAGS, LDFLAGS, BUILD, PREFIX, LIBDIR, DESTDIR as usual; WERROR=1 makes warnings errors'
