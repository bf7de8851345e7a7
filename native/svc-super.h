// What the files of the native program know of each other. svc-super.c chooses what to run; supervise.c is PID 1 above the
// supervisor; spawn.c starts programs; frames.c speaks with the supervisor; control.c finds control sockets; init.c is one
// command under PID 1.
#pragma once
#include "sys.h"

// text.c
char *append(char *end, const char *limit, const char *text);
char *append_number(char *end, const char *limit, i64 number);
i64 parse_number(const char *text);
void say(const char *const *parts);
/** `SAY("cannot ", what)`. */
#define SAY(...) say((const char *const[]){__VA_ARGS__, NULL})

/** What this process was started with, and what it has to give back to the programs that it starts. */
struct start {
  int argc;
  char **argv, **envp;
  /** Blocked signals as they were before we blocked all: a program is to get them so. */
  sigmask blocked;
  /** RLIMIT_NOFILE as it was. */
  struct limit files;
  /** Bytes of a page, from the auxiliary vector (getauxval(3)). */
  u64 page;
};

/** Runs one command as `svc-super init`, tini, dumb-init or catatonit does, by the name `as`; returns the exit code. */
int init(const struct start *start, const char *as, int argc, char **argv);

/**
 * execvp(3) by the PATH of `envp`: tries each candidate, hands a text file without `#!` to /bin/sh, and an ELF file for
 * another machine never. Returns only an error: minus the errno that execvp would give.
 */
long execute(const char *file, char *const *argv, char *const *envp);
/** Whether execvp would find a program of that name. */
int is_program(const char *file, char *const *envp);

/** PID 1 above the supervisor, until everything is over; returns only when that could not be begun. */
int supervise(const struct start *start);
/** Lets the supervisor's file say why a program could not be executed; returns the exit code for it. */
int explain_exec_failure(const struct start *start, char *const *argv, int error);

// terminal.c
struct handover;
/** `svc-super exec` on a terminal: gives the command one of its own, and passes on what is typed and printed. */
int exec_on_terminal(const struct start *start, struct handover *handover);

// frames.c
/** Enlarges a table of the process's own memory to at least `least` bytes; minus an errno where there is no memory. */
long grow(void **table, size_t *capacity, size_t least);
