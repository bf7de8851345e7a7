// One run of a program: what the supervisor asked for, and what PID 1 keeps of it from the fork until it was reported.
#pragma once
#include "frames.h"
#include "svc-super.h"

enum { STREAMS_MOST = 12 };

enum stream_kind {
  /** /dev/null; where that is missing, standard input is at its end at once. */
  STREAM_NULL = 0,
  /** A new pipe that the program writes to. */
  STREAM_PIPE = 1,
  /** The pipe of an earlier stream, by its place among the pipes. */
  STREAM_SAME = 2,
  /** A path; `which` is how it is opened: O_RDONLY, O_WRONLY, O_RDWR. */
  STREAM_PATH = 3,
};

struct stream {
  u32 target, kind, which;
  const char *path;
};

/** Bits of `set`: which of the values below it were given. */
enum { SET_USER = 1, SET_UMASK = 2, SET_NICE = 4, SET_OOM_SCORE = 8, SET_TERMINAL = 16 };

/** REQUEST_SPAWN, in this order; pointers lead into the frame. */
struct spawn {
  u32 run, stop_signal;
  u64 mark;
  u32 set, uid, gid, umask;
  i32 nice, oom_score;
  u32 group_count;
  const u8 *groups;
  u32 cpu_words;
  const u8 *cpus;
  u32 limit_count;
  const u8 *limits;
  const char *notify, *cwd;
  u32 stream_count;
  struct stream streams[STREAMS_MOST];
  u32 argument_count, variable_count;
  const char *arguments, *variables;
};

enum phase { RUN_FREE = 0, RUN_STARTING, RUN_EXECUTING, RUN_FAILED };

struct run {
  u32 id;
  i32 pid;
  enum phase phase;
  u64 start;
  u32 stop_signal;
  /** Its exit was reaped; its exit has been reported; the supervisor needs it no more. */
  u8 exited, reported, released;
  i32 status;
  /** The reading end of the pipe that closes when the program executes; -1 once it is known. */
  i32 execution;
  i32 notify;
  /** Why it failed: step, errno, index. */
  i32 failure[3];
  u32 pipe_count;
  i32 pipes[STREAMS_MOST];
};

/** /dev/null; where that device is missing, the reading end of a pipe that nothing writes to. Makes no file. */
long open_null(void);
/** Reads the request; 0 where the frame is no such request. */
int read_spawn(struct reader *from, struct spawn *spawn);
/** Starts it; `run` is filled, as RUN_STARTING or RUN_FAILED. `parent`: our own number, where programs must not outlive us; else 0. */
void start_run(const struct start *start, const struct spawn *spawn, struct run *run, int parent);
/** Reads how the start went from `execution`; call when that is readable or the process was reaped. */
void settle_run(struct run *run);
/** Closes what PID 1 holds of a run. */
void close_run(struct run *run);
/** Start time of a process in clock ticks since boot, and its parent (proc_pid_stat(5)); 0 where there is none. */
u64 start_time(int pid);
int parent_of(int pid);
