// What the files of PID 1 with a supervisor share: its state, and the functions that one of these files defines for the
// others. supervise.c starts it; loop.c waits for events; runs.c keeps the table of runs; requests.c executes requests;
// reports.c writes events; alone.c stops all services after the end of the supervisor. Declarations only.
#pragma once
#include "handover.h"
#include "spawn.h"

enum { EXIT_BUG = 70, REAPED_MOST = 512, ORPHANS_INTERVAL = 1000 };
/** What an entry of the queue reports about a run: the result of its start, or its exit. */
enum report { REPORT_STARTED = 0, REPORT_EXITED = 1 };

/**
 * All of PID 1's state. Hidden, so that the compiler addresses it relative to the code: relocations are not applied to
 * this program.
 */
extern struct pid1 {
  const struct start *start;
  int self, is_init, signals, socket, supervisor, control;
  /** The supervisor has taken over. */
  int has_taken_over;
  u32 grace;
  sigmask stop_signals;
  struct inbox in;
  struct writer out;
  struct run *runs;
  size_t runs_size;
  u32 run_count, free_hint;
  /** The queue of reports, oldest first: slot << 1 | REPORT_STARTED or REPORT_EXITED. */
  u32 *reports;
  size_t reports_size;
  u32 reports_from, reports_to;
  /** Signals that were received and not reported yet, and the last sender of each. */
  sigmask received;
  struct { i32 code, pid; } senders[SIGNALS + 1];
  /** Orphans reaped, in total and as of the last report; below, the numbers of those reaped since that report. */
  u64 reaped, reaped_reported;
  i64 reaped_reported_at;
  u32 orphan_count;
  i32 orphans[REAPED_MOST];
  int watches;
  /** `is_alone`: stops everything without a supervisor. `was_killed`: SIGKILL was sent. */
  int is_alone, was_killed;
  i64 deadline;
  /** The table for poll(2), and the meaning of each entry: slot << 3 | POLLED_…. */
  struct pollfd *polled;
  u32 *tags;
  size_t polled_size, tags_size;
} pid1 __attribute__((visibility("hidden")));

// supervise.c
/** Removes the control socket and exits. If this is not PID 1, kills the supervisor first. */
__attribute__((noreturn)) void leave(int code);

// loop.c
/** Handles events until the program exits. */
__attribute__((noreturn)) void loop(void);

// runs.c
/** Returns the number of a free entry, or minus an errno if memory is exhausted. */
long new_slot(void);
/** The entry of a run; null if there is none. */
struct run *find_run(u32 id);
void free_run(struct run *run);
void queue_report(u32 slot, enum report report);
/** Reaps every child that has ended: a run, an orphan or the supervisor. */
void reap_children(void);

// reports.c
/** Reports one datagram of a notify socket, if there is one. The buffer must have room for it. */
void receive_notification(struct run *run);
/** Reports what has happened, as far as the buffer has room. */
void report_all(i64 now);

// requests.c
/** Handles the buffered requests while there is room for their replies. Returns whether it handled any. */
int take_requests(void);
/** Reads from the socket once, and handles the requests. If the supervisor has closed its end, closes the socket. */
void read_requests(void);
/** Stops reading from the supervisor. */
void close_socket(void);

// alone.c
/**
 * Handles the end of the supervisor. If it had not taken over, PID 1 exits with its code: an invalid configuration, or
 * a help text.
 */
void lose_supervisor(int status);
/** Does the next step of the stop without a supervisor. Returns whether the stop is complete. */
int continue_stop(i64 now);
/**
 * Copies output of a service to standard output if that accepts it, and discards it otherwise: a full pipe would block
 * the service.
 */
void drain(struct run *run, int pipe);
