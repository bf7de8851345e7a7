// Functions that the files of the native program share: svc-super.c selects the mode; supervise.c is PID 1 with the
// supervisor as its child (supervise.h lists its files); spawn.c starts programs; frames.c encodes messages; handover.c
// executes the supervisor's file; control.c finds control sockets; terminal.c relays a terminal; init.c runs one command
// as PID 1. Declarations only.
#pragma once
#include "sys.h"

// text.c
char *append(char *end, const char *limit, const char *text);
char *append_number(char *end, const char *limit, i64 number);
i64 parse_number(const char *text);
void print_message(const char *const *parts);
/** `MESSAGE("cannot ", what)`. */
#define MESSAGE(...) print_message((const char *const[]){__VA_ARGS__, NULL})

/** How this process was started, and the settings that it restores for the programs that it starts. */
struct start {
  int argc;
  char **argv, **envp;
  /** The original signal mask. svc-super blocks every signal; programs start with this mask. */
  sigmask blocked;
  /** The original RLIMIT_NOFILE. */
  struct limit files;
  /** Size of a memory page in bytes, from the auxiliary vector (getauxval(3)). */
  u64 page;
};

/** Runs one command like the init `as`: `init`, `tini`, `dumb-init` or `catatonit`. Returns the exit code. */
int init(const struct start *start, const char *as, int argc, char **argv);

/**
 * execvp(3) with the PATH of `envp`: tries each candidate, and runs a text file without `#!` by /bin/sh, but never an
 * ELF file for another machine. Returns only on failure: minus the errno that execvp would set.
 */
long execute(const char *file, char *const *argv, char *const *envp);
/** Whether execvp would find a program of that name. */
int is_program(const char *file, char *const *envp);

/** Runs as PID 1 with the supervisor as its child. Returns an exit code only if the start fails. */
int supervise(const struct start *start);
/**
 * Executes the supervisor's file to print why a program could not be executed. Returns an exit code only if that fails.
 */
int explain_exec_failure(const struct start *start, char *const *argv, int error);

// terminal.c
struct handover;
/**
 * `svc-super exec` and `shell` on a terminal: gives the command a pseudo-terminal and relays input and output. Returns the exit
 * code.
 */
int exec_on_terminal(const struct start *start, struct handover *handover);

// screen.c
/** `svc-super top`: executes the supervisor's file, and restores the terminal if that is killed. Returns the exit code. */
int run_on_screen(const struct start *start, struct handover *handover);

// spawn.c
/**
 * Lets the kernel kill this process when `parent` ends (prctl(2)). If the parent is PID 1, the kernel does so anyway.
 */
void end_with_parent(int parent);

// frames.c
/** Enlarges a memory mapping that holds a table to at least `least` bytes; minus an errno if memory is exhausted. */
long grow(void **table, size_t *capacity, size_t least);
