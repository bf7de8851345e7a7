// Executes the supervisor's requests: starts programs, sends signals, frees entries of the table. Handles a request only
// while there is room for its reply. Never waits for a process.
#include "supervise.h"

/**
 * Signals a process if its start time is still `start`. A child that has not been reaped keeps its number; for any
 * other process a pidfd, through which the signal is sent, always refers to the process whose start time was compared.
 */
static long signal_process(int pid, u64 start, int signal) {
  // start_time returns 0 if there is no such process.
  if (pid <= 1 || start == 0) return -ESRCH;
  for (u32 slot = 0; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].pid == pid && !pid1.runs[slot].exited && pid1.runs[slot].start == start) return sys_kill(pid, signal);
  long held = sys(__NR_pidfd_open, pid, 0);
  if (held == -ESRCH) return held;
  // Without pidfds (before Linux 5.3), the number could be reused between these two calls; the interval is as short as
  // possible.
  long result = start_time(pid) == start ? 0 : -ESRCH;
  if (result == 0 && held >= 0) result = sys(__NR_pidfd_send_signal, held, signal, NULL, 0);
  if (result == -ENOSYS || (result == 0 && held < 0)) result = sys_kill(pid, signal);
  if (held >= 0) sys_close((int)held);
  return result;
}

/** Sends a signal to a target of REQUEST_SIGNAL. Returns 0, or minus an errno. */
static long signal_target(u32 target, i32 number, u64 start, int signal) {
  if (target == TARGET_PROCESS) return signal_process(number, start, signal);
  struct run *run = find_run((u32)number);
  if (!run || run->pid == 0 || run->exited) return -ESRCH;
  if (signal == (int)run->stop_signal) run->stop_sent = 1;
  return sys_kill(target == TARGET_GROUP ? -run->pid : run->pid, signal);
}

// Each handle_…() handles one request. It returns 0 if the payload is malformed; PID 1 then refuses the supervisor.

static int handle_signal(struct reader *from) {
  enum { SHOWN_MOST = 256 };
  u32 sequence = get_u32(from), signal = get_u32(from), count = get_u32(from), failures = 0, shown = 0;
  u32 failed[SHOWN_MOST][2];
  if (signal > SIGNALS || (size_t)(from->end - from->at) != (size_t)count * 16) return 0;
  for (u32 at = 0; at < count; at++) {
    u32 target = get_u32(from);
    i32 number = (i32)get_u32(from);
    long result = signal_target(target, number, get_u64(from), (int)signal);
    if (result == 0) continue;
    failures++;
    if (shown < SHOWN_MOST) failed[shown][0] = at, failed[shown++][1] = (u32)-result;
  }
  begin_frame(&pid1.out, EVENT_SIGNALLED);
  put_u32(&pid1.out, sequence);
  put_u32(&pid1.out, failures);
  put_u32(&pid1.out, shown);
  for (u32 at = 0; at < shown; at++) put_u32(&pid1.out, failed[at][0]), put_u32(&pid1.out, failed[at][1]);
  end_frame(&pid1.out);
  return !from->bad;
}

/** Reports a failed start of a run for which the table has no room. */
static void put_failed(u32 run, long result) {
  begin_frame(&pid1.out, EVENT_FAILED);
  put_u32(&pid1.out, run);
  put_u32(&pid1.out, STEP_FORK);
  put_u32(&pid1.out, (u32)-result);
  put_u32(&pid1.out, 0);
  end_frame(&pid1.out);
}

static int handle_spawn(struct reader *payload) {
  static struct spawn spawn;
  struct run run;
  if (!read_spawn(payload, &spawn)) return 0;
  // A known run was requested before: its result has been reported or will be.
  if (find_run(spawn.run)) return 1;
  if (spawn.run > pid1.last_run) pid1.last_run = spawn.run;
  long slot = new_slot();
  if (slot < 0) {
    put_failed(spawn.run, slot);
    return 1;
  }
  start_run(pid1.start, &spawn, &run, pid1.is_init ? 0 : pid1.self);
  pid1.runs[slot] = run;
  if (run.phase == RUN_FAILED) queue_report((u32)slot, REPORT_STARTED);
  return 1;
}

