// The protocol between PID 1 and the supervisor: a stream of frames, each `u32 length, u32 type, payload`. The length
// covers type and payload. Numbers are little-endian. A text is `u32 size, bytes`; its last byte is a NUL, which the
// size includes. src/pid1/protocol.ts is the other side; test/native/tables.test.ts compares the tables of both.
#pragma once
#include "sys.h"

enum { PROTOCOL = 3 };

/** From the supervisor. */
enum request {
  /**
   * u32 protocol, u32 stop timeout in milliseconds, u64 stop signals (bit n-1 is signal n), and the settings of
   * struct settings in their order. Sent when the supervisor takes over, and again after a reload.
   */
  REQUEST_HELLO = 1,
  /** See read_spawn in spawn.c. */
  REQUEST_SPAWN = 2,
  /** u32 sequence, u32 signal, u32 count, count × {u32 target, i32 number, u64 start}. Answered by EVENT_SIGNALLED. */
  REQUEST_SIGNAL = 3,
  /**
   * u32 run. Closes the pipes and the notify socket of the run, and removes its entry after EVENT_EXITED or EVENT_FAILED was
   * sent.
   */
  REQUEST_RELEASE = 4,
  /**
   * u32 on. 1: EVENT_REAPED is sent at once and lists process numbers. 0: it is sent at most once a second, without
   * numbers.
   */
  REQUEST_WATCH = 5,
  /** u32 code. PID 1 exits with this code. */
  REQUEST_END = 6,
  /**
   * u32 count, count × {u32 key, u32 size, bytes}: records of the checkpoint, which the next supervisor receives
   * (EVENT_KEPT). Replaces earlier records of these keys; a size of 0 removes one.
   */
  REQUEST_KEEP = 7,
  /** Frames. PID 1 handles all of them or, if the supervisor ends before the last byte was written, none. */
  REQUEST_BATCH = 8,
  /**
   * u32 count: the supervisor has handled that many more of EVENT_RECEIVED and EVENT_NOTIFIED. The next supervisor
   * receives only the others. Also the response to EVENT_PING, with a count of 0.
   */
  REQUEST_ACKNOWLEDGE = 9,
};

/** To the supervisor. */
enum event {
  /** u32 run, i32 pid, u64 start, u32 count, count × u32 descriptor: the program is executing. */
  EVENT_SPAWNED = 101,
  /**
   * u32 run, u32 step, i32 errno, u32 index: the program was never executed, and no process is left. `index` is the
   * descriptor for STEP_STREAMS, the number of the resource for STEP_LIMIT, otherwise 0. The entry stays until
   * REQUEST_RELEASE.
   */
  EVENT_FAILED = 102,
  /** u32 run, i32 status of wait4(2). */
  EVENT_EXITED = 103,
  /**
   * u64 total of orphans reaped so far, u32 complete, u32 count, count × i32 pid. `complete` is 0 if there were more
   * than fit into the list.
   */
  EVENT_REAPED = 104,
  /**
   * u32 sequence, u32 failures (the total), u32 count, count × {u32 index, i32 errno} for the first of the failures.
   */
  EVENT_SIGNALLED = 105,
  /** u32 signal, i32 code, i32 pid: PID 1 received a signal, with its si_code and its sender. */
  EVENT_RECEIVED = 106,
  /** u32 run, i32 pid, u32 uid, text: a datagram on the run's notify socket. */
  EVENT_NOTIFIED = 107,
  /**
   * u32 key, u32 size, then a part of the record: to a supervisor that succeeds another one, before all other events.
   * The parts of a record follow each other until `size` bytes are complete.
   */
  EVENT_KEPT = 108,
  /**
   * u32 run, u32 state (enum run_state), i32 pid, u64 start, u64 mark, u32 step, i32 errno, u32 index, i32 status, u32
   * order, u32 count, count × u32 descriptor: an entry of the table of runs, after the records. `mark` is that of
   * REQUEST_SPAWN; step, errno and index are as in EVENT_FAILED. `order` numbers the exits and failed starts of all
   * runs from 1; 0: the run has not ended.
   */
  EVENT_RUN = 109,
  /**
   * u32 the highest number of a run so far: the successor has received the records, the table, and every EVENT_RECEIVED
   * and EVENT_NOTIFIED that was not acknowledged.
   */
  EVENT_RESTORED = 110,
  /** Empty. The supervisor responds with REQUEST_ACKNOWLEDGE; if it does not, it is hung. */
  EVENT_PING = 111,
};

