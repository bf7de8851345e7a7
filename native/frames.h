// What PID 1 and the supervisor say to each other: a stream of frames, each `u32 length, u32 type, payload`; the length counts
// type and payload. Numbers are little-endian. A text is `u32 size, bytes`, the last of them a NUL that the size counts. The
// other side is src/pid1/protocol.ts, and test/native/tables.test.ts holds the two tables to each other.
#pragma once
#include "sys.h"

enum { PROTOCOL = 1 };

/** From the supervisor. */
enum request {
  /** u32 protocol, u32 stop timeout in milliseconds, u64 stop signals (bit n-1 is signal n): the supervisor has taken over;
      again after a reload. */
  REQUEST_HELLO = 1,
  /** See read_spawn in spawn.c. */
  REQUEST_SPAWN = 2,
  /** u32 sequence, u32 signal, u32 count, count × {u32 target, i32 number, u64 start}. Answered by EVENT_SIGNALLED. */
  REQUEST_SIGNAL = 3,
  /** u32 run: its pipes and notify socket are closed, and its entry is removed once its exit was reported. */
  REQUEST_RELEASE = 4,
  /** u32 on: while 1, EVENT_REAPED comes at once and with process numbers; while 0, at most once a second. */
  REQUEST_WATCH = 5,
  /** u32 code: everything is over; exit with it. */
  REQUEST_END = 6,
};

/** To the supervisor. */
enum event {
  /** u32 run, i32 pid, u64 start, u32 count, count × u32 descriptor: the program is executing. */
  EVENT_SPAWNED = 101,
  /** u32 run, u32 step, i32 errno, u32 index: it never executed; nothing of it is left. */
  EVENT_FAILED = 102,
  /** u32 run, i32 status as wait4(2) gives it. */
  EVENT_EXITED = 103,
  /** u64 total of orphans reaped so far, u32 complete, u32 count, count × i32 pid. */
  EVENT_REAPED = 104,
  /** u32 sequence, u32 failures, u32 count, count × {u32 index, i32 errno}: the first of them. */
  EVENT_SIGNALLED = 105,
  /** u32 signal, i32 code, i32 pid: PID 1 received it. */
  EVENT_RECEIVED = 106,
  /** u32 run, i32 pid, u32 uid, text: a datagram on the run's notify socket. */
  EVENT_NOTIFIED = 107,
};

/** What REQUEST_SIGNAL names: a process by number and start time, the main process of a run, or its process group. */
enum target { TARGET_PROCESS = 0, TARGET_MAIN = 1, TARGET_GROUP = 2 };

/** Where a spawn failed. */
enum step {
  STEP_DESCRIPTORS = 1, STEP_FORK, STEP_NOTIFY, STEP_STREAMS, STEP_TERMINAL, STEP_OOM_SCORE, STEP_NICE, STEP_CPUS,
  STEP_LIMIT, STEP_USER, STEP_CWD, STEP_EXEC
};

#define FRAME_BAD (~0u)
enum {
  FRAME_MOST = 64 << 20,
  /** Room that every event but EVENT_NOTIFIED fits into. */
  EVENT_MOST = 4096,
  DATAGRAM_MOST = 8192,
  OUT_MOST = 128 << 10,
};

/** Reads a payload; `bad` once something was not there, and everything read after that is zero or empty. */
struct reader {
  const u8 *at, *end;
  int bad;
};
u32 get_u32(struct reader *from);
u64 get_u64(struct reader *from);
/** A text with its NUL; "" where there is none. */
const char *get_text(struct reader *from);
/** `u32 count, u32 size, bytes`: that many texts one after another, each with its NUL. */
const char *get_texts(struct reader *from, u32 *count);

/** Frames that wait to be written. One is begun, filled and ended; the sizes above say how much room it needs. */
struct writer {
  u8 bytes[OUT_MOST];
  u32 from, to, frame;
};
static inline u32 writer_room(const struct writer *out) { return OUT_MOST - out->to; }
static inline int writer_empty(const struct writer *out) { return out->from == out->to; }
void begin_frame(struct writer *out, enum event type);
void put_u32(struct writer *out, u32 number);
void put_u64(struct writer *out, u64 number);
void put_text(struct writer *out, const u8 *bytes, u32 size);
void end_frame(struct writer *out);
/** Writes as much as `fd` takes now; minus an errno when the other side has gone. */
long flush_frames(struct writer *out, int fd);

/** Bytes from the supervisor, up to a whole frame. */
struct inbox {
  u8 *bytes;
  size_t size, capacity;
};
/** Reads once; 0 at the end, minus an errno. Call with all frames but the last taken: next_frame has seen its length. */
long fill_inbox(struct inbox *in, int fd);
/** The next whole frame at `*at`; moves `*at` behind it. Returns its type, 0 where there is none yet, FRAME_BAD. */
u32 next_frame(const struct inbox *in, size_t *at, struct reader *payload);
/** Forgets the frames before `at`. */
void drop_frames(struct inbox *in, size_t at);
