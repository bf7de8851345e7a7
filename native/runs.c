// The table of runs and the queue of reports about them. An entry becomes free when the supervisor has released the run
// and its exit or failed start was reported, in either order. Reaps every child. Never writes to the supervisor.
#include "supervise.h"

void queue_report(u32 slot, enum report report) {
  struct run *run = &pid1.runs[slot];
  if (report == REPORT_EXITED || run->phase == RUN_FAILED) run->order = ++pid1.ends;
  // The queue always has room: it holds two reports for each entry of the table. report_all() resets both positions when it is empty.
  pid1.reports[pid1.reports_to++ % (u32)(pid1.reports_size / sizeof(u32))] = slot << 1 | report;
}

long new_slot(void) {
  for (u32 slot = pid1.free_hint; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].phase == RUN_FREE) return pid1.free_hint = slot + 1, slot;
  if (pid1.run_count * sizeof(struct run) + sizeof(struct run) > pid1.runs_size) {
    // The queue grows first, because it must have room for every entry of the table. Its content moves to a new queue.
    size_t runs_size = pid1.runs_size ? pid1.runs_size * 2 : 16384, fresh_size = 0;
    u32 *before = pid1.reports, size_before = (u32)(pid1.reports_size / sizeof(u32));
    u32 *fresh = NULL;
    long failure = grow((void **)&fresh, &fresh_size, (runs_size / sizeof(struct run) + 1) * 2 * sizeof(u32));
    if (failure < 0) return failure;
    u32 count = 0;
    for (u32 at = pid1.reports_from; at != pid1.reports_to; at++) fresh[count++] = before[at % size_before];
    if (before) sys(__NR_munmap, before, pid1.reports_size);
    pid1.reports = fresh, pid1.reports_size = fresh_size, pid1.reports_from = 0, pid1.reports_to = count;
    failure = grow((void **)&pid1.runs, &pid1.runs_size, runs_size);
    if (failure < 0) return failure;
  }
  return pid1.free_hint = pid1.run_count + 1, pid1.run_count++;
}

struct run *find_run(u32 id) {
  for (u32 slot = 0; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].phase != RUN_FREE && pid1.runs[slot].id == id) return &pid1.runs[slot];
  return NULL;
}

void free_run(struct run *run) {
  close_run(run);
  run->phase = RUN_FREE;
  run->pid = 0;
  if ((u32)(run - pid1.runs) < pid1.free_hint) pid1.free_hint = (u32)(run - pid1.runs);
}

void reap_children(void) {
  int status;
  for (long pid; (pid = sys_wait4(-1, &status, WNOHANG)) > 0;) {
    if (pid == pid1.supervisor) {
      lose_supervisor(status);
      continue;
    }
    u32 slot = 0;
    while (slot < pid1.run_count && (pid1.runs[slot].pid != pid || pid1.runs[slot].exited)) slot++;
    if (slot == pid1.run_count) {
      if (pid1.orphan_count < REAPED_MOST) pid1.orphans[pid1.orphan_count] = (i32)pid;
      pid1.orphan_count++;
      pid1.reaped++;
      continue;
    }
    struct run *run = &pid1.runs[slot];
    run->exited = 1;
    run->status = status;
    if (run->phase == RUN_STARTING) {
      finish_start(run);
      queue_report(slot, REPORT_STARTED);
    }
    if (run->phase == RUN_EXECUTING) queue_report(slot, REPORT_EXITED);
  }
}
