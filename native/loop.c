// The loop of PID 1: waits in poll(2) for signals, requests, results of starts, notifications and, without a supervisor,
// output. Blocks nowhere else.
#include "supervise.h"

enum { SIGNALFD_BATCH = 8 };

static void read_signals(void) {
  struct signal_info found[SIGNALFD_BATCH];
  long size;
  while ((size = sys_read(pid1.signals, found, sizeof found)) > 0) {
    for (struct signal_info *info = found; (u8 *)info < (u8 *)found + size; info++) {
      if (info->signo == SIGCHLD || info->signo > SIGNALS) continue;
      pid1.received |= sigbit(info->signo);
      pid1.senders[info->signo].code = info->code;
      pid1.senders[info->signo].pid = (i32)info->pid;
      if (!(pid1.stop_signals & sigbit(info->signo)) || pid1.stop_requested_at) continue;
      pid1.stop_received_at = pid1.stop_requested_at = sys_now();
    }
  }
}

/** The kind of an entry of the poll table: PID 1's own descriptors, and those of a run. */
enum { POLLED_SIGNALS, POLLED_SOCKET, POLLED_EXEC_REPORT, POLLED_NOTIFY, POLLED_PIPE };

static void poll_for(u32 *count, int fd, short events, u32 slot, u32 what) {
  if (fd < 0 || grow((void **)&pid1.polled, &pid1.polled_size, (*count + 1) * sizeof(struct pollfd)) < 0) return;
  if (grow((void **)&pid1.tags, &pid1.tags_size, (*count + 1) * sizeof(u32)) < 0) return;
  pid1.polled[*count] = (struct pollfd){.fd = fd, .events = events};
  pid1.tags[(*count)++] = slot << 3 | what;
}

/** Whether a report of orphans waits only for ORPHANS_INTERVAL. */
static int is_waiting_with_orphans(void) {
  return pid1.socket >= 0 && !pid1.is_restoring && pid1.pending_sent == pid1.pending.to && pid1.reaped != pid1.reaped_reported &&
    !pid1.watches && writer_room(&pid1.out) >= EVENT_MOST;
}

/** The longest that poll(2) may be late, milliseconds: if it is later, this process did not run in the meantime. */
enum { ABSENCE = 1000 };

/** Milliseconds until the next timed action; -1: there is none. */
static i64 time_left(i64 now) {
  i64 at = next_check_at(now);
  // Limits the wait, because an absence is detected only by a wait that ends late.
  if (pid1.is_alone) at = pid1.was_killed ? now + 10 : pid1.deadline < now + ABSENCE ? pid1.deadline : now + ABSENCE;
  else if (is_waiting_with_orphans()) {
    i64 orphans_at = pid1.reaped_reported_at + ORPHANS_INTERVAL;
    if (at < 0 || orphans_at < at) at = orphans_at;
  }
  return at < 0 ? -1 : at > now ? at - now : 0;
}

/** Waits until a descriptor is ready or a deadline has passed. Returns the number of entries in `pid1.polled`. */
static u32 wait_for_events(void) {
  u32 count = 0;
  int reads = writer_room(&pid1.out) >= 2 * EVENT_MOST;
  int notifies = !pid1.is_alone && has_room_for_datagram();
  poll_for(&count, pid1.signals, POLLIN, 0, POLLED_SIGNALS);
  poll_for(&count, pid1.socket, (short)((reads ? POLLIN : 0) | (writer_empty(&pid1.out) ? 0 : POLLOUT)), 0, POLLED_SOCKET);
  for (u32 slot = 0; slot < pid1.run_count; slot++) {
    struct run *run = &pid1.runs[slot];
    if (run->phase == RUN_FREE) continue;
    if (run->phase == RUN_STARTING) poll_for(&count, run->exec_report, POLLIN, slot, POLLED_EXEC_REPORT);
    if (notifies) poll_for(&count, run->notify, POLLIN, slot, POLLED_NOTIFY);
    for (u32 at = 0; pid1.is_alone && at < run->pipe_count; at++) poll_for(&count, run->pipes[at], POLLIN, slot, POLLED_PIPE);
  }
  i64 now = sys_now(), left = time_left(now);
  struct time timeout = {left / 1000, left % 1000 * 1000000};
  long found = sys_poll(pid1.polled, count, left < 0 ? NULL : &timeout);
  i64 late = sys_now() - now - left;
  if (left >= 0 && late > ABSENCE) shift_deadlines(late);
  return found > 0 ? count : 0;
}

/** Handles the events of one poll(2): signals and exits first, requests last. */
static void take_events(u32 count) {
  int has_requests = 0;
  for (u32 at = 0; at < count; at++) {
    if (!pid1.polled[at].revents) continue;
    // The run may have been reaped since, and its entry reused: compare the descriptors.
    struct run *run = &pid1.runs[pid1.tags[at] >> 3];
    int fd = pid1.polled[at].fd;
    switch (pid1.tags[at] & 7) {
      case POLLED_SIGNALS:
        read_signals();
        reap_children();
        break;
      case POLLED_SOCKET:
        has_requests = pid1.polled[at].revents & ~POLLOUT;
        break;
      case POLLED_EXEC_REPORT:
        if (run->exec_report != fd) break;
        finish_start(run);
        if (run->phase != RUN_STARTING) queue_report(pid1.tags[at] >> 3, REPORT_STARTED);
        break;
      case POLLED_NOTIFY:
        if (run->notify == fd) receive_notification(run);
        break;
      case POLLED_PIPE:
        drain(run, fd);
    }
  }
  if (has_requests && pid1.socket >= 0) read_requests();
}

/** Writes all reports, then waits for events and handles them. */
static void step(void) {
  i64 now = sys_now();
  check_supervisor(now);
  if (pid1.is_alone && continue_stop(now)) leave(code_of_stop());
  // Requests that were read earlier may have waited for room for their replies, and handling them creates new reports.
  // No event would wake this process for either.
  int is_done;
  do {
    if (pid1.socket < 0) break;
    is_done = report_all(now);
    if (!writer_empty(&pid1.out) && !pid1.unanswered_since) pid1.unanswered_since = now;
    flush_frames(&pid1.out, pid1.socket);
    // Repeats if the socket has accepted all bytes and there are more reports, because no event would follow.
  } while (take_requests() || (!is_done && writer_empty(&pid1.out)));
  take_events(wait_for_events());
}

__attribute__((noreturn)) void loop(void) {
  for (;;) step();
}
