// Reports to the supervisor: results of starts, exits, signals, orphans and notifications. A successor first receives the
// checkpoint and the table of runs. Writes frames to the buffer of PID 1 while the buffer has room, and keeps the rest as
// state. Never blocks and never writes to the socket.
#include "supervise.h"

int has_room_for_datagram(void) { return writer_room(&pid1.pending) >= DATAGRAM_MOST + EVENT_MOST; }

void receive_notification(struct run *run) {
  if (!has_room_for_datagram()) return;
  u8 data[DATAGRAM_MOST], control[32];
  // The kernel closes descriptors that were sent along, because `control` has no room for them.
  struct vector vector = {data, sizeof data};
  struct { void *name; u64 name_size; struct vector *vectors; u64 count; void *control; u64 control_size; i64 flags; } message = {
    NULL, 0, &vector, 1, control, sizeof control, 0};
  long size = sys(__NR_recvmsg, run->notify, &message, 0x40 /* MSG_DONTWAIT */);
  if (size < 0) return;
  i32 sender[3] = {0, -1, -1};
  // struct cmsghdr: length (8), level (4), type (4), then struct ucred: pid, uid, gid.
  if (message.control_size >= 28) memcpy(sender, control + 16, sizeof sender);
  // A truncated datagram is reported without text: its last line may be incomplete.
  if (message.flags & 0x20 /* MSG_TRUNC */) size = 0;
  begin_frame(&pid1.pending, EVENT_NOTIFIED);
  put_u32(&pid1.pending, run->id);
  put_u32(&pid1.pending, (u32)sender[0]);
  put_u32(&pid1.pending, (u32)sender[1]);
  put_text(&pid1.pending, data, (u32)size);
  end_frame(&pid1.pending);
}

static void report_run(u32 slot, enum report report) {
  struct run *run = &pid1.runs[slot];
  if (report == REPORT_EXITED) {
    begin_frame(&pid1.out, EVENT_EXITED);
    put_u32(&pid1.out, run->id);
    put_u32(&pid1.out, (u32)run->status);
    end_frame(&pid1.out);
    run->reported = 1;
    if (run->released) free_run(run);
    return;
  }
  if (run->phase == RUN_FAILED) {
    begin_frame(&pid1.out, EVENT_FAILED);
    put_u32(&pid1.out, run->id);
    for (int at = 0; at < 3; at++) put_u32(&pid1.out, (u32)run->failure[at]);
    end_frame(&pid1.out);
    run->reported = 1;
    // If the failed child has not been reaped yet, reap_children() counts it as an orphan.
    if (run->released) free_run(run);
    return;
  }
  begin_frame(&pid1.out, EVENT_SPAWNED);
  put_u32(&pid1.out, run->id);
  put_u32(&pid1.out, (u32)run->pid);
  put_u64(&pid1.out, run->start);
  put_u32(&pid1.out, run->pipe_count);
  for (u32 at = 0; at < run->pipe_count; at++) put_u32(&pid1.out, (u32)run->pipes[at]);
  end_frame(&pid1.out);
}

static void report_orphans(i64 now) {
  u32 count = pid1.orphan_count < REAPED_MOST ? pid1.orphan_count : REAPED_MOST;
  begin_frame(&pid1.out, EVENT_REAPED);
  put_u64(&pid1.out, pid1.reaped);
  put_u32(&pid1.out, pid1.orphan_count <= REAPED_MOST);
  put_u32(&pid1.out, pid1.watches ? count : 0);
  for (u32 at = 0; pid1.watches && at < count; at++) put_u32(&pid1.out, (u32)pid1.orphans[at]);
  end_frame(&pid1.out);
  pid1.orphan_count = 0;
  pid1.reaped_reported = pid1.reaped;
  pid1.reaped_reported_at = now;
}

/** The size of the pending event at `at`. */
static u32 pending_size(u32 at) {
  u32 length;
  memcpy(&length, pid1.pending.bytes + at, sizeof length);
  return length + (u32)sizeof length;
}

void drop_acknowledged(u32 count) {
  u32 size = 0;
  for (; count > 0 && size < pid1.pending_sent; count--) size += pending_size(size);
  memmove(pid1.pending.bytes, pid1.pending.bytes + size, pid1.pending.to - size);
  pid1.pending.to -= size;
  pid1.pending_sent -= size;
}

