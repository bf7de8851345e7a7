// One run of a program: the supervisor's request (struct spawn), and the entry that PID 1 keeps from the fork until the
// exit is reported (struct run). Declarations only.
#pragma once
#include "frames.h"
#include "svc-super.h"

enum { STREAMS_MOST = 12 };

enum stream_kind {
  /** /dev/null. If that device is missing, standard input is at end of file at once. */
  STREAM_NULL = 0,
  /** A new pipe that the program writes to. */
  STREAM_PIPE = 1,
  /** The pipe of an earlier stream; `which` is its index among the pipes. */
  STREAM_SAME = 2,
  /** A path; `which` is the access mode: O_RDONLY, O_WRONLY or O_RDWR. */
  STREAM_PATH = 3,
};

struct stream {
  u32 target, kind, which;
  const char *path;
};

/** Bits of `given`: the optional values that the request contains. */
enum { GIVEN_USER = 1, GIVEN_UMASK = 2, GIVEN_NICE = 4, GIVEN_OOM_SCORE = 8, GIVEN_TERMINAL = 16 };

/**
 * REQUEST_SPAWN; the frame has the fields in this order. Pointers point into the frame. `mark`: a number that the
 * supervisor chooses for the run, or 0. The processes of the run inherit it (set_limits), and the supervisor finds them
 * by it (src/pid1/children.ts). PID 1 compares it with nothing.
 */
struct spawn {
  u32 run, stop_signal;
  u64 mark;
  u32 given, uid, gid, umask;
  i32 nice, oom_score;
  u32 group_count;
  const u8 *groups;
  u32 cpu_words;
  const u8 *cpus;
  u32 limit_count;
  const u8 *limits;
  /** `cgroup`: the file cgroup.procs of the cgroup to enter, or "". */
  const char *notify, *cwd, *cgroup;
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
  /** The start time of the process (start_time), and `mark` of the request. */
  u64 start, mark;
  u32 stop_signal;
  /**
   * `exited`: the main process was reaped. `reported`: its exit, or the failure of its start, was written. `released`:
   * REQUEST_RELEASE was received.
   */
  u8 exited, reported, released;
  /** The supervisor has sent its stop signal to the main process. */
  u8 stop_sent;
  i32 status;
  /** The position of this exit or failed start among all of them, from 1. */
  u32 order;
  /** The reading end of the pipe that exec closes, or that receives the failure; -1 once the result is known. */
  i32 exec_report;
  i32 notify;
  /** The failure of the start: step, errno, index. */
  i32 failure[3];
  u32 pipe_count;
  i32 pipes[STREAMS_MOST];
};

/**
 * Opens /dev/null or, if that device is missing, the reading end of a pipe without a writer, which is right for input only: a
 * write fails with EBADF. The outputs of a program are pipes or a terminal (src/pid1/streams.ts). Creates no file. Minus an errno.
 */
long open_null(void);
/** Decodes REQUEST_SPAWN; 0 if the payload is malformed. */
int read_spawn(struct reader *from, struct spawn *spawn);
/**
 * Starts the program and fills `run`, with the phase RUN_STARTING or RUN_FAILED. `parent`: the process whose end kills
 * the program; 0: none.
 */
void start_run(const struct start *start, const struct spawn *spawn, struct run *run, int parent);
/** Reads the result of the start from `exec_report`. Call it when that is readable or the process was reaped. */
void finish_start(struct run *run);
/** Closes PID 1's descriptors of a run. */
void close_run(struct run *run);
/**
 * Start time of a process in clock ticks since boot, and its parent (proc_pid_stat(5)); 0 if there is no such process.
 */
u64 start_time(int pid);
int parent_of(int pid);
/** State of a process: `R` for running, `T` for stopped (proc_pid_stat(5)); 0 if there is no such process. */
char process_state(int pid);