/** The state of a run in EVENT_RUN. */
enum run_state { RUN_IS_STARTING = 0, RUN_IS_EXECUTING = 1, RUN_HAS_FAILED = 2, RUN_HAS_EXITED = 3 };

/** A target of REQUEST_SIGNAL: a process by number and start time, the main process of a run, or its process group. */
enum target { TARGET_PROCESS = 0, TARGET_MAIN = 1, TARGET_GROUP = 2 };

/** The step at which a spawn failed. */
enum step {
  STEP_DESCRIPTORS = 1, STEP_FORK, STEP_NOTIFY, STEP_STREAMS, STEP_TERMINAL, STEP_OOM_SCORE, STEP_NICE, STEP_CPUS,
  STEP_LIMIT, STEP_USER, STEP_CWD, STEP_EXEC, STEP_CGROUP
};

#define FRAME_BAD (~0u)
enum {
  FRAME_MOST = 64 << 20,
  /** The largest size of an event without the datagram of EVENT_NOTIFIED and the part of EVENT_KEPT, bytes. */
  EVENT_MOST = 4096,
  DATAGRAM_MOST = 8192,
  OUT_MOST = 128 << 10,
  /** The largest part of a record in EVENT_KEPT, bytes. */
  PART_MOST = 32 << 10,
};

/** Reads a payload. A read beyond its end sets `bad`; from then on every read returns zero or an empty text. */
struct reader {
  const u8 *at, *end;
  int bad;
};
u32 get_u32(struct reader *from);
u64 get_u64(struct reader *from);
/** The next `size` bytes; null if the payload has fewer. */
const u8 *get_bytes(struct reader *from, size_t size);
/** A NUL-terminated text. Sets `bad` and returns "" if it is malformed. */
const char *get_text(struct reader *from);
/** Reads `u32 count, u32 size, bytes`: `count` consecutive texts, each NUL-terminated. */
const char *get_texts(struct reader *from, u32 *count);

/**
 * Frames that wait to be written. A frame is built by begin_frame, put_… and end_frame. These do not check for room:
 * before begin_frame, the caller compares writer_room with EVENT_MOST, plus the size of a datagram or a part. All other
 * fields of an event must fit into EVENT_MOST.
 */
struct writer {
  u8 bytes[OUT_MOST];
  u32 from, to, frame;
};
static inline u32 writer_room(const struct writer *out) { return OUT_MOST - out->to; }
static inline int writer_empty(const struct writer *out) { return out->from == out->to; }
void begin_frame(struct writer *out, enum event type);
void put_u32(struct writer *out, u32 number);
void put_u64(struct writer *out, u64 number);
void put_bytes(struct writer *out, const void *bytes, u32 size);
void put_text(struct writer *out, const u8 *bytes, u32 size);
void end_frame(struct writer *out);
static inline void clear_writer(struct writer *out) { out->from = out->to = 0; }
/** Writes as much as `fd` accepts without blocking; minus an errno if the peer has closed the socket. */
long flush_frames(struct writer *out, int fd);

/** Bytes from the supervisor that have not been handled yet. */
struct inbox {
  u8 *bytes;
  size_t size, capacity;
};
/**
 * Reads once. Returns the number of bytes, 0 at end of file, or minus an errno. Call it only after next_frame has decoded
 * all complete frames: next_frame checks the length to which the buffer grows.
 */
long fill_inbox(struct inbox *in, int fd);
/**
 * Decodes the complete frame at `*at` and moves `*at` after it. Returns its type, 0 if the frame is not complete yet, or
 * FRAME_BAD. For a complete REQUEST_BATCH it decodes the first frame inside; all frames of the batch are complete then.
 */
u32 next_frame(const struct inbox *in, size_t *at, struct reader *payload);
/** Removes the bytes before `at`. */
void drop_frames(struct inbox *in, size_t at);
