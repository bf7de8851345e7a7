// The state of PID 1 with a supervisor, and the functions that its files define for each other: supervise.c starts it;
// loop.c waits for events; runs.c owns the table of runs; requests.c executes requests; reports.c writes events;
// checkpoint.c stores the supervisor's records for the next one; successor.c starts the next one; alone.c stops all
// services if there is none. Declarations only.
#pragma once
#include "handover.h"
#include "spawn.h"

enum { EXIT_BUG = 70, REAPED_MOST = 512, ORPHANS_INTERVAL = 1000, DEATHS_SHOWN = 16 };
/** What an entry of the queue reports about a run: the result of its start, or its exit. */
enum report { REPORT_STARTED = 0, REPORT_EXITED = 1 };

/** The settings of REQUEST_HELLO. Times are milliseconds. */
struct settings {
  /** A supervisor that does not respond for this long is killed; 0: never. */
  u32 hung_after;
  /** If there is no supervisor for this long after a stop request, PID 1 stops the services itself. */
  u32 stop_wait;
  /** The longest pause before the next supervisor is started. */
  u32 pause_most;
  /** PID 1 stops all services after this many deaths in a row, each before the supervisor had taken over. */
  u32 deaths_before_most;
  /** The same for deaths less than YOUNG after the supervisor had taken over. */
  u32 deaths_young_most;
};
/**
 * Milliseconds. A death at least this long after the takeover ends a series of deaths; one at least this long after the start
 * resets the pause before the next start.
 */
enum { YOUNG = 1000 };

/** Why a supervisor ended. */
enum death { DEATH_EXIT = 0, DEATH_SIGNAL = 1, DEATH_HUNG = 2 };

/**
 * All of PID 1's state. Hidden, so that the compiler addresses it relative to the code: relocations are not applied to
 * this program.
 */
extern struct pid1 {
  const struct start *start;
  int self, is_init, signals, socket, control;
  /** Its PID. 0: there is none, and the next one is started at `start_at`, unless PID 1 is alone. */
  int supervisor;
  /**
   * `has_taken_over`: the current supervisor has sent REQUEST_HELLO. `was_taken_over`: any supervisor has; cleared if all have
   * died before a service was started, because the next one then starts like the first one.
   */
  int has_taken_over, was_taken_over;
  u32 grace;
  sigmask stop_signals;
  struct settings settings;
  /** The lines that every handover contains. */
  struct handover handover;
  struct inbox in;
  struct writer out;
  /**
   * EVENT_RECEIVED and EVENT_NOTIFIED that have not been acknowledged (REQUEST_ACKNOWLEDGE). The first `pending_sent`
   * bytes were written.
   */
  struct writer pending;
  u32 pending_sent;
  /** Times of the current supervisor: its start, its first REQUEST_HELLO, and the last bytes received from it. */
  i64 started_at, taken_over_at, received_at;
  /** The time of the first frame sent to the supervisor since `received_at`; 0: none. */
  i64 unanswered_since;
  /** EVENT_PING. Due: it must be sent, because nothing was received for too long. Sent: it was written. */
  enum { PING_NONE = 0, PING_DUE, PING_SENT } ping;
  /** The supervisor was killed because it did not respond. */
  int is_hung;
  /** `died_received_at`: the time of the last bytes from the supervisor that died at `died_at`. */
  i64 start_at, died_at, died_received_at;
  /** `restarts`: the supervisors that were started as successors, which excludes those that start like the first one. */
  u32 pause, restarts, deaths_before, deaths_young;
  /** The deaths since a supervisor last took over, each `enum death << 8 | number`: exit code or signal. */
  u32 death_count, deaths[DEATHS_SHOWN];
  /** The next part of the state for the successor: `restore_record` from byte `restore_part` on, then `restore_run`. */
  u32 restore_record, restore_part, restore_run;
  int is_restoring;
  /** The time of the first stop signal; 0: none. */
  i64 stop_received_at;
  /** Since when a stop request waits for a supervisor: since the signal, or since the last supervisor ended; 0: never. */
  i64 stop_requested_at;
  /** The time of the last bytes from any supervisor. Unlike `received_at`, absences of PID 1 do not move it. */
  i64 last_received_at;
  /** A supervisor was killed because its protocol is not supported: the next one would have the same file. */
  int has_refused;
  /** Whether it was printed that no supervisor can be started. */
  int has_reported_no_room;
  /** The highest number of a run so far. */
  u32 last_run;
  struct run *runs;
  size_t runs_size;
  /** `ends`: how many runs have ended or failed to start; the next one gets the number after that as its `order`. */
  u32 run_count, free_hint, ends;
  /** The queue of reports, oldest first: slot << 1 | REPORT_STARTED or REPORT_EXITED. */
  u32 *reports;
  size_t reports_size;
  u32 reports_from, reports_to;
  /** Signals that were received and not reported yet, and the last sender of each. */
  sigmask received;
  struct { i32 code, pid; } senders[SIGNALS + 1];
  /** Orphans reaped: in total, and at the last report, which was at `reaped_reported_at`. */
  u64 reaped, reaped_reported;
  i64 reaped_reported_at;
  /** The number of orphans that were reaped since the last report, and the PIDs of the first REAPED_MOST of them. */
  u32 orphan_count;
  i32 orphans[REAPED_MOST];
  /** REQUEST_WATCH is on. */
  int watches;
  /**
   * `is_alone`: PID 1 stops all services without a supervisor. `is_requested`: because of a stop request. `was_killed`:
   * SIGKILL was sent. `had_to_kill`: a run had not ended at that time.
   */
  int is_alone, is_requested, was_killed, had_to_kill;
  i64 deadline;
  /** The table for poll(2), and the meaning of each entry: slot << 3 | POLLED_…. */
  struct pollfd *polled;
  u32 *tags;
  size_t polled_size, tags_size;
} pid1 __attribute__((visibility("hidden")));