static int handle_release(struct reader *from) {
  struct run *run = find_run(get_u32(from));
  if (!run) return !from->bad;
  run->released = 1;
  if (run->reported) free_run(run);
  // The entry stays until its exit is reported; its descriptors are closed now.
  else if (run->phase == RUN_EXECUTING) close_run(run);
  return !from->bad;
}

static int handle_hello(struct reader *from) {
  if (get_u32(from) != PROTOCOL) return 0;
  pid1.grace = get_u32(from);
  pid1.stop_signals = get_u64(from);
  pid1.settings.hung_after = get_u32(from);
  pid1.settings.stop_wait = get_u32(from);
  pid1.settings.pause_most = get_u32(from);
  pid1.settings.deaths_before_most = get_u32(from);
  pid1.settings.deaths_young_most = get_u32(from);
  if (!pid1.has_taken_over) pid1.taken_over_at = sys_now();
  pid1.has_taken_over = pid1.was_taken_over = 1;
  return !from->bad;
}

/** Executes one request. Returns 0 if it is unknown or malformed. next_frame() has opened a REQUEST_BATCH. */
static int handle(u32 type, struct reader *payload) {
  switch (type) {
    case REQUEST_HELLO:
      return handle_hello(payload);
    case REQUEST_SPAWN:
      return handle_spawn(payload);
    case REQUEST_SIGNAL:
      return handle_signal(payload);
    case REQUEST_RELEASE:
      return handle_release(payload);
    case REQUEST_WATCH:
      pid1.watches = get_u32(payload) != 0;
      // The numbers of orphans reaped before are not reported.
      pid1.orphan_count = 0;
      return !payload->bad;
    case REQUEST_END:
      leave((int)(get_u32(payload) & 255));
    case REQUEST_KEEP:
      return keep_records(payload);
    case REQUEST_ACKNOWLEDGE:
      drop_acknowledged(get_u32(payload));
      return !payload->bad;
    default:
      return 0;
  }
}

void close_socket(void) {
  if (pid1.socket >= 0) sys_close(pid1.socket);
  pid1.socket = -1;
  pid1.in.size = 0;
}

static void kill_supervisor(void) {
  if (pid1.supervisor > 0) sys_kill(pid1.supervisor, SIGKILL);
  close_socket();
}

/** Kills a supervisor whose protocol this release does not support. */
static void refuse(const char *what, const char *number) {
  MESSAGE("the supervisor ", what, number, ", which this release does not support: both files must be of the same release");
  pid1.has_refused = 1;
  kill_supervisor();
}

int take_requests(void) {
  size_t at = 0;
  struct reader payload;
  for (u32 type; writer_room(&pid1.out) >= 2 * EVENT_MOST && (type = next_frame(&pid1.in, &at, &payload));) {
    if (type != FRAME_BAD && handle(type, &payload)) continue;
    char number[24];
    append_number(number, number + sizeof number, type);
    if (type == FRAME_BAD) refuse("sent a malformed frame", "");
    else refuse("sent request ", number);
    return 0;
  }
  drop_frames(&pid1.in, at);
  return at > 0;
}

/** Handles all complete frames. Discards the replies, which no supervisor reads: otherwise they would fill the buffer. */
static void take_all_requests(void) {
  do clear_writer(&pid1.out);
  while (take_requests());
}

void read_requests(void) {
  long size = fill_inbox(&pid1.in, pid1.socket);
  if (size == -ENOMEM) {
    MESSAGE("no memory is left for a request of the supervisor: it is replaced");
    kill_supervisor();
    return;
  }
  if (size > 0) {
    pid1.received_at = pid1.last_received_at = sys_now();
    pid1.unanswered_since = 0;
    pid1.ping = PING_NONE;
  }
  take_requests();
  if (size > 0 || size == -EAGAIN || size == -EINTR || pid1.socket < 0) return;
  // The supervisor has closed its end: it has died, or is exiting with a code with which PID 1 exits too. After it has
  // taken over, it cannot work without the socket.
  take_all_requests();
  close_socket();
  if (pid1.has_taken_over && pid1.supervisor > 0) sys_kill(pid1.supervisor, SIGKILL);
}

void read_last_requests(void) {
  long size;
  do {
    if (pid1.socket < 0) return;
    size = fill_inbox(&pid1.in, pid1.socket);
    take_all_requests();
  } while (size > 0 || size == -EINTR);
  close_socket();
}
