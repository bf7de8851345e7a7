// Reports to the supervisor: results of starts, exits, signals, orphans and notifications. Writes frames to the buffer of
// PID 1 while that has room, and leaves the rest as state. Never blocks and never writes to the socket.
#include "supervise.h"

void receive_notification(struct run *run) {
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
  begin_frame(&pid1.out, EVENT_NOTIFIED);
  put_u32(&pid1.out, run->id);
  put_u32(&pid1.out, (u32)sender[0]);
  put_u32(&pid1.out, (u32)sender[1]);
  put_text(&pid1.out, data, (u32)size);
  end_frame(&pid1.out);
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
    // If the failed child has not been reaped yet, reap_children() counts it as an orphan.
    free_run(run);
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

void report_all(i64 now) {
  // Signals before exits: a stop signal may be the cause of an exit that was found at the same time.
  while (pid1.received && writer_room(&pid1.out) >= EVENT_MOST) {
    u32 signal = (u32)__builtin_ctzll(pid1.received) + 1;
    pid1.received &= ~sigbit(signal);
    begin_frame(&pid1.out, EVENT_RECEIVED);
    put_u32(&pid1.out, signal);
    put_u32(&pid1.out, (u32)pid1.senders[signal].code);
    put_u32(&pid1.out, (u32)pid1.senders[signal].pid);
    end_frame(&pid1.out);
  }
  while (pid1.reports_from != pid1.reports_to && writer_room(&pid1.out) >= EVENT_MOST) {
    u32 entry = pid1.reports[pid1.reports_from++ % (u32)(pid1.reports_size / sizeof(u32))];
    report_run(entry >> 1, (enum report)(entry & 1));
  }
  // The counters index a table whose size is no power of two: they must not overflow.
  if (pid1.reports_from == pid1.reports_to) pid1.reports_from = pid1.reports_to = 0;
  int is_due = pid1.watches ? pid1.orphan_count > 0 : now - pid1.reaped_reported_at >= ORPHANS_INTERVAL;
  if (pid1.reaped != pid1.reaped_reported && is_due && writer_room(&pid1.out) >= EVENT_MOST) report_orphans(now);
}