// supervise.c
/** Removes the control socket and exits. If this is not PID 1, kills the supervisor first. */
__attribute__((noreturn)) void leave(int code);

// checkpoint.c
/**
 * Stores the records of REQUEST_KEEP. Returns 0 if the payload is malformed, and otherwise 1, even if memory is exhausted:
 * has_complete_checkpoint() then returns 0.
 */
int keep_records(struct reader *from);
/** Whether a successor could continue with the stored records: there are records, and memory was never too short for one. */
int has_complete_checkpoint(void);
/** Writes EVENT_KEPT for the records that the successor has not received, while there is room. Returns whether all were written. */
int send_records(void);

// successor.c
/** Starts the supervisor. Returns 0, or minus the errno of fork(2) or of the descriptors that it needs. */
long launch_supervisor(void);
/**
 * Handles the end of the supervisor: starts the next one, at once or after a pause, or stops all services. If no supervisor
 * has ever taken over and this one has exited, PID 1 exits with its code, such as that for an invalid configuration or after a help text.
 */
void lose_supervisor(int status);
/** Starts a supervisor, kills a hung one, or carries out a stop request without a supervisor, if that is due. */
void check_supervisor(i64 now);
/** The time at which check_supervisor() must be called next; -1: after the next event. */
i64 next_check_at(i64 now);
/**
 * Moves the times from which the limits for a supervisor and a stop request count, and `deadline`, by an absence: a time in
 * which this process did not run (SIGSTOP, a frozen container). A service that was frozen too still gets its whole grace
 * period. `last_received_at` stays.
 */
void shift_deadlines(i64 by);

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
/** Whether the buffer of pending events has room for a datagram. */
int has_room_for_datagram(void);
/** Reads one datagram of a notify socket into the pending events, if there is one, and room for it. */
void receive_notification(struct run *run);
/** Writes all reports for which the buffer has room. Returns whether all were written. */
int report_all(i64 now);
/** Removes the oldest pending events, which the supervisor has acknowledged. */
void drop_acknowledged(u32 count);
/** Whether a stop signal is pending: received, and not acknowledged. */
int has_pending_stop(void);

// requests.c
/** Handles the buffered requests while there is room for their replies. Returns whether it handled any. */
int take_requests(void);
/** Reads from the socket once, and handles the requests. If the supervisor has closed its end, closes the socket. */
void read_requests(void);
/** After the end of the supervisor: handles the requests that it wrote completely, and closes the socket. */
void read_last_requests(void);
/** Closes the socket to the supervisor, if it is open, and drops what was read from it and not handled. */
void close_socket(void);

// alone.c
/** The number of runs whose main process has not ended. */
u32 count_running(void);
/** Begins to stop all services without a supervisor. `is_requested`: a stop request is the reason, and not a failure. */
void begin_stop(int is_requested);
/** The exit code of that stop. */
int code_of_stop(void);
/** Performs the next step of that stop. Returns whether the stop is complete. */
int continue_stop(i64 now);
/**
 * Copies output of a service to standard output if that accepts it, and discards it otherwise: a full pipe would block
 * the service.
 */
void drain(struct run *run, int pipe);