int has_pending_stop(void) {
  u32 type, signal;
  if (pid1.received & pid1.stop_signals) return 1;
  for (u32 at = 0; at < pid1.pending.to; at += pending_size(at)) {
    memcpy(&type, pid1.pending.bytes + at + 4, sizeof type);
    memcpy(&signal, pid1.pending.bytes + at + 8, sizeof signal);
    if (type == EVENT_RECEIVED && pid1.stop_signals & sigbit(signal)) return 1;
  }
  return 0;
}

/** Adds the received signals to the pending events, and writes the pending events that were not sent. Returns whether all were written. */
static int report_pending(void) {
  while (pid1.received && writer_room(&pid1.pending) >= EVENT_MOST) {
    u32 signal = (u32)__builtin_ctzll(pid1.received) + 1;
    pid1.received &= ~sigbit(signal);
    begin_frame(&pid1.pending, EVENT_RECEIVED);
    put_u32(&pid1.pending, signal);
    put_u32(&pid1.pending, (u32)pid1.senders[signal].code);
    put_u32(&pid1.pending, (u32)pid1.senders[signal].pid);
    end_frame(&pid1.pending);
  }
  while (pid1.pending_sent < pid1.pending.to) {
    u32 size = pending_size(pid1.pending_sent);
    if (writer_room(&pid1.out) < size + EVENT_MOST) return 0;
    put_bytes(&pid1.out, pid1.pending.bytes + pid1.pending_sent, size);
    pid1.pending_sent += size;
  }
  return 1;
}

static void send_run(struct run *run) {
  enum run_state state = run->phase == RUN_STARTING ? RUN_IS_STARTING
                         : run->phase == RUN_FAILED ? RUN_HAS_FAILED
                         : run->exited              ? RUN_HAS_EXITED
                                                    : RUN_IS_EXECUTING;
  begin_frame(&pid1.out, EVENT_RUN);
  put_u32(&pid1.out, run->id);
  put_u32(&pid1.out, state);
  put_u32(&pid1.out, (u32)run->pid);
  put_u64(&pid1.out, run->start);
  put_u64(&pid1.out, run->mark);
  for (int at = 0; at < 3; at++) put_u32(&pid1.out, (u32)run->failure[at]);
  put_u32(&pid1.out, (u32)run->status);
  put_u32(&pid1.out, run->order);
  put_u32(&pid1.out, run->pipe_count);
  for (u32 at = 0; at < run->pipe_count; at++) put_u32(&pid1.out, (u32)run->pipes[at]);
  end_frame(&pid1.out);
}

/** Writes the checkpoint, the table of runs and the pending events for a successor. Returns whether all were written. */
static int send_state(void) {
  if (!send_records()) return 0;
  for (; pid1.restore_run < pid1.run_count; pid1.restore_run++) {
    struct run *run = &pid1.runs[pid1.restore_run];
    if (run->phase == RUN_FREE) continue;
    if (writer_room(&pid1.out) < EVENT_MOST) return 0;
    // Queued reports about the run are written too, after the table.
    if (!run->released) send_run(run);
  }
  if (!report_pending() || writer_room(&pid1.out) < EVENT_MOST) return 0;
  begin_frame(&pid1.out, EVENT_RESTORED);
  put_u32(&pid1.out, pid1.last_run);
  end_frame(&pid1.out);
  pid1.is_restoring = 0;
  return 1;
}

static int are_orphans_due(i64 now) {
  if (pid1.reaped == pid1.reaped_reported) return 0;
  return pid1.watches ? pid1.orphan_count > 0 : now - pid1.reaped_reported_at >= ORPHANS_INTERVAL;
}

int report_all(i64 now) {
  if (pid1.is_restoring && !send_state()) return 0;
  if (pid1.ping == PING_DUE && writer_room(&pid1.out) >= EVENT_MOST) {
    begin_frame(&pid1.out, EVENT_PING);
    end_frame(&pid1.out);
    pid1.ping = PING_SENT;
  }
  // Signals come before exits: a stop signal may be the cause of an exit that was detected at the same time.
  if (!report_pending()) return 0;
  while (pid1.reports_from != pid1.reports_to && writer_room(&pid1.out) >= EVENT_MOST) {
    u32 entry = pid1.reports[pid1.reports_from++ % (u32)(pid1.reports_size / sizeof(u32))];
    report_run(entry >> 1, (enum report)(entry & 1));
  }
  // The counters index a table whose size is not a power of two: they must not overflow.
  if (pid1.reports_from == pid1.reports_to) pid1.reports_from = pid1.reports_to = 0;
  if (are_orphans_due(now) && writer_room(&pid1.out) >= EVENT_MOST) report_orphans(now);
  return pid1.reports_from == pid1.reports_to && pid1.ping != PING_DUE && !are_orphans_due(now);
}
