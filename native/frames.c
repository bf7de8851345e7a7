// Encodes and decodes frames. Trusts no length that it receives: a truncated payload is marked as bad, and nothing is read
// beyond its end. What it writes must fit: see struct writer. Interprets no request but REQUEST_BATCH.
#include "frames.h"
#include "svc-super.h"

const u8 *get_bytes(struct reader *from, size_t size) {
  if (from->bad || (size_t)(from->end - from->at) < size) {
    from->bad = 1;
    return NULL;
  }
  const u8 *found = from->at;
  from->at += size;
  return found;
}

u32 get_u32(struct reader *from) {
  u32 number = 0;
  const u8 *found = get_bytes(from, sizeof number);
  if (found) memcpy(&number, found, sizeof number);
  return number;
}

u64 get_u64(struct reader *from) {
  u64 number = 0;
  const u8 *found = get_bytes(from, sizeof number);
  if (found) memcpy(&number, found, sizeof number);
  return number;
}

const char *get_text(struct reader *from) {
  u32 size = get_u32(from);
  const u8 *found = get_bytes(from, size);
  if (found && size > 0 && found[size - 1] == 0 && strlen((const char *)found) == size - 1) return (const char *)found;
  from->bad = 1;
  return "";
}

const char *get_texts(struct reader *from, u32 *count) {
  *count = get_u32(from);
  u32 size = get_u32(from), ends = 0;
  const u8 *found = get_bytes(from, size);
  for (u32 at = 0; found && at < size; at++) ends += found[at] == 0;
  if (found && ends == *count && (size == 0 || found[size - 1] == 0)) return (const char *)found;
  from->bad = 1;
  *count = 0;
  return "";
}

void put_bytes(struct writer *out, const void *bytes, u32 size) {
  memcpy(out->bytes + out->to, bytes, size);
  out->to += size;
}

void begin_frame(struct writer *out, enum event type) {
  out->frame = out->to;
  put_u32(out, 0);
  put_u32(out, type);
}

void put_u32(struct writer *out, u32 number) { put_bytes(out, &number, sizeof number); }
void put_u64(struct writer *out, u64 number) { put_bytes(out, &number, sizeof number); }

void put_text(struct writer *out, const u8 *bytes, u32 size) {
  put_u32(out, size + 1);
  put_bytes(out, bytes, size);
  put_bytes(out, "", 1);
}

void end_frame(struct writer *out) {
  u32 length = out->to - out->frame - (u32)sizeof length;
  memcpy(out->bytes + out->frame, &length, sizeof length);
}

long flush_frames(struct writer *out, int fd) {
  while (!writer_empty(out)) {
    // Not write(2), which raises SIGPIPE if the supervisor has exited.
    long written = sys(__NR_sendto, fd, out->bytes + out->from, out->to - out->from, 0x4040 /* MSG_NOSIGNAL, MSG_DONTWAIT */, 0, 0);
    if (written == -EINTR) continue;
    if (written == -EAGAIN) break;
    if (written < 0) return written;
    out->from += (u32)written;
  }
  // Moves the rest to the beginning, because frames are appended at the end.
  if (out->from > 0) {
    memmove(out->bytes, out->bytes + out->from, out->to - out->from);
    out->to -= out->from;
    out->from = 0;
  }
  return 0;
}

/** Doubles the size, so that a growing table is seldom moved. */
long grow(void **table, size_t *capacity, size_t least) {
  size_t wanted = *capacity ? *capacity : least;
  while (wanted < least) wanted *= 2;
  if (wanted == *capacity) return 0;
  long found = *capacity ? sys(__NR_mremap, *table, *capacity, wanted, 1 /* MREMAP_MAYMOVE */)
                         : sys(__NR_mmap, 0, wanted, 3 /* PROT_READ|WRITE */, 0x22 /* MAP_PRIVATE|ANONYMOUS */, -1, 0);
  if (found < 0 && found > -4096) return found;
  *table = (void *)found;
  *capacity = wanted;
  // Environments and the checkpoint contain secrets of services: they are excluded from core dumps (madvise(2)).
  sys(__NR_madvise, found, wanted, MADV_DONTDUMP);
  return 0;
}

long fill_inbox(struct inbox *in, int fd) {
  enum { CHUNK = 64 << 10 };
  u32 length = 0;
  if (in->size >= sizeof length) memcpy(&length, in->bytes, sizeof length);
  size_t wanted = sizeof length + length;
  if (wanted < in->size + CHUNK) wanted = in->size + CHUNK;
  long failure = grow((void **)&in->bytes, &in->capacity, wanted);
  if (failure < 0) return failure;
  long size = sys_read(fd, in->bytes + in->size, in->capacity - in->size);
  if (size > 0) in->size += (size_t)size;
  return size;
}

u32 next_frame(const struct inbox *in, size_t *at, struct reader *payload) {
  u32 length, type;
  for (;;) {
    // The length is checked as soon as it is there, because the inbox grows to it (fill_inbox).
    if (in->size - *at < sizeof length) return 0;
    memcpy(&length, in->bytes + *at, sizeof length);
    if (length < sizeof type || length > FRAME_MOST) return FRAME_BAD;
    if (in->size - *at - sizeof length < length) return 0;
    memcpy(&type, in->bytes + *at + sizeof length, sizeof type);
    if (type != REQUEST_BATCH) break;
    *at += sizeof length + sizeof type;
  }
  payload->at = in->bytes + *at + sizeof length + sizeof type;
  payload->end = in->bytes + *at + sizeof length + length;
  payload->bad = 0;
  *at += sizeof length + length;
  return type ? type : FRAME_BAD;
}

void drop_frames(struct inbox *in, size_t at) {
  if (at == 0) return;
  memmove(in->bytes, in->bytes + at, in->size - at);
  in->size -= at;
  // Returns the memory that a large frame needed to the kernel (madvise(2), MADV_DONTNEED).
  enum { USUAL = 256 << 10 };
  if (in->capacity > USUAL && in->size < USUAL) sys(__NR_madvise, in->bytes + USUAL, in->capacity - USUAL, 4);
}
