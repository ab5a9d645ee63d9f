# Programs of the benchmark: bench/NAME.c -> build/<variant>/bench/NAME. Read by the Makefile.
# They link no code of ours: the limits must not be made of what they measure.

BENCH_SHARED := bench/tools.c bench/client.c
BENCH := $(patsubst bench/%.c,$(B)/bench/%,$(filter-out $(BENCH_SHARED),$(wildcard bench/*.c)))

$(BENCH): $(B)/bench/%: $(B)/obj/bench/%.o $(BENCH_SHARED:%.c=$(B)/obj/%.o)
	@mkdir -p $(@D)
	$(CC) $(LDALL) -Wl,--as-needed -o $@ $^ -lmicrohttpd -lsqlite3

.PHONY: bench-programs
bench-programs: $(BENCH)
everything check system bench bench-quick: $(BENCH)
bench bench-quick: $(B)/tests/history
