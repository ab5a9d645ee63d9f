/* signals.h - the names of signals, as people write them. */
#ifndef REEVE_SIGNALS_H
#define REEVE_SIGNALS_H

/* "TERM" for 15; NULL for a number that has no name. */
const char *signal_name(int number);

/* The number of a standard signal by its name in capitals, with or without SIG, or by its
 * number as text. -1: it is none. */
int signal_parse(const char *word);

#endif
