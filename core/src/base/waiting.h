/*
 * Threads of the program that sleep until the I/O brings something, in the whole process: for whoever
 * does the I/O to know whether it is missed. Any thread.
 */
#ifndef COORD_BASE_WAITING_H
#define COORD_BASE_WAITING_H

/* One more sleeps: a thread, or several on one queue. */
void coord__waiting_begin(void);
/* It got what it waits for; said by the one who brings it. */
void coord__waiting_served(void);
/* It gave up. */
void coord__waiting_end(void);

int coord__waiting_now(void);
/* How often coord__waiting_served was called, modulo 2^32. */
unsigned coord__waiting_served_count(void);

/* In a forked child: none of them is here. */
void coord__waiting_forget(void);

#endif
