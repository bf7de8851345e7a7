// What the files of PID 1 with a supervisor share: its state, and the functions that one of these files defines for the
// others. supervise.c starts it; loop.c waits for events; runs.c keeps the table of runs; requests.c executes requests;
// reports.c writes events; checkpoint.c keeps the records of the supervisor for the next one; successor.c starts that;
// alone.c stops all services where there is none. Declarations only.
#pragma once
#include "handover.h"
#include "spawn.h"

enum { EXIT_BUG = 70, REAPED_MOST = 512, ORPHANS_INTERVAL = 1000, DEATHS_SHOWN = 16 };
/** What an entry of the queue reports about a run: the result of its start, or its exit. */
enum report { REPORT_STARTED = 0, REPORT_EXITED = 1 };

/** What the supervisor may set (REQUEST_HELLO). Times are milliseconds. */
struct settings {
  /** A supervisor that answers no frame for this long is killed; 0: never. */
  u32 hung_after;
  /** A stop request that finds no supervisor for this long is carried out by PID 1 alone. */
  u32 stop_wait;
  /** The longest pause before the next supervisor is started. */
  u32 pause_most;
  /** Everything is stopped after so many deaths in a row before the supervisor had taken over. */
  u32 deaths_before_most;
  /** The same for deaths less than YOUNG after it had taken over. */
  u32 deaths_young_most;
};
/** A supervisor that lives at least this long is no part of a series of deaths, milliseconds. */
enum { YOUNG = 1000 };

/** Why a supervisor ended. */
enum death { DEATH_EXIT = 0, DEATH_SIGNAL = 1, DEATH_HUNG = 2 };

/** What may be the next thing that PID 1 does to have a supervisor. */
enum succession {
  /** There is a supervisor, or there never was one. */
  SUCCESSION_NONE = 0,
  /** The next one is started at `start_at`. */
  SUCCESSION_DUE,
};

/**
 * All of PID 1's state. Hidden, so that the compiler addresses it relative to the code: relocations are not applied to
 * this program.
 */
extern struct pid1 {
  const struct start *start;
  int self, is_init, signals, socket, supervisor, control;
  /** The supervisor has taken over; some supervisor has. */
  int has_taken_over, was_taken_over;
  u32 grace;
  sigmask stop_signals;
  struct settings settings;
  /** Lines of every handover. */
  struct handover handover;
  struct inbox in;
  struct writer out;
  /** EVENT_RECEIVED and EVENT_NOTIFIED without effect so far (REQUEST_TAKEN); those before `sent` were written. */
  struct writer untaken;
  u32 untaken_sent;
  /** When it was started, has taken over, was last heard, and was first sent a frame since then (0: it was not). */
  i64 started_at, taken_over_at, heard_at, asked_at;
  /** EVENT_PING: nothing was heard for so long that it is to be sent; it was written. */
  enum { PING_NONE = 0, PING_DUE, PING_SENT } ping;
  /** It was killed because it answered nothing. */
  int is_hung;
  enum succession succession;
  /** `died_heard_at`: when the supervisor that died at `died_at` was last heard. */
  i64 start_at, died_at, died_heard_at;
  u32 pause, restarts, deaths_before, deaths_young;
  /** The deaths since a supervisor last took over, each `enum death << 8 | number`: exit code or signal. */
  u32 death_count, deaths[DEATHS_SHOWN];
  /** What the successor receives next: a record from that byte on, a run. */
  u32 restore_record, restore_part, restore_run;
  int is_restoring;
  /** When the first stop signal was received; 0: never. */
  i64 stop_received_at;
  /** Since when a stop request waits for a supervisor: since it was received, or since the last one ended; 0: never. */
  i64 stop_asked_at;
  /** When anything was last heard from a supervisor, in time that includes absences of PID 1. */
  i64 last_heard_at;
  /** A supervisor was killed because its protocol is unknown: the next one has the same file. */
  int has_refused;
  /** It was printed that no supervisor can be started. */
  int has_reported_no_room;
  /** The highest number that a run has had. */
  u32 last_run;
  struct run *runs;
  size_t runs_size;
  u32 run_count, free_hint, ends;
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
  /**
   * `is_alone`: stops everything without a supervisor. `is_asked`: because of a stop request. `was_killed`: SIGKILL was
   * sent; `had_to_kill`: to a run that had not ended by then.
   */
  int is_alone, is_asked, was_killed, had_to_kill;
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
/** Stores the records of REQUEST_KEEP. 0 if the payload is malformed. */
int keep_records(struct reader *from);
/** Whether a supervisor could go on from what is stored: there are records, and none was lost for want of memory. */
int is_kept(void);
/** Writes EVENT_KEPT for the records that the successor has not received, while there is room. 1 when all were written. */
int restore_records(void);

// successor.c
/** Starts the supervisor. Returns 0, or minus the errno of fork(2) or of the descriptors that it needs. */
long launch_supervisor(void);
/**
 * Handles the end of the supervisor: starts the next one, at once or after a pause, or stops everything. If none had ever
 * taken over, PID 1 exits with its code: an invalid configuration, or a help text.
 */
void lose_supervisor(int status);
/** Does what is due: starts a supervisor, kills a hung one, carries out a stop request that nobody takes. */
void attend_supervisor(i64 now);
/** When attend_supervisor() is to be called next; -1: not before an event. */
i64 attend_at(i64 now);
/** Moves all instants by a time in which this process did not run (SIGSTOP, a frozen container). */
void discount_absence(i64 by);

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
/** Whether a datagram could be kept now until it has had its effect. */
int has_room_for_datagram(void);
/** Keeps one datagram of a notify socket, if there is one, and room for it. */
void receive_notification(struct run *run);
/** Reports what has happened, as far as the buffer has room. Returns whether all of it was reported. */
int report_all(i64 now);
/** Forgets the oldest of the events that are kept until they have had their effect. */
void drop_taken(u32 count);
/** Whether a stop signal was received that has had no effect yet. */
int has_untaken_stop(void);

// requests.c
/** Handles the buffered requests while there is room for their replies. Returns whether it handled any. */
int take_requests(void);
/** Reads from the socket once, and handles the requests. If the supervisor has closed its end, closes the socket. */
void read_requests(void);
/** After the end of the supervisor: handles the requests that it wrote completely, and closes the socket. */
void read_last_requests(void);
/** Stops reading from the supervisor. */
void close_socket(void);

// alone.c
/** The number of runs whose main process has not ended. */
u32 count_running(void);
/** Begins to stop everything without a supervisor. `is_asked`: a stop request is the reason, and not a failure. */
void begin_stop(int is_asked);
/** The exit code of that stop. */
int code_of_stop(void);
/** Does the next step of the stop without a supervisor. Returns whether the stop is complete. */
int continue_stop(i64 now);
/**
 * Copies output of a service to standard output if that accepts it, and discards it otherwise: a full pipe would block
 * the service.
 */
void drain(struct run *run, int pipe);
