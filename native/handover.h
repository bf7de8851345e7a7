// What the native program hands over to the supervisor's file: lines of text, its own arguments and its environment.
#pragma once
#include "svc-super.h"

/** Where the supervisor's file finds its descriptors: see src/platform/handover.ts. */
enum { FD_SOCKET = 3, FD_HANDOVER = 4, FD_CONTROL = 5, FD_IDLE = 6 };

/** Lines `key=value`, each with its NUL. */
struct handover {
  u32 size;
  char lines[8192];
};
void add_line(struct handover *handover, const char *key, const char *value);
void add_number(struct handover *handover, const char *key, i64 number);
#define NO_HANDOVER "cannot hand over arguments and environment: they are too long for a pipe (1 MiB), or no memory or descriptor is left"
/** A descriptor with everything in it, at its beginning; minus an errno. */
long make_handover(const struct start *start, struct handover *handover);
/**
 * Replaces this process by the supervisor's file with a clean environment. Returns an exit code where it could not, and has
 * said why, unless `is_optional`.
 */
int execute_supervisor(const struct start *start, int is_optional);
/** Both, at FD_HANDOVER, with the signals as they were at the start. */
int hand_over(const struct start *start, struct handover *handover, int is_optional);

// control.c: where the control socket is, for who listens there and for who asks.

/** Listens at the first place that can be had; a descriptor, or -1. What was found goes into `handover`. */
int listen_control(const struct start *start, struct handover *handover);
/**
 * Connects to the supervisor at `chosen`, or, when that is null, at the place that the environment names, else to the only one
 * that answers. A descriptor, or -1: none answers, or several do, and `handover` lists them.
 */
int connect_control(const struct start *start, const char *chosen, struct handover *handover);
/** Removes the socket that listen_control made. */
void close_control(void);
