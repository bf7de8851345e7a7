// The handover from the native program to the supervisor's file: `key=value` lines, the arguments and the environment.
// Declarations only.
#pragma once
#include "svc-super.h"

/** The descriptor numbers that the supervisor's file expects (src/platform/handover.ts says what each is for). */
enum { FD_PID1 = 3, FD_HANDOVER = 4, FD_CONTROL = 5, FD_IDLE = 6 };

/** Lines `key=value`, each NUL-terminated. What does not fit is cut off. */
struct handover {
  u32 size;
  char lines[8192];
};
/** `key` ends with the `=`. */
void add_line(struct handover *handover, const char *key, const char *value);
void add_number(struct handover *handover, const char *key, i64 number);
#define NO_HANDOVER "cannot hand over arguments and environment: they are too long for a pipe (1 MiB), or no memory or descriptor is left"
/**
 * Stores the lines, the arguments and the environment. Returns a descriptor at the beginning of them, or minus an
 * errno.
 */
long make_handover(const struct start *start, struct handover *handover);
/**
 * Replaces this process by the supervisor's file, with a clean environment. On failure it prints the reason, unless
 * `is_optional`, and returns an exit code.
 */
int execute_supervisor(const struct start *start, int is_optional);
/** make_handover at FD_HANDOVER, then execute_supervisor with the original signal mask. */
int hand_over(const struct start *start, struct handover *handover, int is_optional);

// control.c: finds the control socket, for the supervisor and for commands.

/**
 * Listens at the first usable place. Returns a descriptor, or -1. Adds that place, and the reasons why others are not
 * usable, to `handover`.
 */
int listen_control(const struct start *start, struct handover *handover);
/**
 * Connects to the supervisor at `chosen`. If that is null, uses SVC_SUPER_SOCKET; if that is not set, the only
 * supervisor that answers. Returns a descriptor, or -1 if none or several answer: `handover` lists them.
 */
int connect_control(const struct start *start, const char *chosen, struct handover *handover);
/** Removes the socket that listen_control created. */
void close_control(void);
