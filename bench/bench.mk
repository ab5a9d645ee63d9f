# Programs of the benchmark: bench/NAME.c -> build/<variant>/bench/NAME. Read by the Makefile.
# They link no code of ours but common/: the limits must not be made of what they measure.

BENCH := $(patsubst bench/%.c,$(B)/bench/%,$(filter-out bench/tools.c,$(wildcard bench/*.c)))

$(BENCH): $(B)/bench/%: $(B)/obj/bench/%.o $(B)/obj/bench/tools.o
	@mkdir -p $(@D)
	$(CC) $(LDALL) -Wl,--as-needed -o $@ $^ -lmicrohttpd -lsqlite3

.PHONY: bench-programs
bench-programs: $(BENCH)
everything check system bench bench-quick: $(BENCH)
